// What the gate found on one image, kept in the project: whole outputs for people, and the result, so that nothing is run
// again while everything that can change a verdict is equal (decision 83).
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeByRename } from "../cache";
import type { Digest } from "../oci/digest";
import { shortDigest } from "../oci/digest";
import type { Check } from "./check";
import type { GateResult } from "./run";

/** Where one project keeps what was found on one image. */
export function keptFolder(projectDir: string, digest: string): string {
  return join(projectDir, ".policy-platform", "gate", shortDigest(digest));
}

/** Characters of one output. */
const maxOutput = 4 * 1024 * 1024;
/** Images whose results are kept: the latest. */
const maxImages = 20;
const format = 1;

/** The kept result of exactly these inputs when it passed: a failure is looked at again. */
export async function recallResult(folder: string, key: Digest): Promise<GateResult | undefined> {
  try {
    const kept = JSON.parse(await readFile(join(folder, "result.json"), "utf8")) as {
      format: number;
      key: string;
      passed: boolean;
      checks: unknown;
    };
    if (kept.format !== format || kept.key !== key || kept.passed !== true || !isChecks(kept.checks)) return undefined;
    return kept.checks.some(({ status }) => status === "failed") ? undefined : { passed: true, checks: kept.checks };
  } catch {
    return undefined;
  }
}

/** Keeps a result: a file for each check with an output, then the result itself. What cannot be written is no error. */
export async function keepResult(folder: string, key: Digest, { passed, checks }: GateResult): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    for (const { name, status, detail, output } of checks) {
      const text = `${name}: ${status}\n${detail}\n${output === undefined ? "" : `\n${readable(output)}\n`}`;
      await writeFile(join(folder, outputFile(name)), text);
    }
    const short = checks.map(({ name, status, detail }) => ({ name, status, detail }));
    const result = `${JSON.stringify({ format, key, passed, checks: short }, undefined, 2)}\n`;
    await writeByRename(join(folder, "result.json"), (temporary) => writeFile(temporary, result));
    await dropOld(join(folder, ".."));
  } catch {
    // Without it the next run looks again.
  }
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

async function dropOld(parent: string): Promise<void> {
  const names = await readdir(parent);
  if (names.length <= maxImages) return;
  const aged = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(parent, name))).mtimeMs })));
  for (const { name } of aged.sort((a, b) => b.at - a.at).slice(maxImages))
    await rm(join(parent, name), { recursive: true, force: true });
}
