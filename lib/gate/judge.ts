// Which program judges: an image that passed may not pass a gate that looks closer, so nothing that was found is believed by
// another program than the one that found it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Digest, sha256 } from "../oci/digest";

/** Put in by scripts/bundle.mjs: digest of the gate with all that it uses, as one file. */
declare const GATE_DIGEST: Digest | undefined;

let known: Digest | undefined;

/** Digest of the gate that runs: known to a bundle; from sources, that of every source file of the library. */
export function judge(): Digest {
  known ??= typeof GATE_DIGEST === "string" ? GATE_DIGEST : sourcesDigest(join(__dirname, ".."));
  return known;
}

function sourcesDigest(folder: string): Digest {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const files = names.sort().map((name) => `${name}\0${sha256(readFileSync(join(folder, name)))}`);
  return sha256(files.join("\0"));
}
