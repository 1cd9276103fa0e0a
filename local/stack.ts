// The stack `local`: made when absent, repaired after a kill, brought up to what the files say, and summed up.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeByRename } from "../lib/cache";
import { PlatformError } from "../lib/errors";
import { repair } from "../lib/repair";
import { type Layout, stackName } from "./layout";
import { type PulumiOptions, type PulumiResult, runPulumi } from "./pulumi";
import { dropSalt, keepsSecrets } from "./stackFile";
import type { Step, StepScreen } from "./steps";

const projectName = "policy-platform";

export interface StackOptions {
  readonly layout: Layout;
  readonly pulumi: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly screen: StepScreen;
}

/** Makes passphrase and stack unless they are there, and removes what a killed run left. Error: `stack-init`. */
export async function prepareStack(options: StackOptions, step: Step): Promise<void> {
  const { layout, pulumi, environment } = options;
  await ensurePassphrase(layout);
  await mkdir(layout.state, { recursive: true });
  if (!existsSync(checkpoint(layout))) {
    await dropForeignSalt(layout);
    const result = await runPulumi(["stack", "init", stackName], pulumiOptions(options));
    if (result.code !== 0) throw stackFailed("stack-init", "pulumi stack init", result);
    step.outcome("made");
    return;
  }
  const done: string[] = [];
  const log = (text: string) => {
    done.push(text);
    step.progress(text);
  };
  await repair({
    projectDir: layout.projectDir,
    stack: stackName,
    pulumi,
    env: { ...environment },
    log,
    signal: step.signal,
  });
  step.outcome(done.length > 0 ? `repaired: ${done.join("; ")}` : "there already");
}

/** What a delivery declares in a cluster, by URN; its component and its provider ask no cluster anything. */
const inClusters = ["kubernetes:", "policychain:"].map((type) => `**policychain:index:FluxDelivery$${type}**`);

/** What an update of the stack is about. */
export interface BringUp {
  /** Whether clusters are delivered to, or left as they are. */
  readonly withClusters: boolean;
  /** Look first what is there: of a cluster that was made anew the state knows what that never had. Default false. */
  readonly refresh?: boolean;
}

/** Runs `pulumi up`; a candidate that is gone is built again, as the error says. Error: `up-failed`. */
export async function bringUp(
  options: StackOptions,
  { withClusters, refresh = false }: BringUp,
  step: Step,
): Promise<void> {
  const { screen } = options;
  const run = async (args: readonly string[]) => {
    const rows = lines((line) => isRow(line) && screen.write(`    ${line}`));
    const result = await runPulumi(args, { ...pulumiOptions(options), onOutput: rows.feed });
    rows.end();
    return result;
  };
  const left = withClusters ? [] : inClusters.flatMap((urn) => ["--exclude", urn]);
  const up = [
    "up",
    "--yes",
    "--skip-preview",
    "--suppress-outputs",
    "--stack",
    stackName,
    ...(refresh ? ["--refresh"] : []),
    ...left,
  ];
  const first = await run(up);
  const gone = first.code === 0 ? undefined : rebuildUrn(first.output);
  if (gone !== undefined) screen.write("  … the candidate image is gone from the registry: it is built again");
  const last = gone === undefined ? first : await run([...up, "--replace", gone]);
  if (last.code !== 0) throw stackFailed("up-failed", "pulumi up", last);
  step.outcome(/^\s+(\+|~|\+-|-\+|-)\s?\d+ /m.test(last.output) ? "changed" : "nothing to change");
}

/** What the program said about the stack. Error: `stack-output`. */
export async function stackOutputs(options: StackOptions): Promise<Record<string, unknown>> {
  const result = await runPulumi(["stack", "output", "--json", "--stack", stackName], pulumiOptions(options));
  if (result.code !== 0) throw stackFailed("stack-output", "pulumi stack output", result);
  return JSON.parse(result.stdout) as Record<string, unknown>;
}

/** The outputs in the state file, without asking the engine: empty when there is no stack. */
export function lastOutputs(layout: Layout): Record<string, unknown> {
  if (!existsSync(checkpoint(layout))) return {};
  const { checkpoint: saved } = JSON.parse(readFileSync(checkpoint(layout), "utf8")) as Saved;
  return saved.latest?.resources?.find(({ type }) => type === "pulumi:pulumi:Stack")?.outputs ?? {};
}

interface Saved {
  readonly checkpoint: {
    readonly latest?: {
      readonly resources?: readonly { readonly type: string; readonly outputs?: Record<string, unknown> }[];
    };
  };
}

/** Without a terminal the engine says `@ updating....` whenever nothing has happened. */
function isRow(line: string): boolean {
  return line.trim() !== "" && !line.startsWith("@ ");
}

/** The resource that an error asks to be replaced: `pulumi up --replace '<urn>'`. */
export function rebuildUrn(output: string): string | undefined {
  return /pulumi up --replace '(urn:pulumi:[^'\n]+)'/.exec(output)?.[1];
}

/** The file of the file backend that holds the stack. */
function checkpoint(layout: Layout): string {
  return join(layout.state, ".pulumi", "stacks", projectName, `${stackName}.json`);
}

function pulumiOptions({ layout, pulumi, environment }: StackOptions): PulumiOptions {
  return { pulumi, environment, cwd: layout.projectDir };
}

async function ensurePassphrase({ passphraseFile }: Layout): Promise<void> {
  if (existsSync(passphraseFile)) return;
  await writeByRename(passphraseFile, (file) =>
    writeFile(file, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600 }),
  );
}

/**
 * A new stack cannot take over the salt that an earlier one, whose passphrase went with it, left in the stack file.
 * Error: `secrets-lost` when something is encrypted with it.
 */
async function dropForeignSalt(layout: Layout): Promise<void> {
  if (await keepsSecrets(layout)) {
    throw new PlatformError("secrets-lost", {
      what: "Pulumi.local.yaml holds secrets of an earlier local stack, whose passphrase is gone",
      rule: "a secret is read with the passphrase of .local/ that it was written with",
      fix: "delete the `secure:` values and the line `encryptionsalt:`, run it again, then set them anew",
    });
  }
  await dropSalt(layout);
}

function stackFailed(code: string, command: string, { output, signal }: PulumiResult): PlatformError {
  const reasons = output
    .split("\n")
    .map((line) => /^\s*error: (.+)$/.exec(line)?.[1])
    .filter((line) => line !== undefined && !/^(update|preview) failed$/.test(line));
  return new PlatformError(code, {
    what: `${command} failed: ${reasons[0] ?? (signal ? `${signal} ended it` : output.trim().split("\n").at(-1))}`,
    rule: "no tag is written by a run that fails",
    fix: "mend what is said above and run `npm run local` again",
  });
}

/** Passes on whole lines; the last one may end without a line feed. */
export function lines(write: (line: string) => void): { feed(text: string): void; end(): void } {
  let rest = "";
  return {
    feed: (text) => {
      const parts = (rest + text).split("\n");
      rest = parts.pop()!;
      for (const part of parts) write(part);
    },
    end: () => {
      if (rest !== "") write(rest);
    },
  };
}
