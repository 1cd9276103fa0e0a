// A small program that declares one FluxDelivery, under the real engine with the plugins of the prepared local stack.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { CommandResult } from "./engine";
import { killProcesses, processesOf } from "./processes";

const root = join(__dirname, "..", "..");

export interface DeliveryProject {
  /** Replaces the arguments of the component. */
  write(args: object): void;
  run(...args: string[]): Promise<CommandResult>;
  start(...args: string[]): { readonly child: ChildProcess; readonly result: Promise<CommandResult> };
  /** `pulumi up` without its preview; throws unless it ends well. */
  up(...args: string[]): Promise<void>;
  /** After a kill: by hand, as the how-to says. */
  repair(): Promise<void>;
  outputs(): Promise<Record<string, any>>;
  dispose(): void;
}

const program = `
const { readFileSync } = require("node:fs");
require(${JSON.stringify(join(root, "components/lightSdk"))});
const { FluxDelivery } = require(${JSON.stringify(join(root, "components/fluxDelivery"))});
const { revision, ready, policies } = new FluxDelivery("cluster", JSON.parse(readFileSync("args.json", "utf8")));
module.exports = { revision, ready, policies };
`;

/** `environment`: variables of the engine and its plugins beside those of the local stack. */
export async function deliveryProject(name: string, environment: NodeJS.ProcessEnv = {}): Promise<DeliveryProject> {
  const dir = mkdtempSync(join(tmpdir(), `delivery-${name}-`));
  mkdirSync(join(dir, "node_modules/@pulumi"), { recursive: true });
  for (const sdk of ["pulumi", "kubernetes"])
    symlinkSync(join(root, "node_modules/@pulumi", sdk), join(dir, "node_modules/@pulumi", sdk));
  const plugin = JSON.stringify(join(root, "dist/policychain"));
  const providers = `plugins:\n  providers:\n    - {name: policychain, path: ${plugin}}\n`;
  writeFileSync(join(dir, "Pulumi.yaml"), `name: ${name}\nruntime: nodejs\nmain: index.js\n${providers}`);
  writeFileSync(join(dir, "package.json"), "{}");
  writeFileSync(join(dir, "index.js"), program);
  writeFileSync(join(dir, "passphrase"), "a passphrase of this test\n");
  const start = (...args: string[]) => {
    const child = spawn("pulumi", [...args, "--non-interactive", "--color=never"], {
      cwd: dir,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        ...environment,
        PATH: [process.env.PATH, join(root, ".local/bin")].join(delimiter),
        PULUMI_HOME: process.env.PULUMI_HOME ?? join(root, ".local/pulumi"),
        PULUMI_BACKEND_URL: `file://${dir}`,
        PULUMI_CONFIG_PASSPHRASE_FILE: join(dir, "passphrase"),
        PULUMI_CONFIG_PASSPHRASE: undefined,
        PULUMI_NODEJS_TRANSPILE_ONLY: "true",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      },
    });
    const result = new Promise<CommandResult>((resolve, reject) => {
      let output = "";
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
      child.on("error", reject);
      child.on("close", (code) => resolve({ code, output }));
    });
    return { child, result };
  };
  const run = (...args: string[]) => start(...args).result;
  const well = async (...args: string[]) => {
    const { code, output } = await run(...args);
    if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code}:\n${output}`);
    return output;
  };
  await well("stack", "init", "test");
  return {
    write: (args) => writeFileSync(join(dir, "args.json"), JSON.stringify(args)),
    run,
    start,
    async up(...args) {
      await well("up", "--yes", "--skip-preview", ...args);
    },
    async repair() {
      await well("cancel", "--yes");
      await well("refresh", "--clear-pending-creates", "--yes", "--skip-preview");
    },
    outputs: async () => JSON.parse((await run("stack", "output", "--json")).output),
    dispose() {
      killProcesses(processesOf(dir));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
