// What the gate found on one image. In the project lie whole outputs and the result, for people to read; what a later run
// believes lies in the user's cache, where no commit can put it (decision 83).
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { projectCache, writeByRename } from "../cache";
import type { Digest } from "../oci/digest";
import { isDigest, shortDigest } from "../oci/digest";
import type { Check } from "./check";
import type { GateInputs } from "./inputs";
import { type GatedArtifact, parityCheck } from "./parity";

/** Where readers find what was found on one image. Nothing reads it but people. */
export function keptFolder(projectDir: string, digest: string): string {
  return join(projectDir, ".policy-platform", "gate", shortDigest(digest));
}

/** Where one project remembers the result of exactly these inputs. */
export function rememberedFile(projectDir: string, key: Digest): string {
  return projectCache(projectDir, "gate", `${key.slice("sha256:".length)}.json`);
}

/** Characters of one output. */
const maxOutput = 4 * 1024 * 1024;
/** What is remembered of a run. */
export interface KeptResult {
  readonly passed: boolean;
  readonly checks: readonly Check[];
  /** By environment. */
  readonly artifacts: Readonly<Record<string, GatedArtifact>>;
}

/** Images whose outputs are kept, and results that are remembered: the latest. */
const maxKept = 20;
const format = 3;

/** Names of the checks that every whole run of these inputs makes. */
export function expectedNames({
  tools,
  repositories,
  integration,
  environments,
}: Pick<GateInputs, "tools" | "repositories" | "integration" | "environments">): string[] {
  const inRepositories = (kind: string) => Object.keys(repositories).map((name) => `${kind}${name}`);
  return [
    "smoke: shell",
    ...Object.keys(tools).map((name) => `smoke: ${name}`),
    ...["smoke: /repos/", "policies: ", "tests: "].flatMap(inRepositories),
    ...Object.keys(integration).map((name) => `integration: ${name}`),
    "size",
    ...environments.map(parityCheck),
  ];
}

/**
 * The remembered result of exactly these inputs when it passed: a failure is looked at again. It must be whole: each check of
 * `names` once, and beside them only those of policies in charts, which nobody knows before the image is opened.
 */
export async function recallResult(
  file: string,
  key: Digest,
  names: readonly string[],
): Promise<KeptResult | undefined> {
  try {
    const kept = JSON.parse(await readFile(file, "utf8")) as {
      format: number;
      key: string;
      passed: boolean;
      checks: unknown;
      artifacts: unknown;
    };
    if (kept.format !== format || kept.key !== key || kept.passed !== true || !isChecks(kept.checks)) return undefined;
    const { checks, artifacts } = kept;
    return isWhole(checks, names) && isArtifacts(artifacts, checks) ? { passed: true, checks, artifacts } : undefined;
  } catch {
    return undefined;
  }
}

/** Remembers a result, also one that did not pass: it takes the place of an earlier one. What cannot be written is no error. */
export async function rememberResult(
  file: string,
  key: Digest,
  { passed, checks, artifacts }: KeptResult,
): Promise<void> {
  try {
    const content = JSON.stringify({ format, key, passed, checks: checks.map(short), artifacts });
    await writeByRename(file, (temporary) => writeFile(temporary, content));
    await dropOld(dirname(file));
  } catch {
    // Without it the next run looks again; one that says otherwise must not stay.
    await rm(file, { force: true }).catch(() => undefined);
  }
}

/** Writes what people read: a file for each check, then the result. What cannot be written is no error. */
export async function keepResult(
  folder: string,
  { passed, checks }: Pick<KeptResult, "passed" | "checks">,
): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    for (const { name, status, detail, output } of checks) {
      const text = `${name}: ${status}\n${detail}\n${output === undefined ? "" : `\n${readable(output)}\n`}`;
      await writeFile(join(folder, outputFile(name)), text);
    }
    const result = `${JSON.stringify({ passed, checks: checks.map(short) }, undefined, 2)}\n`;
    await writeByRename(join(folder, "result.json"), (temporary) => writeFile(temporary, result));
    await dropOld(join(folder, ".."));
  } catch {
    // It tells people, and decides nothing.
  }
}

function short({ name, status, detail }: Check): Check {
  return { name, status, detail };
}

/** `policies: security-policy` → `policies-security-policy.txt`. */
export function outputFile(check: string): string {
  return `${check.replace(/: /g, "-").replace(/[^A-Za-z0-9._-]/g, "_")}.txt`;
}

/** Lines and tabs stay; nothing that a terminal acts on does. */
function readable(output: string): string {
  const plain = output.replace(/\x1b\[[0-9;]*[A-Za-z]/g, "").replace(/[^\P{C}\n\t]/gu, "");
  return plain.length > maxOutput ? `${plain.slice(0, maxOutput)}\n… cut` : plain;
}

function isChecks(value: unknown): value is Check[] {
  return (
    Array.isArray(value) &&
    value.every((one: Partial<Check> | null) =>
      [one?.name, one?.status, one?.detail].every((part) => typeof part === "string"),
    )
  );
}

/** One for each environment whose check is there. */
function isArtifacts(value: unknown, checks: readonly Check[]): value is KeptResult["artifacts"] {
  if (typeof value !== "object" || value === null) return false;
  const entries = Object.entries(value as Readonly<Record<string, Partial<GatedArtifact> | null>>);
  const made = checks.map(({ name }) => name).filter((name) => name.startsWith(parityCheck("")));
  return (
    entries.length === made.length &&
    entries.every(
      ([environment, one]) =>
        made.includes(parityCheck(environment)) &&
        [one?.digest, one?.revision, one?.render ?? one?.digest].every((digest) => isDigest(digest ?? "")),
    )
  );
}

function isWhole(checks: readonly Check[], names: readonly string[]): boolean {
  const made = checks.map(({ name }) => name);
  const others = made.filter((name) => !names.includes(name));
  return (
    new Set(made).size === made.length &&
    names.every((name) => made.includes(name)) &&
    others.every((name) => /^policies: \S+ (?:for \S+|in charts)$/.test(name)) &&
    checks.every(({ status }) => status === "passed" || status === "skipped")
  );
}

async function dropOld(parent: string): Promise<void> {
  const names = await readdir(parent);
  if (names.length <= maxKept) return;
  const aged = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(parent, name))).mtimeMs })));
  for (const { name } of aged.sort((a, b) => b.at - a.at).slice(maxKept))
    await rm(join(parent, name), { recursive: true, force: true });
}
