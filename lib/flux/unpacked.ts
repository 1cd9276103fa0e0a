// What a cluster makes of an artifact: the files that its root kustomization lists, and the objects in them.
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { PlatformError } from "../errors";
import { readTar } from "../oci/tarReader";
import { parseYaml } from "../policies/yaml";
import { quoted } from "../printable";
import { kustomizationFile, type PolicyDocument } from "./content";
import { documentsOf, inFile } from "./documents";

/** The files of an artifact's layer, by path. Error: `artifact-foreign`. */
export async function unpackLayer(layer: Uint8Array): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for await (const { path, type, content } of readTar(Readable.from([layer]), { packing: "gzip", wrong: foreign }))
    if (type === "file") files.set(path, await buffer(content));
  return files;
}

/** The objects that a cluster gets, in order. Error: `artifact-foreign`. */
export function listedDocuments(files: ReadonlyMap<string, Uint8Array>): PolicyDocument[] {
  return resourcesOf(files).flatMap((path) => {
    const content = files.get(path);
    if (!content) throw foreign(`its ${kustomizationFile} lists ${quoted(path)}, which it does not hold`);
    const found = documentsOf(content);
    if ("problem" in found) throw foreign(`${quoted(path)}, line ${found.problem.line}: ${found.problem.reason}`);
    return inFile(path, found);
  });
}

function resourcesOf(files: ReadonlyMap<string, Uint8Array>): readonly string[] {
  const { documents, problem } = parseYaml(files.get(kustomizationFile) ?? Buffer.alloc(0));
  const [document] = documents;
  const value: unknown = problem || documents.length !== 1 ? undefined : document!.toJS({ maxAliasCount: 0 });
  const { resources, kind, apiVersion, ...others } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const isPlain = typeof kind === "string" && typeof apiVersion === "string" && Object.keys(others).length === 0;
  if (isPlain && Array.isArray(resources) && resources.every((one) => typeof one === "string")) return resources;
  throw foreign(`its ${kustomizationFile} is no plain list of files`);
}

function foreign(why: string): PlatformError {
  return new PlatformError("artifact-foreign", {
    what: `an artifact of policies cannot be read: ${why}`,
    rule: "an artifact holds files, and a kustomization that lists them",
    fix: "release it again with this program",
  });
}
