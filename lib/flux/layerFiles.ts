// What ships of a policy repository, out of its layer image: the files that can matter to an artifact.
import { PlatformError } from "../errors";
import type { RegistryClient } from "../oci/client";
import type { Digest } from "../oci/digest";
import { readImageEntries } from "../oci/layerFiles";
import type { Repository } from "../oci/reference";
import { quoted } from "../printable";
import { mayMatter } from "./content";

/** Path in the repository → content. Errors: `artifact-entry`, those of `readImageEntries`. */
export async function layerFiles(
  client: RegistryClient,
  home: Repository,
  { name, digest }: { readonly name: string; readonly digest: Digest },
): Promise<Map<string, Buffer>> {
  const root = `repos/${name}/`;
  const only = (path: string) => path.startsWith(root) && mayMatter(path.slice(root.length));
  const files = new Map<string, Buffer>();
  for (const [path, { bytes, special }] of await readImageEntries(client, home, digest, { only })) {
    if (special !== undefined) throw noFile(name, path.slice(root.length), special);
    files.set(path.slice(root.length), bytes);
  }
  return files;
}

function noFile(name: string, path: string, kind: string): PlatformError {
  return new PlatformError("artifact-entry", {
    what: `${quoted(path)} in the layer image of policies.${name} is a ${kind}`,
    rule: "clusters get regular files: Flux leaves out everything else without a word",
    fix: "replace it by a copy, and make the layer image by policy-platform repository push",
  });
}
