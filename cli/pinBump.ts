// Which version the next release gets after a pin was written, and why. The pin stands by then, so nothing here fails it.
import { fromStackFile } from "../config/load";
import type { RawConfiguration } from "../config/settings";
import { messageOf, PlatformError } from "../lib/errors";
import { type Digest, sha256 } from "../lib/oci/digest";
import { reasonsFor, requiredBump, type Step } from "../lib/pins/bump";
import { diffInputs } from "../lib/pins/diff";
import type { Inputs } from "../lib/pins/model";
import { mapRecord } from "../lib/record";
import type { Place } from "./place";
import { narrate } from "./screen";
import { nextRelease } from "./version";

/** What is known of the next release. */
export interface PinBump {
  /** `v2.0.0`; undefined where the registry could not be asked. */
  readonly next?: string;
  readonly required?: Step;
  /** One line: `v1.0.0 → v2.0.0 (tool upgrade)`. */
  readonly reason?: string;
}

/** Asks the registry as `version` does; where that fails, says what the pin alone asks for. `before`: the configuration that was. */
export async function bumpOf(place: Place, before: RawConfiguration): Promise<PinBump> {
  try {
    const { version, required, reason } = await nextRelease(place);
    return { next: version, required, reason };
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    narrate("doing", `the next version is not known: ${messageOf(error)}`);
  }
  const after = fromStackFile(place.stackFile, place.stack).raw;
  const changes = diffInputs(pinsOf(before, after), pinsOf(after, after));
  const required = requiredBump(changes);
  if (required === "none") return {};
  return { required, reason: `this pin asks for a ${required} version at least (${reasonsFor(changes)})` };
}

/** The pins as they stand in the file, and nothing that would have to be read or downloaded. A digest that was missing did not change. */
function pinsOf({ base, policies, tools }: RawConfiguration, after: RawConfiguration): Inputs {
  const digest = (entry: unknown, then: unknown) => digestIn(entry) ?? digestIn(then) ?? sha256("");
  return {
    format: 1,
    image: { user: "" },
    base: digest(base, after.base),
    repositories: mapRecord(entries(policies), (entry, name) => ({
      digest: digest(entry, entries(after.policies)[name]),
    })),
    tools: mapRecord(entries(tools), (entry, name) => ({
      version: String((entry as { version?: unknown } | null)?.version),
      digest: digest(entry, entries(after.tools)[name]),
    })),
  };
}

/** The last digest that an entry names: that of the layer image, where it has one of its own. */
function digestIn(entry: unknown): Digest | undefined {
  return (JSON.stringify(entry) ?? "").match(/sha256:[0-9a-f]{64}/g)?.at(-1) as Digest | undefined;
}

function entries(map: unknown): Record<string, unknown> {
  return map !== null && typeof map === "object" && !Array.isArray(map) ? (map as Record<string, unknown>) : {};
}
