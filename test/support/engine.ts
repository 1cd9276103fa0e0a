// The real Pulumi engine on a small program in a folder of its own: file backend, passphrase, the plugin by path.
// `pulumi` and its Node language host are found on PATH. The program is data: a list of resources of policychain.
import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(__dirname, "..", "..");
const pluginFolder = join(root, "dist", "policychain");

/** One resource of the program. Text values such as `${image.digest}` are outputs of a resource above it. */
export interface ProgramResource {
  readonly type: "Manifest" | "Artifact" | "Copy" | "Tag" | "GateRun" | "DeliveryCheck" | "DeliveredPolicies";
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly replaceOnChanges?: readonly string[];
  readonly customTimeouts?: { readonly create?: string; readonly update?: string };
}

export interface CommandResult {
  /** Exit code; null when a signal ended the engine. */
  readonly code: number | null;
  /** stdout and stderr as they came, without colours. */
  readonly output: string;
}

export interface EngineProject {
  readonly dir: string;
  /** Replaces the program. */
  write(resources: readonly ProgramResource[]): void;
  /** `pulumi <args>` on the stack, never interactive. */
  run(...args: string[]): Promise<CommandResult>;
  /** `pulumi up` without its preview; throws unless it ends well. */
  up(...args: string[]): Promise<string>;
  /** The same without waiting for its end. */
  start(...args: string[]): { readonly child: ChildProcess; readonly result: Promise<CommandResult> };
  /** Outputs of the program: for each resource all that it has. */
  outputs(): Promise<Record<string, Record<string, unknown>>>;
  /** Process ids of the plugin that this project's engine started. */
  plugins(): number[];
  /** Stops what is left of this project and removes its folder. */
  dispose(): void;
}

/** A new project with an empty stack. `environment` is seen by the engine and the plugin. */
export async function engineProject(environment: Readonly<Record<string, string>> = {}): Promise<EngineProject> {
  if (!existsSync(join(pluginFolder, "pulumi-resource-policychain")))
    throw new Error("the plugin is not built: npm run prepare");
  const dir = mkdtempSync(join(tmpdir(), "policychain-engine-"));
  // Not the whole of node_modules: for every SDK in there the engine would look for a plugin, at every command.
  mkdirSync(join(dir, "node_modules", "@pulumi"), { recursive: true });
  symlinkSync(join(root, "node_modules", "@pulumi", "pulumi"), join(dir, "node_modules", "@pulumi", "pulumi"));
  const file = (name: string, text: string) => writeFileSync(join(dir, name), text);
  file("Pulumi.yaml", projectFile);
  file("package.json", "{}");
  file("index.js", program);
  file("resources.json", "[]");
  file("passphrase", "a passphrase of this test\n");

  const started = new Set<ChildProcess>();
  const start = (...args: string[]) => {
    const child = spawn("pulumi", [...args, "--non-interactive", "--color", "never"], {
      cwd: dir,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PULUMI_"))),
        PULUMI_HOME: join(dir, ".pulumi-home"),
        PULUMI_BACKEND_URL: `file://${dir}`,
        PULUMI_CONFIG_PASSPHRASE_FILE: join(dir, "passphrase"),
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_NODEJS_TRANSPILE_ONLY: "true",
        ...environment,
      },
    });
    started.add(child);
    const result = new Promise<CommandResult>((resolve, reject) => {
      let output = "";
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
      child.on("error", reject);
      child.on("close", (code) => {
        started.delete(child);
        resolve({ code, output });
      });
    });
    return { child, result };
  };
  const run = (...args: string[]) => start(...args).result;
  const created = await run("stack", "init", "test").catch((error: Error) => ({ code: null, output: error.message }));
  if (created.code !== 0) {
    rmSync(dir, { recursive: true, force: true });
    throw new Error(`pulumi stack init failed: ${created.output}`);
  }

  const plugins = () => pluginsIn(dir);
  return {
    dir,
    start,
    run,
    plugins,
    async up(...args) {
      const { code, output } = await run("up", "--yes", "--skip-preview", "--suppress-outputs", ...args);
      if (code !== 0) throw new Error(`pulumi up ended with ${code}:\n${output}`);
      return output;
    },
    write: (resources) => file("resources.json", JSON.stringify(resources)),
    outputs: async () => JSON.parse((await run("stack", "output", "--json")).output),
    dispose() {
      for (const child of started) child.kill("SIGKILL");
      for (const pid of plugins()) process.kill(pid, "SIGKILL");
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const projectFile = `name: program
runtime: nodejs
main: index.js
plugins:
  providers:
    - name: policychain
      path: ${JSON.stringify(pluginFolder)}
`;

const program = `
const { readFileSync } = require("node:fs");
require(${JSON.stringify(join(root, "components/lightSdk"))});
const pulumi = require("@pulumi/pulumi");
const classes = {
  ...require(${JSON.stringify(join(root, "provider/resources/manifest"))}),
  ...require(${JSON.stringify(join(root, "provider/resources/artifact"))}),
  ...require(${JSON.stringify(join(root, "provider/resources/copy"))}),
  ...require(${JSON.stringify(join(root, "provider/resources/tag"))}),
  ...require(${JSON.stringify(join(root, "provider/resources/gateRun"))}),
  ...require(${JSON.stringify(join(root, "provider/resources/deliveryCheck"))}),
  ...require(${JSON.stringify(join(root, "provider/resources/deliveredPolicies"))}),
};
const made = {};
const resolve = (value) => {
  if (typeof value === "string") {
    const match = /^\\$\\{(\\w+)\\.(\\w+)\\}$/.exec(value);
    return match ? made[match[1]][match[2]] : value;
  }
  if (Array.isArray(value)) return value.map(resolve);
  if (value && typeof value === "object") {
    if (value.secret !== undefined) return pulumi.secret(value.secret);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item)]));
  }
  return value;
};
let last;
for (const { type, name, args, ...options } of JSON.parse(readFileSync("resources.json", "utf8"))) {
  last = made[name] = new classes[type](name, resolve(args), { ...options, dependsOn: last ? [last] : [] });
  exports[name] = pulumi.output(
    Object.fromEntries(Object.entries(made[name]).filter(([key, value]) => !key.startsWith("__") && pulumi.Output.isInstance(value))),
  );
}
`;

/** The plugin runs in the project's folder, in a process group of its own: found there, not below the engine. */
function pluginsIn(dir: string): number[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      const ours = /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`) === dir;
      return ours && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("pulumi-resource-policychain")
        ? [Number(pid)]
        : [];
    } catch {
      return []; // ended while we looked
    }
  });
}
