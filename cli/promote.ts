// policy-platform promote: writes a release of one stack into the file of another one, which then takes it by digest.
import { readFileSync } from "node:fs";
import type { Grammar } from "../config/grammar";
import { valueAt } from "../config/issues";
import { fromStackFile } from "../config/load";
import { keyPath, quoted, stackFileName, stackFlag } from "../config/problems";
import { promotedCommit, promotedVersion } from "../config/promotionSchema";
import { promotionTarget } from "../config/promotionTarget";
import { releasePlace } from "../config/releasePlace";
import { type Edit, writeEdits } from "../config/stackFile";
import type { EditedValue } from "../config/stackSplice";
import { PlatformError } from "../lib/errors";
import { parseRepository } from "../lib/oci/reference";
import { planPromotion, tagOfCommit } from "../lib/plan/promotion";
import { chooseRelease } from "../lib/promotion/choose";
import { promotionSelf } from "../lib/promotion/errors";
import { compareReleases, versionTags } from "../lib/release/versions";
import { repositoryNames } from "../lib/repositoryNames";
import { stackClient } from "../lib/stackRegistry";
import type { Place } from "./place";
import { answer, exitCodes, narrate, type Output } from "./screen";
import { stackResources } from "./stackState";

/** The options as they were typed. */
export interface PromoteOptions {
  /** `vX.Y.Z`; default: the highest version of the stack that it comes from. */
  readonly version?: string;
  /** What follows `sha-` in a tag of the release; default: found by those tags. */
  readonly commit?: string;
  /** A version below the highest one of the stack that it goes to is wanted. */
  readonly rollback?: boolean;
}

export async function promote(source: Place, target: Place, options: PromoteOptions, output: Output): Promise<number> {
  const { stack, stackFile, projectDir } = target;
  requireForm("--version", options.version, promotedVersion);
  requireForm("--commit", options.commit, promotedCommit);
  const from = releasePlace(fromStackFile(source.stackFile, source.stack).raw, source);
  const { raw } = fromStackFile(stackFile, stack);
  const text = readFileSync(stackFile, "utf8");
  const settings = promotionTarget(raw, from, target);
  const to = repositoryNames(settings.registry).releases(settings.image.name);
  if (from === to) throw promotionSelf({ from, stack });

  narrate("doing", `reading ${from}`);
  const client = stackClient(settings.registry);
  const written = valueAt(raw, ["promotion", "commit"]);
  const release = await chooseRelease(client, {
    ...options,
    ...(options.commit !== undefined && { commit: tagOfCommit(options.commit).slice("sha-".length) }),
    ...(typeof written === "string" && { written }),
    from: parseRepository(from),
    to,
    projectDir,
    source: source.stack,
    stack,
  });

  narrate("doing", `reading ${to}`);
  const [highest] = versionTags(await client.tags(parseRepository(to)));
  const isBack = highest !== undefined && compareReleases(release.version, highest) < 0;
  const rollback = isBack && options.rollback === true;
  if (options.rollback && !isBack)
    narrate("doing", `--rollback is not needed: ${release.version} is below no version of ${to}`);
  const promotion = { ...settings.promotion, from, ...release, rollback };
  const { lines } = await planPromotion(
    { ...settings, promotion },
    { stack, source: source.stack, state: () => stackResources(target) },
  );

  const changes = editsOf({ from, ...release, rollback: rollback || undefined }, raw);
  if (changes.length > 0) await writeEdits(stackFile, text, changes);
  const data = changes.map(({ path, value, was }) => ({
    key: keyPath(path),
    ...(was !== undefined && { from: was }),
    ...(value !== undefined && { to: value }),
  }));
  const next = `pulumi preview${stackFlag(stack)}`;
  answer(
    output,
    { stack, source: source.stack, promotion: { from, ...release, rollback }, changes: data, notes: lines, next },
    [
      ...data.map(
        ({ key, from: was, to: is }) => `${key}: ${was === undefined ? "" : `${quoted(was)} → `}${is ?? "removed"}`,
      ),
      ...lines,
    ],
  );
  const file = stackFileName(stack);
  const said = changes.length > 0 ? `${file} takes ${release.version}` : `${file} says so already, and was not written`;
  narrate("done", `${said}; next: ${next}`);
  return exitCodes.ok;
}

/** The values that differ from those of the file, each with what was there; a permission that is none needs no edit. */
function editsOf(promotion: Readonly<Record<string, EditedValue | undefined>>, raw: Readonly<Record<string, unknown>>) {
  return Object.entries(promotion).flatMap(([key, value]): (Edit<EditedValue | undefined> & { was: unknown })[] => {
    const path = ["promotion", key];
    const was = valueAt(raw, path);
    return was === value || (value === undefined && was === false) ? [] : [{ path, value, was }];
  });
}

/** What was typed has the form that the stack file asks for. */
function requireForm(option: string, value: string | undefined, { rule, refuse, example }: Grammar): void {
  const refusal = value === undefined ? undefined : refuse(value);
  if (!refusal) return;
  throw new PlatformError("promote-argument", {
    what: `${option} ${quoted(value)} ${refusal.wrong}`,
    rule,
    fix: `${option} ${refusal.meant ?? example}`,
  });
}
