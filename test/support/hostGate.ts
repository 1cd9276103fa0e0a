// The gate's view of an image without a container: the files of policy repositories in a temporary folder, and the
// programs of this machine. What a container adds (no network, bounds) is not here; test/provider has it.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { exec } from "../../lib/exec";
import type { ExecOutcome, GateContext, PolicyFile } from "../../lib/gate/exec";
import { parseApply } from "../../lib/kyverno/apply";

/** A context to be closed after use. */
export interface HostGate extends GateContext {
  /** Programs that were run, their first two words. */
  readonly ran: string[];
  close(): void;
}

/** `files`: path below /repos → content. `programs`: name → path on this machine; another one is not in the image. */
export async function hostGate(
  files: Readonly<Record<string, string | Buffer>>,
  programs: Readonly<Record<string, string>>,
): Promise<HostGate> {
  const root = mkdtempSync(join(tmpdir(), "host-gate-"));
  const ran: string[] = [];
  // Absolute paths of the image are below the folder, and the programs' answers are as if they were not.
  const outside = (text: string) => text.replace(/^(?=\/(?:repos|gate)\/)/, root);
  const inside = (text: string) => text.replaceAll(root, "");
  const put: GateContext["put"] = async (folder, contents) => {
    for (const [path, content] of contents) write(join(root, "gate", folder, path), content);
    return `/gate/${folder}`;
  };
  const run: GateContext["exec"] = async (argv, { input } = {}) => {
    ran.push(argv.slice(0, 2).join(" "));
    const key =
      argv[0] === "kyverno"
        ? digestOf(
            argv.map((word) => content(outside(word)) ?? word),
            input,
          )
        : undefined;
    const before = key === undefined ? undefined : answers.get(key);
    if (before) return before;
    const outcome = await really(argv, { input });
    if (key !== undefined && programs.kyverno !== undefined) answers.set(key, outcome);
    return outcome;
  };
  const really: GateContext["exec"] = async (argv, { input } = {}) => {
    const program = programs[argv[0]!];
    if (program === undefined) return { ...silent, code: 127, stderr: "not found", output: "not found" };
    const { code, stdout, stderr } = await exec(program, argv.slice(1).map(outside), {
      input: input?.toString(),
      env: { HOME: root },
      maxOutput: 64 * 1024 * 1024,
    });
    return {
      ...silent,
      code: code ?? undefined,
      stdout: inside(stdout),
      stderr: inside(stderr),
      output: inside(stdout + stderr),
    };
  };
  for (const [path, content] of Object.entries(files)) write(join(root, "repos", path), content);
  const image = new Map(Object.entries(files).map(([path, content]) => [`/repos/${path}`, Buffer.from(content)]));
  const policies = new Map<string, PolicyFile[]>();
  for (const [path, content] of image) {
    if (!/\.yaml$/.test(path) || !/^kind: ClusterPolicy$/m.test(content.toString()) || path.includes("/templates/"))
      continue;
    const { stdout } = await run(["kyverno", "apply", path, "--resource", "-", "--remove-color"], { input: "" });
    const repository = path.split("/")[2]!;
    policies.set(repository, [...(policies.get(repository) ?? []), { path, rules: parseApply(stdout).rules ?? 0 }]);
  }
  ran.length = 0;
  return {
    exec: run,
    put,
    policies: (repository) => policies.get(repository) ?? [],
    files: image,
    has: (path) => image.has(path),
    ran,
    close: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Equal policies on equal objects have equal results: kyverno is asked once for all tests of a file. */
const answers = new Map<string, ExecOutcome>();

function digestOf(words: readonly (string | Buffer)[], input: string | Buffer = ""): string {
  const hash = createHash("sha256");
  for (const word of [...words, input]) hash.update(word).update("\0");
  return hash.digest("hex");
}

function content(path: string): Buffer | undefined {
  return existsSync(path) && statSync(path).isFile() ? readFileSync(path) : undefined;
}

const silent = { stdout: "", stderr: "", output: "", truncated: false, timedOut: false, oomKilled: false };

function write(path: string, content: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
