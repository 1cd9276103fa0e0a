// The gate's judgement of a policy folder's tests without an image: by the kyverno and the helm on PATH, in a copy of the folder.
// What a container adds (no network, bounds of memory) is not here.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PlatformError } from "../errors";
import { exec } from "../exec";
import { leftOutFiles } from "../policies/tests";
import { chartsOfImage } from "./charts";
import type { Check } from "./check";
import type { GateContext } from "./exec";
import { checkTests } from "./tests";

/** Of a folder's tests; a failure is thrown. */
export type TestVerdict = Pick<Check, "status" | "detail">;

/** Bounds of one program. */
const limits = { timeoutSeconds: 600 };
const maxOutput = 64 * 1024 * 1024;
/** A team's laptop keeps nothing of what kyverno said before. */
const noMemory = { rules: () => undefined, learn: () => undefined };

/**
 * Runs the tests of a folder whose files in `shipped` (by path) come into the image. Errors: `kyverno-missing`, `helm-missing`,
 * `policy-tests-failed`, for a run that proves nothing too.
 */
export async function testFolder(folder: string, shipped: Readonly<Record<string, unknown>>): Promise<TestVerdict> {
  const root = mkdtempSync(join(tmpdir(), "policy-tests-"));
  try {
    return await testCopy(root, folder, shipped);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function testCopy(
  root: string,
  folder: string,
  shipped: Readonly<Record<string, unknown>>,
): Promise<TestVerdict> {
  const leftOut = leftOutFiles(folder, shipped).files;
  const own = new Map(Object.keys(shipped).map((path) => [path, readFileSync(join(folder, path))]));
  const files = new Map([...leftOut, ...own]);
  const context = contextIn(root, own);
  const charts = chartsOfImage(context);
  const failures: string[] = [];
  if ([...files.keys()].some((path) => path.split("/").at(-1) === "kyverno-test.yaml")) {
    write(join(root, image), files);
    for (const [path, text] of await charts.forTests(name)) files.set(`tests/${path}`, Buffer.from(text));
    write(join(root, image), files);
    failures.push(...(await charts.failures(name)));
  }
  const source = { files: leftOut, required: false };
  const check = await checkTests(context, name, source, { copy: join(root, image), files, limits, memory: noMemory });
  if (check.status !== "failed") return { status: check.status, detail: check.detail };
  throw new PlatformError("policy-tests-failed", {
    what: [...failures, check.detail].join("; "),
    rule: "every row of every kyverno-test.yaml is among kyverno's results and is met, as the gate demands it",
    fix: "kyverno test FOLDER shows kyverno's own tables; nothing was pushed",
  });
}

/** The one repository, under any name, where an image has it. */
const name = "folder";
const image = `repos/${name}`;

/** Programs see the copy below `root` where the image has `/repos`, and say nothing of `root`. */
function contextIn(root: string, shipped: ReadonlyMap<string, Buffer>): GateContext {
  const run: GateContext["exec"] = async ([program, ...argv], { input, timeoutSeconds } = {}) => {
    const words = argv.map((word) => (word.startsWith("/repos/") ? root + word : word));
    const timeout = (timeoutSeconds ?? limits.timeoutSeconds) * 1000;
    const outcome = await exec(program!, words, { input, timeout, maxOutput }).catch((error) => {
      throw (error as NodeJS.ErrnoException).code === "ENOENT" ? programMissing(program!) : error;
    });
    const { stdout, stderr, timedOut } = outcome;
    const ended = { truncated: Math.max(stdout.length, stderr.length) >= maxOutput, timedOut, oomKilled: false };
    const said = stderr.replaceAll(`${root}/repos/`, "/repos/");
    return { ...ended, code: outcome.code ?? undefined, stdout, stderr: said, output: stdout + said };
  };
  return {
    exec: run,
    put: async () => {
      throw new Error("nothing is put beside a folder's tests");
    },
    policies: () => [],
    files: new Map([...shipped].map(([path, content]) => [`/${image}/${path}`, content])),
    has: (path) => [...shipped.keys()].some((name) => path === `/${image}/${name}`),
  };
}

function programMissing(program: string): PlatformError {
  if (program === "helm") {
    return new PlatformError("helm-missing", {
      what: "the folder has policies in charts beside its tests, and there is no command helm to render them",
      rule: "a repository with tests is published when they pass, and those of policies in charts need them rendered",
      fix: "put the helm CLI on PATH, or push with --skip-tests",
    });
  }
  return new PlatformError("kyverno-missing", {
    what: `the folder has tests, and there is no command ${program} to run them`,
    rule: "a repository with tests is published when they pass",
    fix: "put the kyverno CLI on PATH, or push with --skip-tests",
  });
}

function write(root: string, files: ReadonlyMap<string, Buffer>): void {
  for (const [path, content] of files) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}
