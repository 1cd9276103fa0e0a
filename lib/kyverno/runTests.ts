// Runs the tests of a policy folder with the kyverno on PATH, as its team would, and judges what it prints.
import { type Dirent, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { PlatformError } from "../errors";
import { type ExecResult, exec } from "../exec";
import { takenOut } from "../policies/tests";
import { printable } from "../printable";
import { parseTest } from "./test";

/** Of a folder's tests; a failure is thrown. */
export interface TestVerdict {
  readonly status: "passed" | "skipped";
  readonly detail: string;
}

/** The name that `kyverno test` looks for. */
const testFile = "kyverno-test.yaml";
const milliseconds = 10 * 60_000;

/** `1.13.2`; undefined where there is no kyverno, or one that does not say. */
export async function kyvernoVersion(): Promise<string | undefined> {
  const said = await exec("kyverno", ["version"]).catch(() => undefined);
  return said && /^Version: v?(\d+\.\d+\.\d+\S*)/m.exec(said.stdout)?.[1];
}

/** Errors: `kyverno-missing`, `policy-tests-failed`, for a run that proves nothing too. */
export async function runTests(folder: string): Promise<TestVerdict> {
  const files = testFilesIn(folder, "", takenOut(folder));
  if (files.length === 0) return { status: "skipped", detail: `no ${testFile} in the folder` };
  const { code, stdout, stderr, timedOut } = await run(folder, outermost(files.map((file) => dirname(file))));
  const { rows, errors, summary } = parseTest(stdout);
  if (timedOut) throw failed(`kyverno test took more than ${milliseconds / 60_000} minutes`);
  if (errors.length > 0) throw failed(...errors.map(({ file, message }) => `${file}: ${message}`));
  const bad = rows.filter(({ reason }) => reason !== "Ok" && reason !== "Excluded");
  if (bad.length > 0) {
    throw failed(...bad.map(({ policy, rule, resource, reason }) => `${policy}/${rule} on ${resource}: ${reason}`));
  }
  const passed = rows.filter(({ reason }) => reason === "Ok").length;
  if (summary === undefined || code !== 0) {
    const last = printable(stderr.trim().split("\n").at(-1) || stdout.trim().split("\n").at(-1) || "nothing");
    throw failed(
      `kyverno test ended with ${code} ${summary ? "" : "and without a summary "}after ${passed} results; it said: ${last}`,
    );
  }
  if (passed === 0) throw failed(`${files.length} test files, and not one result`);
  return { status: "passed", detail: `${passed} results of ${files.length} test files` };
}

async function run(folder: string, tests: readonly string[]): Promise<ExecResult> {
  try {
    const paths = tests.map((path) => join(folder, path));
    return await exec("kyverno", ["test", ...paths, "--remove-color"], { timeout: milliseconds });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new PlatformError("kyverno-missing", {
      what: "the folder has tests, and there is no command kyverno to run them",
      rule: "a repository with tests is published when they pass",
      fix: "put the kyverno CLI on PATH, or push with --skip-tests",
    });
  }
}

function testFilesIn(root: string, folder: string, isTakenOut: (folder: string) => boolean): string[] {
  const items: Dirent[] = readdirSync(join(root, folder), { withFileTypes: true });
  return items.flatMap((item) => {
    const path = join(folder, item.name);
    if (!item.isDirectory()) return item.name === testFile ? [path] : [];
    const isOther = item.name === ".git" || item.name === "node_modules" || isTakenOut(path);
    return isOther ? [] : testFilesIn(root, path, isTakenOut);
  });
}

/** Kyverno looks into folders below itself: a test in one that is named already would be run twice. */
function outermost(folders: readonly string[]): string[] {
  const all = new Set(folders);
  const above = (folder: string): boolean => folder !== "." && (all.has(dirname(folder)) || above(dirname(folder)));
  return [...all].filter((folder) => !above(folder)).sort();
}

function failed(...reasons: readonly string[]): PlatformError {
  const shown = reasons.slice(0, 20).map((reason) => printable(reason));
  const more = reasons.length > shown.length ? [`and ${reasons.length - shown.length} more`] : [];
  return new PlatformError("policy-tests-failed", {
    what: [...shown, ...more].join("\n"),
    rule: "every result of kyverno test is what its test file expects, and there is at least one",
    fix: "kyverno test FOLDER shows all of it; nothing was pushed",
  });
}
