// Pins that are in order and yet leave open which layer image comes of them: a preview cannot know the image until `pin` fills them in.
import { pinName, problem, valueAt } from "./issues";
import { type ConfigurationProblem, type Path, type Place, pinLine } from "./problems";
import type { RawConfiguration } from "./settings";

/** What stands there, and which digest it then needs. */
interface Repacked {
  readonly source: Path;
  readonly digest: Path;
}

const repacked: Readonly<Record<string, readonly Repacked[]>> = {
  tools: [
    { source: ["release", "sha256"], digest: ["release", "digest"] },
    { source: ["image", "member"], digest: ["image", "digest"] },
  ],
  policies: [
    { source: ["git", "commit"], digest: ["git", "digest"] },
    { source: ["path"], digest: ["digest"] },
  ],
};

/** One `digest-unpinned` for each entry whose pin lacks only the digest of the layer image, by key. They keep nothing from being built. */
export function unpinnedDigests(raw: RawConfiguration, place: Place): ConfigurationProblem[] {
  const found = Object.entries(repacked).flatMap(([map, kinds]) =>
    Object.entries((raw[map] ?? {}) as object).flatMap(([name, entry]) =>
      kinds
        .filter(({ source, digest }) => isText(valueAt(entry, source)) && valueAt(entry, digest) === undefined)
        .map(({ digest }) => [map, name, ...digest]),
    ),
  );
  const rule = "a preview knows the image by the digests of its layer images";
  return found.map((path) =>
    problem("digest-unpinned", path, "is not pinned yet", rule, pinLine(pinName(path, raw), place)),
  );
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}
