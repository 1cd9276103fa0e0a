// A corpus of policies that nobody here wrote: the tests of the Kyverno CLI itself, out of the Go module that the local toolchain
// builds it from, by its checksum in go.sum. Policies, their tests, their resources and values lie side by side in it.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { exec } from "../../lib/exec";
import { isClusterScoped, policyKinds } from "../../lib/kyverno/kinds";
import { factsOf } from "../../lib/policies/facts";
import { expectSuccess } from "./project";

const toolModule = join(__dirname, "..", "..", "local", "toolchain", "modules", "kyverno");

/** Folders of the module's `test/cli` that hold what is meant to pass. */
const collections = [
  "test",
  "test-exceptions",
  "test-generate",
  "test-mutate",
  "test-validating-admission-policy",
  "scenarios_to_cli",
];

/** Suites whose rows are not what they ask for, although Kyverno counts most of them as passed: a release would rightly stop at them. */
const leftOut = [
  // Signatures are looked up in a registry on the internet.
  ...["container_reorder", "images/digest", "images/secure-images", "images/signatures", "images/verify-signature"],
  // Rows about what the rule does not apply to at all.
  ...["exclude", "foreach", "mixed", "mixed-deprecated"],
  // Rows that expect `fail` of a mutation and get another difference.
  ...["secret", "wildcard_mutate"],
].map((name) => `test/${name}`);
const leftOutElsewhere = [
  "test-exceptions/exceptions-3", // fails in 1.13.2
  ...[1, 2, 3, 4].map((number) => `test-validating-admission-policy/with-bindings-${number}`), // bindings that do not apply
];

export interface Corpus {
  readonly folder: string;
  /** All files that were copied. */
  readonly files: number;
  /** Paths of the policy files, which are what ships. */
  readonly policies: readonly string[];
  readonly suites: number;
}

/**
 * Copies every suite whose policies have names that no suite before it has, as a repository holds a name once, and writes the
 * `.policyignore` that a team would add: the policies ship, what lies beside them does not.
 */
export async function copyCorpus(folder: string): Promise<Corpus> {
  const module = join(await moduleFolder(), "test", "cli");
  const found = collections.flatMap((collection) =>
    (readdirSync(join(module, collection), { recursive: true }) as string[])
      .filter((path) => path.endsWith("/kyverno-test.yaml"))
      .map((path) => dirname(join(collection, path))),
  );
  const names = new Set<string>();
  const policies: string[] = [];
  let suites = 0;
  for (const suite of found.filter((one) => ![...leftOut, ...leftOutElsewhere].includes(one)).sort()) {
    const { policies: own = [] } = parse(readFileSync(join(module, suite, "kyverno-test.yaml"), "utf8")) as {
      policies?: string[];
    };
    const held = own.flatMap((path) => policyNames(join(module, suite, path)));
    if (held.length === 0 || held.some((name) => names.has(name))) continue;
    for (const name of held) names.add(name);
    mkdirSync(join(folder, suite), { recursive: true });
    for (const { name } of readdirSync(join(module, suite), { withFileTypes: true }).filter((one) => one.isFile()))
      writeFileSync(join(folder, suite, name), readFileSync(join(module, suite, name))); // the module cache is read-only
    policies.push(...own.map((path) => join(suite, path)));
    suites++;
  }
  writeFileSync(join(folder, ".policyignore"), ["*", "!*/", ...policies.map((path) => `!/${path}`), ""].join("\n"));
  const files = (readdirSync(folder, { recursive: true }) as string[]).filter((path) =>
    statSync(join(folder, path)).isFile(),
  );
  return { folder, files: files.length, policies: policies.sort(), suites };
}

/** Policy files of the module's tests, `count` policies in all, none of which has the name of another: path → content. */
export async function corpusPolicies(count: number): Promise<Map<string, Buffer>> {
  const folder = join(await moduleFolder(), "test", "conformance", "chainsaw");
  const names = new Set<string>();
  const found = new Map<string, Buffer>();
  for (const path of (readdirSync(folder, { recursive: true }) as string[]).sort()) {
    if (!/\.yaml$/.test(path)) continue;
    const content = readFileSync(join(folder, path));
    const facts = factsOf(content);
    if ("problem" in facts || facts.policies.length === 0) continue;
    // Whole files of what a cluster takes as it is.
    const own = facts.policies.map(({ kind, namespace, name }) => `${kind}/${namespace}/${name}`);
    const isPlain = facts.policies.every(
      ({ apiVersion, kind, namespace, name }) =>
        name !== "" &&
        (namespace !== "" || isClusterScoped(apiVersion, kind)) &&
        policyKinds("1.13.2").refuse(apiVersion, kind) === undefined,
    );
    const isAlone = parseAllDocuments(content.toString()).length === own.length;
    if (!isPlain || !isAlone || own.some((name) => names.has(name)) || names.size + own.length > count) continue;
    for (const name of own) names.add(name);
    found.set(path, content);
  }
  if (names.size !== count) throw new Error(`the module has ${names.size} policies of such names`);
  return found;
}

/** The chart of Kyverno's own policies out of the same module: path → content. */
export async function kyvernoChart(): Promise<Map<string, Buffer>> {
  const folder = join(await moduleFolder(), "charts", "kyverno-policies");
  const paths = (readdirSync(folder, { recursive: true }) as string[]).filter((path) =>
    statSync(join(folder, path)).isFile(),
  );
  return new Map(paths.sort().map((path) => [path, readFileSync(join(folder, path))]));
}

/** In the module cache, where it is downloaded to when it is not there, checked by go.sum. */
async function moduleFolder(): Promise<string> {
  const { stdout } = await expectSuccess(
    exec("go", ["mod", "download", "-json", "github.com/kyverno/kyverno"], {
      cwd: toolModule,
      env: Object.fromEntries(Object.entries(process.env).filter((one): one is [string, string] => /^GO/.test(one[0]))),
      timeout: 300_000,
    }),
  );
  const { Dir } = JSON.parse(stdout) as { Dir: string };
  if (!existsSync(Dir)) throw new Error(`go mod download named ${Dir}, which is not there`);
  return Dir;
}

function policyNames(file: string): string[] {
  return parseAllDocuments(readFileSync(file, "utf8"))
    .map((document) => document.toJS() as { kind?: string; metadata?: { namespace?: string; name?: string } } | null)
    .flatMap((object) =>
      object ? [`${object.kind}/${object.metadata?.namespace ?? ""}/${object.metadata?.name}`] : [],
    );
}
