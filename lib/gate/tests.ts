// The policies' own tests by the image's own kyverno. Its exit code and its result column are not believed (decision 8).
import { parseTest, type TestResult, type TestRow } from "../kyverno/test";
import { type Digest, sha256 } from "../oci/digest";
import { parseYaml } from "../policies/yaml";
import { printable } from "../printable";
import { type Check, counted, failed, passed, skipped } from "./check";
import { type ExecOutcome, endedBy, type GateContext } from "./exec";
import type { PolicyMemory } from "./policyMemory";
import { settled } from "./settled";

/** Where a repository's tests come from, and whether there must be some. */
export interface TestSource {
  /** Path in the repository → content of what does not ship; undefined for one that is given as an image. */
  readonly files?: ReadonlyMap<string, Buffer>;
  readonly required: boolean;
}

/** The name by which Kyverno finds tests. */
const testFile = "kyverno-test.yaml";
/** Runs of one share that may break off before the rest is given up. */
const maxBreaks = 20;

const published = "given as an image: its tests are run by its publisher";

/** Tests that nothing in the image can run, for the reason `why`. */
export function untested(repository: string, { files, required }: TestSource, why: string): Check {
  const name = `tests: ${repository}`;
  if (!files) return skipped(name, published);
  return required ? failed(name, `${why}; gate.policyTests is required`) : skipped(name, why);
}

/**
 * Runs every test file of `/repos/<repository>` as it stands in `copy`: the image's bytes with the source's tests beside.
 * `files`: what is in the copy, by path in the repository.
 */
export async function checkTests(
  context: Pick<GateContext, "exec">,
  repository: string,
  source: TestSource,
  {
    copy,
    files,
    limits,
    memory,
  }: {
    readonly copy: string;
    readonly files: ReadonlyMap<string, Buffer>;
    readonly limits: { readonly timeoutSeconds: number };
    readonly memory: Pick<PolicyMemory, "rules" | "learn">;
  },
): Promise<Check> {
  const name = `tests: ${repository}`;
  if (!source.files) return skipped(name, published);
  const tests = [...files].filter(([path]) => path.split("/").at(-1) === testFile);
  if (tests.length === 0) {
    const none = `no ${testFile} in its source`;
    return source.required ? failed(name, `${none}; gate.policyTests is required`) : skipped(name, none);
  }
  // The same bytes under the same kyverno: of an image in which only another repository changed.
  const about = contentDigest(files);
  const before = memory.rules("tests", about);
  if (before !== undefined)
    return passed(name, found(tests.length, before), "known from an earlier run of these very files");
  const expected = tests.flatMap(([path, content]) => expectations(path, content));
  const folders = outermost(tests.map(([path]) => path.split("/").slice(0, -1).join("/")));
  const runs = await settled(
    shares(folders).map((share) =>
      runShare(
        context,
        share.map((folder) => `${copy}/${folder}`),
        limits,
      ),
    ),
  );
  const results = runs.flatMap(({ results: parsed }) => parsed);
  const rows = results.flatMap((result) => result.rows.map((row) => ({ ...row, file: inside(copy, row.file) })));
  const problems = [
    ...runs.flatMap(({ problems: found }) => found.map((problem) => problem.replaceAll(`${copy}/`, ""))),
    ...results.flatMap(({ errors }) =>
      errors.map(({ file, message }) => `${inside(copy, file)}: ${printable(message)}`),
    ),
    ...rows
      .filter((row) => !isMet(row, expected))
      .map((row) => `${row.file}: ${described(row)}: ${printable(row.reason)}`),
    ...expected
      .filter((one) => !rows.some((row) => isAbout(row, one)))
      .map((one) => `${one.file}: ${described(one)}: not in kyverno's results`),
    ...tests.filter(([path]) => !rows.some(({ file }) => file === path)).map(([path]) => `${path}: has no result`),
  ];
  const output = runs.map(({ output: text }) => text).join("\n");
  const said = [...new Set(problems)];
  if (said.length > 0) return failed(name, summary(said), `${said.join("\n")}\n\n${output}`);
  const met = rows.filter(({ reason }) => reason === "Ok").length;
  if (met === 0) return failed(name, `${counted(tests.length, "test file")} and no result that is met`, output);
  memory.learn("tests", about, met);
  return passed(name, found(tests.length, met), output);
}

function found(tests: number, met: number): string {
  return `${counted(tests, "test file")}, ${counted(met, "result")}`;
}

function contentDigest(files: ReadonlyMap<string, Buffer>): Digest {
  const digests = [...files].map(([path, content]) => `${path}\0${sha256(content)}`).sort();
  return sha256(`tests\0${digests.join("\0")}`);
}

/** A row that a test file asks for. */
interface Expectation extends Pick<TestRow, "file" | "policy" | "rule" | "resource"> {
  readonly result: string;
}

/** None where the file cannot be read: Kyverno says so itself. */
function expectations(file: string, content: Buffer): Expectation[] {
  const { documents, problem } = parseYaml(content);
  if (problem || documents.length === 0) return [];
  const test = jsOf(documents[0]!);
  return recordsIn(test.results).flatMap((row) => {
    const namespace = textOf(row.namespace);
    const names = Array.isArray(row.resources) ? row.resources : [row.resource];
    return names
      .filter((one) => typeof one === "string")
      .map((resource) => ({
        file,
        policy: textOf(row.policy),
        rule: textOf(row.rule),
        resource: shownResource(textOf(row.kind), namespace, resource),
        result: textOf(row.result) || textOf(row.status),
      }));
  });
}

/** As Kyverno 1.13 prints it: a name `namespace/name` says the namespace itself, whatever the row says beside it. */
function shownResource(kind: string, namespace: string, resource: string): string {
  const [first = "", second] = resource.split("/");
  if (second !== undefined) return shownResource(kind, first, second);
  return namespace === "" ? `${kind}/${resource}` : `${namespace}/${kind}/${resource}`;
}

function isAbout(row: Omit<TestRow, "result" | "reason">, one: Expectation): boolean {
  return row.file === one.file && row.policy === one.policy && row.rule === one.rule && row.resource === one.resource;
}

/** A rule that does not apply is what a row that expects `skip` asks for; otherwise "Excluded" is no pass. */
function isMet(row: TestRow, expected: readonly Expectation[]): boolean {
  if (row.reason === "Ok") return true;
  const about = expected.filter((one) => isAbout(row, one));
  return row.reason === "Excluded" && about.length > 0 && about.every(({ result }) => result === "skip");
}

interface ShareRun {
  readonly results: readonly TestResult[];
  readonly problems: readonly string[];
  readonly output: string;
}

/** A test that cannot be run ends Kyverno: it is named, and the others are run without it. */
async function runShare(
  context: Pick<GateContext, "exec">,
  folders: readonly string[],
  limits: { readonly timeoutSeconds: number },
): Promise<ShareRun> {
  const results: TestResult[] = [];
  const problems: string[] = [];
  const outputs: string[] = [];
  let left = folders;
  while (left.length > 0) {
    const outcome = await context.exec(["kyverno", "test", ...left, "--remove-color"]);
    const result = parseTest(outcome.stdout);
    results.push(result);
    outputs.push(outcome.output);
    if (result.summary) break;
    const last = result.files.at(-1);
    problems.push(`${last ?? "kyverno test"}: ${whyBroken(outcome, limits)}`);
    const at = left.findIndex((folder) => last?.startsWith(`${folder}/`));
    if (at < 0 || outcome.timedOut || problems.length >= maxBreaks) break;
    left = left.slice(at + 1);
  }
  return { results, problems, output: outputs.join("\n") };
}

function whyBroken(outcome: ExecOutcome, limits: { readonly timeoutSeconds: number }): string {
  const ended = endedBy(outcome, limits);
  if (ended !== undefined) return `kyverno test ${ended}`;
  const error = /^Error: (.*)$/m.exec(outcome.output)?.[1] ?? outcome.output.slice(-2000);
  return `kyverno test did not print its summary (code ${outcome.code}): ${printable(error, 300)}`;
}

/** Folders that are not below another one, whose run would run them too. */
function outermost(folders: readonly string[]): string[] {
  const all = new Set(folders);
  const isBelow = (folder: string) =>
    folder !== "" &&
    folder.split("/").some((_, index, steps) => index < steps.length && all.has(steps.slice(0, index).join("/")));
  return [...all].filter((folder) => !isBelow(folder)).sort();
}

/** Two lists, for two programs side by side. */
function shares(folders: readonly string[]): string[][] {
  const middle = Math.ceil(folders.length / 2);
  return [folders.slice(0, middle), folders.slice(middle)].filter((share) => share.length > 0);
}

function inside(copy: string, file: string): string {
  return file.startsWith(`${copy}/`) ? file.slice(copy.length + 1) : file;
}

function described({ policy, rule, resource }: Pick<TestRow, "policy" | "rule" | "resource">): string {
  return printable(`${policy}/${rule} on ${resource}`);
}

function summary(problems: readonly string[]): string {
  const more = problems.length > 5 ? `; and ${problems.length - 5} more` : "";
  return problems.slice(0, 5).join("; ") + more;
}

type Value = Readonly<Record<string, unknown>>;

function jsOf(document: { toJS(options: { maxAliasCount: number }): unknown }): Value {
  try {
    const value = document.toJS({ maxAliasCount: 1000 });
    return typeof value === "object" && value !== null ? (value as Value) : {};
  } catch {
    return {};
  }
}

function recordsIn(value: unknown): Value[] {
  return Array.isArray(value) ? value.filter((one): one is Value => typeof one === "object" && one !== null) : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
