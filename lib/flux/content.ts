// What an artifact holds: of policy repositories the files that hold policies, as they ship, and of their charts what helm rendered.
// A pure function of both, so that a preview knows an artifact as well as the update that pushes it.
import { posix } from "node:path";
import { compareText } from "../compareText";
import { PlatformError } from "../errors";
import { isTemplate } from "../gate/policyFiles";
import { objectKey, objectTitle } from "../kyverno/identity";
import { isClusterScoped, isPolicyKind, policyKinds } from "../kyverno/kinds";
import { policyRules } from "../policies/rules";
import { printable, quoted } from "../printable";
import { requireOneMeaning } from "./ambiguous";
import { documentsOf, inFile, type PolicyDocument, type ReadDocument } from "./documents";
import { isKustomization, requirePlainKustomizations } from "./kustomization";

export type { PolicyDocument } from "./documents";

/** What an artifact is made of. */
export interface ArtifactSources {
  /** Policy repositories by name: path in the repository → content, of everything that ships. */
  readonly repositories: Readonly<Record<string, ReadonlyMap<string, Uint8Array>>>;
  /** What helm rendered of their charts for the environment, by path in the artifact. Default: nothing. */
  readonly rendered?: ReadonlyMap<string, Uint8Array>;
  /** Kinds that are delivered beside policies. Default: none. */
  readonly allow?: readonly string[];
  /** The version that is pinned; without one every kind passes that any Kyverno knows. */
  readonly kyverno?: string;
}

/** The files of an artifact, and what is in them. */
export interface ArtifactContent {
  /** By path, `<repository>/<path in it>`; and the `kustomization.yaml` that lists them. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** In the order of files and of documents in them. */
  readonly documents: readonly PolicyDocument[];
}

/**
 * Takes what is to be delivered. Errors: `artifact-ambiguous`, `artifact-empty`, `artifact-kind`, `artifact-namespace`, `artifact-file-twice`, `artifact-kustomization`,
 * `policy-yaml-broken`, `policy-unnamed`, `policy-kind-unknown`, `policy-duplicate`.
 */
export function artifactFiles({
  repositories,
  rendered = new Map(),
  allow = [],
  kyverno,
}: ArtifactSources): ArtifactContent {
  const files = new Map<string, Buffer>();
  const documents: PolicyDocument[] = [];
  const take = (at: string, content: Uint8Array, found: readonly ReadDocument[]) => {
    if (files.has(at)) throw twice(at);
    requireOneMeaning(at, content);
    files.set(at, Buffer.from(content));
    documents.push(...inFile(at, found));
  };
  for (const name of Object.keys(repositories).sort()) {
    const delivered = policyFilesOf(name, repositories[name]!);
    const paths = delivered.map(({ path }) => path);
    requirePlainKustomizations(name, outsideOfCharts(repositories[name]!), paths);
    for (const { path, content, found } of delivered) take(`${name}/${path}`, content, found);
  }
  for (const [path, content] of rendered) {
    const found = read(path, content);
    if (found.length > 0) take(path, content, found);
  }
  if (files.size === 0) throw nothing();
  documents.sort((a, b) => compareText(a.path, b.path));
  requireKinds(documents, allow, kyverno);
  requireOnce(documents);
  return { files: withKustomization(files), documents };
}

/** The list without which the kustomize-controller would make one of its own. */
export const kustomizationFile = "kustomization.yaml";

function withKustomization(files: ReadonlyMap<string, Buffer>): ReadonlyMap<string, Buffer> {
  const paths = [...files.keys()].sort();
  const lines = ["apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", "resources:"];
  const list = Buffer.from([...lines, ...paths.map((path) => `- ${JSON.stringify(path)}`), ""].join("\n"));
  return new Map([[kustomizationFile, list], ...paths.map((path) => [path, files.get(path)!] as const)]);
}

/** Paths of the files that a repository gives every artifact, without its charts. */
export function plainPaths(files: ReadonlyMap<string, Uint8Array>): string[] {
  return policyFilesOf("", files).map(({ path }) => path);
}

/** Whether a file of a policy repository can matter to an artifact. */
export function mayMatter(path: string): boolean {
  return /\.ya?ml$/i.test(path) || isKustomization(path) || `/${path}`.includes("/templates/");
}

interface DeliveredFile {
  readonly path: string;
  readonly content: Uint8Array;
  readonly found: readonly ReadDocument[];
}

/** Files with a policy; and every file with an object that lies outside of charts and their values, so that none is left out in silence. */
function policyFilesOf(repository: string, files: ReadonlyMap<string, Uint8Array>): DeliveredFile[] {
  const plain = outsideOfCharts(files);
  return [...files].flatMap(([path, content]) => {
    const isCandidate = /\.ya?ml$/i.test(path) && !isTemplate(path, files) && !isKustomization(path);
    if (!isCandidate || !mayHoldObject(content)) return [];
    const found = read(posix.join(repository, path), content);
    const isWanted = plain.has(path) || found.some(({ apiVersion, kind }) => isPolicyKind(apiVersion, kind));
    return found.length > 0 && isWanted ? [{ path, content, found }] : [];
  });
}

/** Most YAML beside policies is not parsed. */
function mayHoldObject(content: Uint8Array): boolean {
  return Buffer.from(content.buffer, content.byteOffset, content.length).includes("kind");
}

/** Without what lies in a folder with a Chart.yaml, and without the values in `cd/`. */
function outsideOfCharts(files: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Uint8Array> {
  const isInChart = (path: string) => {
    for (let at = posix.dirname(path); ; at = posix.dirname(at)) {
      if (files.has(posix.join(at, "Chart.yaml"))) return true;
      if (at === ".") return false;
    }
  };
  return new Map([...files].filter(([path]) => !path.startsWith("cd/") && !isInChart(path)));
}

function read(shown: string, content: Uint8Array): readonly ReadDocument[] {
  const found = documentsOf(content);
  if (!("problem" in found)) return found;
  const what = `${shown}:${found.problem.line}: ${found.problem.reason}`;
  throw new PlatformError("policy-yaml-broken", { what, ...policyRules["policy-yaml-broken"] });
}

function requireKinds(
  documents: readonly PolicyDocument[],
  allow: readonly string[],
  kyverno: string | undefined,
): void {
  const kinds = policyKinds(kyverno);
  for (const { apiVersion, kind, namespace, name, path } of documents) {
    const title = printable(`${kind} ${name}`, 120);
    if (name === "") {
      const what = `${path}: ${printable(kind, 80)} has no name`;
      throw new PlatformError("policy-unnamed", { what, ...policyRules["policy-unnamed"] });
    }
    if (isPolicyKind(apiVersion, kind)) {
      const advice = kinds.unsure === undefined ? kinds.refuse(apiVersion, kind) : undefined;
      if (advice !== undefined) {
        const what = `${path}: ${printable(kind, 80)} of ${printable(apiVersion, 80)} is not known to ${kinds.name}: ${advice}`;
        throw new PlatformError("policy-kind-unknown", { what, ...policyRules["policy-kind-unknown"] });
      }
      if (namespace === "" && !isClusterScoped(apiVersion, kind)) throw homeless(path, title);
    } else if (!allow.includes(kind)) throw foreign(path, title, kind);
  }
}

function requireOnce(documents: readonly PolicyDocument[]): void {
  const first = new Map<string, PolicyDocument>();
  for (const document of documents) {
    const key = objectKey(document);
    const before = first.get(key);
    first.set(key, document);
    if (!before) continue;
    const what = `${document.path}: ${printable(objectTitle(document), 160)} is in ${before.path} already`;
    throw new PlatformError("policy-duplicate", { what, ...policyRules["policy-duplicate"] });
  }
}

function foreign(path: string, title: string, kind: string): PlatformError {
  return new PlatformError("artifact-kind", {
    what: `${path}: ${title} is no policy`,
    rule: "clusters get policies alone, and what policy-platform:artifacts.allow names beside them",
    fix: `leave it out with .policyignore, or allow it: pulumi config set --path 'policy-platform:artifacts.allow[0]' ${printable(kind, 80)}`,
  });
}

function homeless(path: string, title: string): PlatformError {
  return new PlatformError("artifact-namespace", {
    what: `${path}: ${title} names no namespace`,
    rule: "Flux applies a namespaced policy only where it says in which namespace",
    fix: "write metadata.namespace, or make it a policy of the whole cluster",
  });
}

function nothing(): PlatformError {
  return new PlatformError("artifact-empty", {
    what: "the policy repositories hold nothing that a cluster could get",
    rule: "an environment gets at least one policy",
    fix: "add a policy, or take the environment out of policy-platform:artifacts.environments",
  });
}

function twice(path: string): PlatformError {
  return new PlatformError("artifact-file-twice", {
    what: `two files of an artifact would be ${quoted(path)}`,
    rule: "each file of an artifact comes from one place",
    fix: "rename the template, or the file that ships under its name",
  });
}
