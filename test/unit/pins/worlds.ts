// Random stacks, as what people would say is in them, and the same as files and pins. Few names and values, so that two of them
// are often equal, nearly equal, or renamed.
import fc from "fast-check";
import { type Digest, sha256 } from "../../../lib/oci/digest";
import type { Inputs } from "../../../lib/pins/model";
import { mapRecord } from "../../../lib/record";

export interface ModelPolicy {
  readonly kind: "ClusterPolicy" | "Policy" | "ValidatingPolicy";
  readonly namespace?: string;
  readonly name: string;
  /** Names of rules; a ValidatingPolicy has validations without names. */
  readonly rules: readonly string[];
  readonly message: string;
}

export interface ModelChart {
  readonly name: string;
  /** Paths below the chart's folder. */
  readonly templates: readonly string[];
  readonly replicas: number;
}

export interface ModelRepository {
  /** By path. */
  readonly policyFiles: Readonly<Record<string, readonly ModelPolicy[]>>;
  /** By folder. */
  readonly charts: Readonly<Record<string, ModelChart>>;
  /** What is no policy, by path. */
  readonly others: Readonly<Record<string, string>>;
}

export interface World {
  readonly base: string;
  readonly user: string;
  readonly template: number;
  readonly tools: Readonly<Record<string, { readonly version: string; readonly build: string }>>;
  readonly repositories: Readonly<Record<string, ModelRepository>>;
  readonly environments: readonly string[];
  readonly bundles: Readonly<Record<string, readonly string[]>>;
}

const policy: fc.Arbitrary<ModelPolicy> = fc.record(
  {
    kind: fc.constantFrom("ClusterPolicy" as const, "Policy" as const, "ValidatingPolicy" as const),
    namespace: fc.constantFrom("team", "group"),
    name: fc.constantFrom("a", "b"),
    rules: fc.subarray(["one", "two"]),
    message: fc.constantFrom("no", "never"),
  },
  { requiredKeys: ["kind", "name", "rules", "message"] },
);
const chart = fc.record({
  name: fc.constantFrom("app", "web"),
  templates: fc.subarray(["templates/a.yaml", "templates/deep/b.yaml", "templates/_c.tpl"]),
  replicas: fc.constantFrom(1, 2),
});

/** A repository of a few files. */
export const anyRepository: fc.Arbitrary<ModelRepository> = fc.record({
  policyFiles: fc.dictionary(
    fc.constantFrom("a.yaml", "policies/b.yaml", "policies/deep/c.yml", "more/d.yaml"),
    fc.array(policy, { maxLength: 2 }),
    { maxKeys: 3 },
  ),
  charts: fc.dictionary(fc.constantFrom("charts/x", "charts/x/charts/y", "z"), chart, { maxKeys: 2 }),
  others: fc.dictionary(fc.constantFrom("docs/a.md", "values.yaml"), fc.constantFrom("a: 1\n", "a: 2\n"), {
    maxKeys: 2,
  }),
});

const name = fc.constantFrom("x", "y", "constructor");
const tool = fc.record({ version: fc.constantFrom("1.9.0", "1.10.0", "1.10.0-rc1"), build: fc.constantFrom("1", "2") });

/** A stack. */
export const anyWorld: fc.Arbitrary<World> = fc.record({
  base: fc.constantFrom("debian", "alpine"),
  user: fc.constantFrom("65532:65532", "0:0"),
  template: fc.constantFrom(1, 2),
  tools: fc.dictionary(name, tool, { maxKeys: 3 }),
  repositories: fc.dictionary(name, anyRepository, { minKeys: 1, maxKeys: 3 }),
  environments: fc.array(fc.constantFrom("dev", "prod"), { maxLength: 3 }),
  bundles: fc.dictionary(name, fc.array(name, { minLength: 1, maxLength: 3 }), { maxKeys: 2 }),
});

/** Two stacks: the second is another one, or the first with a single part of another one. */
export const anyPair: fc.Arbitrary<readonly [World, World]> = fc
  .tuple(
    anyWorld,
    anyWorld,
    fc.constantFrom<keyof World | "all">(
      "all",
      "base",
      "user",
      "template",
      "tools",
      "repositories",
      "environments",
      "bundles",
    ),
  )
  .map(([old, other, part]) => [old, part === "all" ? other : { ...old, [part]: other[part] }]);

/** Its files as they would lie in a folder. */
export function filesOf({ policyFiles, charts, others }: ModelRepository): Map<string, Buffer> {
  const files = new Map<string, string>([["README.md", "# policies\n"], ...Object.entries(others)]);
  for (const [path, policies] of Object.entries(policyFiles)) files.set(path, policies.map(yamlOf).join("---\n"));
  for (const [folder, { name: title, templates, replicas }] of Object.entries(charts)) {
    files.set(`${folder}/Chart.yaml`, `name: ${title}\nversion: 1.0.0\n`);
    files.set(`${folder}/values.yaml`, `replicas: ${replicas}\n`);
    for (const template of templates)
      files.set(`${folder}/${template}`, "{{ if .Values.x }}\nkind: {{ .Values.x }}\n{{ end }}\n");
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, text]) => [path, Buffer.from(text)]));
}

function yamlOf({ kind, namespace, name: title, rules, message }: ModelPolicy): string {
  const isCel = kind === "ValidatingPolicy";
  const metadata = `metadata:\n  name: ${title}\n${namespace === undefined ? "" : `  namespace: ${namespace}\n`}`;
  const list = isCel
    ? rules.map((rule) => `    - {expression: "true", message: ${rule}}\n`)
    : rules.map((rule) => `    - {name: ${rule}, validate: {message: ${message}}}\n`);
  const spec =
    list.length === 0
      ? `spec: {message: ${message}}\n`
      : `spec:\n  ${isCel ? "validations" : "rules"}:\n${list.join("")}`;
  return `apiVersion: ${isCel ? "policies.kyverno.io/v1" : "kyverno.io/v1"}\nkind: ${kind}\n${metadata}${spec}`;
}

/** Its pins; `digest` names the content of a repository. */
export function inputsOf(
  world: World,
  digest: (repository: ModelRepository, name: string) => Digest = contentDigest,
): Inputs {
  return {
    format: world.template,
    base: sha256(world.base),
    image: { user: world.user },
    artifacts: { environments: world.environments },
    bundles: mapRecord(world.bundles, (repositories) => ({ repositories })),
    repositories: mapRecord(world.repositories, (repository, name) => ({ digest: digest(repository, name) })),
    tools: mapRecord(world.tools, ({ version, build }) => ({ version, digest: sha256(build) })),
  };
}

/** Equal for equal files. */
export function contentDigest(repository: ModelRepository): Digest {
  return sha256(JSON.stringify([...filesOf(repository)].map(([path, bytes]) => [path, bytes.toString()])));
}
