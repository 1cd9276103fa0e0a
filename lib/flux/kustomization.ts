// A kustomization.yaml that a policy repository ships. Kyverno passes it over, so what is checked are the files as they are: one that
// only lists them all says nothing else, and every other one would have a cluster enforce what nobody checked.
import { posix } from "node:path";
import { PlatformError } from "../errors";
import { parseYaml } from "../policies/yaml";
import { quoted } from "../printable";

/** Keys that change nothing. */
const plainKeys = ["apiVersion", "kind", "metadata", "resources"];

/** Whether Kustomize takes a file for one, wherever it lies. */
export function isKustomization(path: string): boolean {
  return /(?:^|\/)(?:kustomization\.ya?ml|Kustomization)$/.test(path);
}

/**
 * Refuses those that leave out one of the delivered files below them, or do anything but list files.
 * `files`: the repository, by path in it. `delivered`: paths of its policies. Error: `artifact-kustomization`.
 */
export function requirePlainKustomizations(
  repository: string,
  files: ReadonlyMap<string, Uint8Array>,
  delivered: readonly string[],
): void {
  const known = new Map<string, readonly string[]>();
  for (const path of files.keys()) {
    if (!isKustomization(path)) continue;
    known.set(posix.dirname(path), resourcesOf(`${repository}/${path}`, files.get(path)!));
  }
  for (const folder of known.keys()) {
    const listed = reached(folder, { repository, files, known }, new Set());
    const below = folder === "." ? delivered : delivered.filter((path) => path.startsWith(`${folder}/`));
    const missing = below.filter((path) => !listed.has(path));
    if (missing.length > 0)
      throw refused(
        posix.join(repository, folder),
        `does not list ${missing.slice(0, 3).map(quoted).join(", ")}${missing.length > 3 ? ` and ${missing.length - 3} more` : ""}`,
      );
  }
}

interface Kustomizations {
  readonly repository: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Folder → what is listed there. */
  readonly known: ReadonlyMap<string, readonly string[]>;
}

/** Files that the one in a folder lists, and those in the folders that it lists. */
function reached(folder: string, all: Kustomizations, seen: Set<string>): Set<string> {
  const found = new Set<string>();
  if (seen.has(folder)) return found;
  seen.add(folder);
  for (const resource of all.known.get(folder)!) {
    const path = posix.join(folder, resource).replace(/\/$/, "");
    if (all.files.has(path)) found.add(path);
    else if (all.known.has(path)) for (const file of reached(path, all, seen)) found.add(file);
    else
      throw refused(
        posix.join(all.repository, folder),
        `lists ${quoted(resource)}, which this repository does not ship`,
      );
  }
  return found;
}

function resourcesOf(shown: string, content: Uint8Array): readonly string[] {
  const { documents, problem } = parseYaml(content);
  if (problem || documents.length !== 1) throw refused(shown, "is not one document of YAML");
  let value: unknown;
  try {
    value = documents[0]!.toJS({ maxAliasCount: 1000 });
  } catch {
    throw refused(shown, "is not one document of YAML");
  }
  const kustomization = (value ?? {}) as Readonly<Record<string, unknown>>;
  const others = Object.keys(kustomization).filter((key) => !plainKeys.includes(key));
  if (others.length > 0) throw refused(shown, `has ${others.slice(0, 5).map(quoted).join(", ")}`);
  const { resources = [] } = kustomization;
  if (!Array.isArray(resources) || !resources.every((one) => typeof one === "string"))
    throw refused(shown, "has resources that are no list of paths");
  return resources as string[];
}

function refused(shown: string, why: string): PlatformError {
  return new PlatformError("artifact-kustomization", {
    what: `the kustomization of ${shown} ${why}`,
    rule: "the policies of a repository are checked and delivered as they are, all of them: a kustomization may list them and do nothing else",
    fix: "name it in the folder's .policyignore, and write into the policies what it changes",
  });
}
