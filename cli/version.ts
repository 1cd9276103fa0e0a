// policy-platform version: the last release, the step that the changes since then require and why, and the next version.
import { findStackBase } from "../lib/base/find";
import { compose } from "../lib/plan/composition";
import { preflightRelease, unknownInputs } from "../lib/plan/plan";
import { mapRecord } from "../lib/record";
import { repositoryNames } from "../lib/registry/names";
import { stackClient } from "../lib/registry/stackClient";
import type { Preflight } from "../lib/release/preflight";
import { freshContents } from "../lib/sources/freshContents";
import type { Place } from "./place";
import { answer, exitCodes, narrate, type Output } from "./screen";
import { stackSettings } from "./stackSettings";
import { stackState } from "./stackState";

/** The next release that a stack file leads to. Errors: those of the configuration, of the registry and of the version rule. */
export async function nextRelease(place: Place): Promise<Preflight> {
  const { stack } = place;
  const settings = stackSettings(place);
  const client = stackClient(settings.registry);
  const state = stackState(place);
  const base = await findStackBase(client, settings, state);
  for (const line of base?.lines ?? []) narrate("doing", line);
  const { inputs, unknown, ...read } = await compose(settings, { mayDownload: false, base: base?.digest, client });
  if (!inputs) throw unknownInputs(settings, unknown, { stack, base })[0]!;
  const contents = await freshContents(client, settings, read.contents);
  const folders = { ...read.folders, ...mapRecord(contents, ({ image }) => image) };

  narrate("doing", `reading ${repositoryNames(settings.registry).releases(settings.image.name)}`);
  const found = await preflightRelease(client, settings, { inputs, folders }, { stack, state });

  if (found.taken) throw found.taken;
  return found;
}

export interface VersionOptions {
  /** Print the next version and nothing else. */
  readonly next?: boolean;
}

export async function version(place: Place, { next }: VersionOptions, output: Output): Promise<number> {
  const found = await nextRelease(place);
  const { stack } = place;
  const { last, required, reason } = found;
  // Those of `changes` are against the release before the next version: of what was released, while nothing changed since.
  const entries = required === "none" ? [] : found.changes.entries;
  const data = {
    stack,
    ...(last && { last: { version: last.version, digest: last.digest } }),
    next: found.version,
    required,
    reason,
    changes: entries,
  };
  const lines = [
    `last      ${last ? `${last.version} ${last.digest}` : "no release yet"}`,
    `required  ${required}`,
    `next      ${found.version}`,
    ...entries.map(({ text }) => `  ${text}`),
  ];
  if (next) answer(output, { stack, next: found.version, required, reason }, [found.version]);
  else answer(output, data, lines);
  narrate("done", reason);
  return exitCodes.ok;
}
