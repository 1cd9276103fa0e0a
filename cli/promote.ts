// policy-platform promote: writes a release of one stack into the file of another one, which then takes it by digest.
import { readFileSync } from "node:fs";
import type { Grammar } from "../config/grammar";
import { valueAt } from "../config/issues";
import { fromStackFile } from "../config/load";
import { keyPath, quoted, stackFileName, stackFlag } from "../config/problems";
import { promotedCommit, promotedVersion } from "../config/promotionSchema";
import { promotionTarget } from "../config/promotionTarget";
import { releasePlace } from "../config/releasePlace";
import type { PromotionSettings, RawConfiguration } from "../config/settings";
import { type Edit, writeEdits } from "../config/stackFile";
import type { EditedValue } from "../config/stackSplice";
import { PlatformError } from "../lib/errors";
import type { RegistryClient } from "../lib/oci/client";
import { isLoopback, isSameRegistry, isSameRepository } from "../lib/oci/hosts";
import { parseRepository } from "../lib/oci/reference";
import { tagOfCommit } from "../lib/plan/promotion";
import { releasedArtifacts } from "../lib/promotion/artifacts";
import { type ChosenRelease, chooseRelease } from "../lib/promotion/choose";
import { promotionPlain, promotionShared } from "../lib/promotion/errors";
import { isUncreated } from "../lib/registry/created";
import { uncreatedLine } from "../lib/registry/declaredClient";
import { repositoryNames } from "../lib/registry/names";
import { stackClient } from "../lib/registry/stackClient";
import { historyOf } from "../lib/release/history";
import { shortName } from "../lib/stackName";
import type { Place } from "./place";
import { planned } from "./promotePlan";
import { answer, exitCodes, narrate, type Output } from "./screen";
import { stackState } from "./stackState";

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
  requireForm("--version", options.version, promotedVersion);
  requireForm("--commit", options.commit, promotedCommit);
  const { stack, stackFile } = target;
  const built = fromStackFile(source.stackFile, source.stack).raw;
  const from = releasePlace(built, source);
  const { raw } = fromStackFile(stackFile, stack);
  const text = readFileSync(stackFile, "utf8");
  const settings = promotionTarget(raw, from, target);
  requireReadable(built, settings, source.stack);
  const state = stackState(target);
  const client = targetClient(settings.registry, stack, state);
  const release = await findRelease(client, settings, { source, target, options, raw });
  const mayGoBack = options.rollback === true;
  const repository = parseRepository(from);
  const environments = (await historyOf(client, repository).at(release.digest))?.inputs?.artifacts?.environments ?? [];
  const artifacts = await releasedArtifacts(client, { from, version: release.version, environments });
  const whole = { ...release, artifacts };
  const { rollback, notes } = await planned(client, settings, whole, { source, target, mayGoBack, state });

  const stated = { from, ...release, rollback: rollback || undefined, ...crossChecked(raw, source.stack) };
  const edits = [...editsOf(stated, raw), ...artifactEdits(artifacts, raw)];
  if (edits.length > 0) await writeEdits(stackFile, text, edits);
  const changes = edits.map(({ path, value, was }) => ({
    key: keyPath(path),
    ...(was !== undefined && { from: was }),
    ...(value !== undefined && { to: value }),
  }));
  const next = `pulumi preview${stackFlag(stack)}`;
  const promotion = { from, ...whole, rollback };
  answer(output, { stack, source: source.stack, promotion, changes, notes, next }, [
    ...changes.map(
      ({ key, from: was, to }) => `${key}: ${was === undefined ? "" : `${quoted(was)} → `}${to ?? "removed"}`,
    ),
    ...notes,
  ]);
  const file = stackFileName(stack);
  const said = edits.length > 0 ? `${file} takes ${release.version}` : `${file} says so already, and was not written`;
  narrate("done", `${said}; next: ${next}`);
  return exitCodes.ok;
}

/** The first promotion is written before the first `up`, which needs it: what that is to create counts as empty, and is said once. */
function targetClient(
  registry: PromotionSettings["registry"],
  stack: string,
  state: () => Promise<unknown>,
): RegistryClient {
  const said = new Set<string>();
  return stackClient(registry, async (repository) => {
    const resources = await state();
    if (resources === undefined)
      return `whether it is created yet the stack's state tells, which was not read: pulumi stack init ${stack}, or pulumi login where there is one`;
    if (!isUncreated(registry, resources)) return false;
    if (!said.has(repository)) narrate("doing", uncreatedLine(repository));
    said.add(repository);
    return true;
  });
}

/** What is to be promoted, as the registry of the source names it. */
async function findRelease(
  client: RegistryClient,
  settings: PromotionSettings,
  {
    source,
    target,
    options: { version, commit },
    raw,
  }: {
    readonly source: Place;
    readonly target: Place;
    readonly options: PromoteOptions;
    readonly raw: RawConfiguration;
  },
): Promise<ChosenRelease> {
  const { from } = settings.promotion;
  const to = repositoryNames(settings.registry).releases(settings.image.name);
  const repository = parseRepository(from);
  if (isSameRepository(repository, parseRepository(to)))
    throw promotionShared({ to, source: source.stack, stack: target.stack });
  narrate("doing", `reading ${from}`);
  const written = valueAt(raw, ["promotion", "commit"]);
  return chooseRelease(client, {
    from: repository,
    to,
    ...(version !== undefined && { version }),
    ...(commit !== undefined && { commit: namedBy(commit) }),
    ...(typeof written === "string" && { written: namedBy(written) }),
    projectDir: target.projectDir,
    source: source.stack,
    stack: target.stack,
  });
}

/** A source without TLS is refused, unless it is on loopback, or the target's own registry, which the file allows to have none. */
function requireReadable(
  built: RawConfiguration,
  { promotion: { from }, registry }: PromotionSettings,
  source: string,
): void {
  const { registry: host } = parseRepository(from);
  const isPlain = valueAt(built, ["registry", "insecure"]) === true;
  const isOwn = registry.insecure && isSameRegistry(parseRepository(`${registry.address}/x`).registry, host);
  if (isPlain && !isOwn && !isLoopback(host)) throw promotionPlain({ from, source });
}

/** What follows `sha-` in the tag of a commit, of which a whole hash may be written. */
function namedBy(commit: string): string {
  return tagOfCommit(commit).slice("sha-".length);
}

/** The values that differ from those of the file, each with what was there; `rollback: false` may stand there for ever. */
function editsOf(promotion: Readonly<Record<string, EditedValue | undefined>>, raw: RawConfiguration) {
  return Object.entries(promotion).flatMap(([key, value]): (Edit<EditedValue | undefined> & { was: unknown })[] => {
    const path = ["promotion", key];
    const was = valueAt(raw, path);
    const isSame = was === value || (key === "commit" && typeof was === "string" && namedBy(was) === value);
    return isSame || (value === undefined && was === false) ? [] : [{ path, value, was }];
  });
}

/** The digests that differ from those of the file; environments that the release does not have are taken away. */
function artifactEdits(artifacts: Readonly<Record<string, string>>, raw: RawConfiguration) {
  const path = ["promotion", "artifacts"];
  const written = valueAt(raw, path);
  const names = written !== null && typeof written === "object" ? Object.keys(written) : [];
  if (Object.keys(artifacts).length === 0)
    return written === undefined ? [] : [{ path, value: undefined, was: names.join(", ") }];
  return [...new Set([...names, ...Object.keys(artifacts)])].sort().flatMap((name) => {
    const was = valueAt(raw, [...path, name]);
    return was === artifacts[name] ? [] : [{ path: [...path, name], value: artifacts[name], was }];
  });
}

/** A cross-check is of the stack that the release comes from: one that names another stack says that this one now. */
function crossChecked(raw: RawConfiguration, source: string): { stack?: string } {
  const written = valueAt(raw, ["promotion", "stack"]);
  if (typeof written !== "string") return {};
  const isFull = source.split("/").length === 3;
  const stack = isFull ? source : `${written.slice(0, -shortName(written).length)}${shortName(source)}`;
  return stack === written ? {} : { stack };
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
