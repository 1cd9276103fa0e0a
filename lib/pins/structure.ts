// The structure of a policy repository: what its users name in exceptions, reports and paths, so what must not vanish
// without a major version. Top-level folders; kind, namespace and name of policies; rule names; charts and their templates.
import { parseYaml } from "../policies/yaml";

/** Files by path below the repository's folder, without a leading slash. */
export type Files = ReadonlyMap<string, Buffer>;

interface Structure {
  /** One readable name for each thing: `folder pod-security`, `ClusterPolicy require-limits`, `rule … of …`. */
  readonly entries: ReadonlySet<string>;
  /** Every path there is: tells a mended file from a removed one. */
  readonly paths: ReadonlySet<string>;
  /** Files that are no readable YAML. What they define is not known, only that they are there. */
  readonly unreadable: ReadonlySet<string>;
}

/** Sorted. A renamed thing is in both. Only what was removed breaks those who name it. */
export interface StructureChange {
  readonly removed: readonly string[];
  readonly added: readonly string[];
}

/** API groups whose objects are policies: also an exception or a constraint that vanishes changes what is enforced. */
const policyGroups = /^(?:[a-z0-9.-]+\.)?(?:kyverno\.io|gatekeeper\.sh)$/;
/** Of their groups, what is a test or a result and no policy. */
const otherGroups = new Set(["cli.kyverno.io", "reports.kyverno.io"]);
const admissionPolicies = /^(?:Validating|Mutating)AdmissionPolicy(?:Binding)?$/;

/** Never fails: a file that cannot be read as YAML counts as itself. */
export function structureOf(files: Files): Structure {
  const charts = chartsOf(files);
  const entries = new Set<string>([...charts.values()].map((chart) => `chart ${chart}`));
  const unreadable = new Set<string>();
  for (const [path, content] of files) {
    const [folder, ...below] = path.split("/");
    if (below.length > 0) entries.add(`folder ${folder}`);
    const template = templateOf(path, charts);
    if (template) entries.add(template);
    else if (/\.(?:ya?ml|json)$/i.test(path)) {
      const { policies, readable } = policiesOf(content);
      for (const policy of policies) entries.add(policy);
      if (!readable) unreadable.add(path);
    }
  }
  return { entries, paths: new Set(files.keys()), unreadable };
}

/** A file that could not be read before and is gone now counts as removed: nobody can say that it held nothing. */
export function compareStructures(old: Structure, next: Structure): StructureChange {
  return {
    removed: [
      ...[...old.entries].filter((entry) => !next.entries.has(entry)),
      ...[...old.unreadable].filter((path) => !next.paths.has(path)).map((path) => `unreadable file ${path}`),
    ].sort(),
    added: [...next.entries].filter((entry) => !old.entries.has(entry)).sort(),
  };
}

/**
 * `compareStructures` of two sets of files that reads only the files which differ, as parsing thousands of equal ones
 * costs seconds. What seems removed may still stand in an equal file: only then is everything read.
 */
export function structureChange(old: Files, next: Files): StructureChange {
  const differing = (files: Files, others: Files) =>
    new Map([...files].map(([path, content]) => [path, others.get(path)?.equals(content) ? empty : content]));
  const quick = compareStructures(structureOf(differing(old, next)), structureOf(differing(next, old)));
  if (quick.removed.length === 0 && quick.added.length === 0) return quick;
  return compareStructures(structureOf(old), structureOf(next));
}

const empty = Buffer.alloc(0);

/** Folder of each Chart.yaml (`""` is the root) → the chart's name, or its folder where that cannot be read. */
function chartsOf(files: Files): Map<string, string> {
  const charts = new Map<string, string>();
  for (const [path, content] of files) {
    if (path !== "Chart.yaml" && !path.endsWith("/Chart.yaml")) continue;
    const folder = path.slice(0, -"Chart.yaml".length).replace(/\/$/, "");
    const name = documentsOf(content).values.map((value) => field(value, "name"))[0];
    charts.set(folder, typeof name === "string" && name !== "" ? name : `in ${folder || "."}`);
  }
  return charts;
}

/** `template <chart>/<path>` for a file in the templates folder of a chart: such a file is no YAML before it is rendered. */
function templateOf(path: string, charts: ReadonlyMap<string, string>): string | undefined {
  const folders = path.split("/");
  const at = folders.findIndex(
    (folder, index) => folder === "templates" && charts.has(folders.slice(0, index).join("/")),
  );
  if (at < 0 || at === folders.length - 1) return undefined;
  return `template ${charts.get(folders.slice(0, at).join("/"))}/${folders.slice(at).join("/")}`;
}

function policiesOf(content: Buffer): { policies: string[]; readable: boolean } {
  const { values, readable } = documentsOf(content);
  const objects = values.flatMap((value) => {
    const items = field(value, "kind") === "List" ? field(value, "items") : undefined;
    return Array.isArray(items) ? items : [value];
  });
  return { policies: objects.flatMap(namesIn), readable };
}

/** The policy's own name, then those of its rules; empty for any other object. */
function namesIn(value: unknown): string[] {
  const [apiVersion, kind] = [field(value, "apiVersion"), field(value, "kind")];
  const metadata = field(value, "metadata");
  const [name, namespace] = [field(metadata, "name"), field(metadata, "namespace")];
  if (typeof apiVersion !== "string" || typeof kind !== "string" || typeof name !== "string") return [];
  const group = apiVersion.slice(0, Math.max(apiVersion.indexOf("/"), 0));
  const isPolicy = group === "admissionregistration.k8s.io" ? admissionPolicies.test(kind) : policyGroups.test(group);
  if (!isPolicy || otherGroups.has(group)) return [];
  const policy = `${kind} ${typeof namespace === "string" && namespace !== "" ? `${namespace}/` : ""}${name}`;
  const rules = field(field(value, "spec"), "rules");
  const ruleNames = (Array.isArray(rules) ? rules : []).map((rule) => field(rule, "name"));
  return [policy, ...ruleNames.filter((rule) => typeof rule === "string").map((rule) => `rule ${rule} of ${policy}`)];
}

/** The documents that can be read, and whether all could. An alias bomb counts as unreadable. */
function documentsOf(content: Buffer): { values: unknown[]; readable: boolean } {
  const { documents, problem } = parseYaml(content);
  try {
    const good = documents.filter(({ errors }) => errors.length === 0);
    return { values: good.map((document) => document.toJS()), readable: problem === undefined };
  } catch {
    return { values: [], readable: false };
  }
}

/** An own property of an object out of someone else's YAML. */
function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}
