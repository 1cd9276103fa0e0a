// A throw-away checkout of this program with a stack of its own, driven by the real engine: what a user has after a clone.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { type ExecResult, exec } from "../../lib/exec";
import { toolNames } from "../../local/layers/push";

const root = join(__dirname, "..", "..");

/** The program's own files, linked, so that a test runs the very code of the checkout. */
const linked = [
  "Pulumi.yaml",
  "index.ts",
  "tsconfig.json",
  "package.json",
  "node_modules",
  "components",
  "flows",
  "config",
  "dist",
  "lib",
  "provider",
];

/** Variables of the prepared local stack that every engine command needs. */
const inherited = [
  "PULUMI_HOME",
  "DOCKER_HOST",
  "PULUMI_SKIP_UPDATE_CHECK",
  "PULUMI_NODEJS_TRANSPILE_ONLY",
  "NODE_COMPILE_CACHE",
];

/** One stack of a project. */
export interface ProjectStack {
  /** Runs `pulumi <args> -s <stack> --non-interactive --color never`. */
  pulumi(...args: string[]): Promise<ExecResult>;
  /** `pulumi up --yes --skip-preview`, failing the test with the screen when it is red. */
  up(...args: string[]): Promise<ExecResult>;
  /** The stack's outputs, as its state has them. */
  outputs(): Promise<Record<string, any>>;
  /** Replaces the stack file's configuration through `change`. */
  configure(change: (config: Record<string, any>) => void): void;
  /** The same stack with other variables. */
  with(env: Readonly<Record<string, string>>): Pick<ProjectStack, "pulumi">;
}

/** A project, and its stack `local`. */
export interface Project extends ProjectStack {
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  /** Makes one more stack, in the same state backend. */
  addStack(name: string, configuration: Readonly<Record<string, unknown>>): Promise<ProjectStack>;
  write(path: string, text: string): void;
  /** Commits everything in the checkout, so that the commit tag moves. */
  commit(message: string): Promise<void>;
  remove(): void;
}

/**
 * Base and tools that `npm run local` made on this machine, and the sample policies; nothing else of its stack file. Two tools and
 * one repository, which build in seconds.
 */
export function preparedPins(): Record<string, any> {
  return pinsOf(["kyverno", "yq"], ["security-policy"]);
}

/** The same with every tool and repository of the local stack. */
export function wholePins(): Record<string, any> {
  return pinsOf(toolNames, ["security-policy", "devops-policy", "backend-applications"]);
}

function pinsOf(tools: readonly string[], repositories: readonly string[]): Record<string, any> {
  const file = process.env.POLICY_PLATFORM_STACK_FILE ?? join(root, "Pulumi.local.yaml");
  const { config } = parse(readFileSync(file, "utf8")) as { config: Record<string, any> };
  const pinned = config["policy-platform:tools"];
  const missing = tools.filter((name) => !pinned[name]?.image);
  if (missing.length > 0) throw new Error(`${file} has no ${missing.join(", ")}: it is older than these tools`);
  return {
    "policy-platform:base": config["policy-platform:base"],
    "policy-platform:tools": Object.fromEntries(tools.map((name) => [name, pinned[name]])),
    "policy-platform:policies": Object.fromEntries(repositories.map((name) => [name, { folder: `policies/${name}` }])),
  };
}

/**
 * A project in a temporary folder with the sample policies copied in. `configuration` is a registry (`host:port`) to
 * publish to with the prepared pins, or a whole configuration. `timeout`: milliseconds that one command of the engine may take.
 */
export async function createProject(
  configuration: string | Record<string, unknown>,
  { timeout = 300_000 }: { readonly timeout?: number } = {},
): Promise<Project> {
  const dir = mkdtempSync(join(tmpdir(), "policy-platform-project-"));
  for (const name of linked) symlinkSync(join(root, name), join(dir, name));
  cpSync(join(root, "policies"), join(dir, "policies"), { recursive: true });
  mkdirSync(join(dir, ".local", "state"), { recursive: true });
  writeFileSync(join(dir, ".local", "passphrase"), "correct horse battery staple", { mode: 0o600 });
  writeFileSync(
    join(dir, ".gitignore"),
    linked
      .concat(".local", ".policy-platform", "Pulumi.local.yaml")
      .map((name) => `/${name}\n`)
      .join(""),
  );
  const config =
    typeof configuration === "string"
      ? { ...preparedPins(), "policy-platform:registry": { kind: "existing", address: configuration } }
      : configuration;
  const env = {
    ...Object.fromEntries(inherited.flatMap((name) => (process.env[name] ? [[name, process.env[name]!]] : []))),
    PULUMI_BACKEND_URL: `file://${join(dir, ".local", "state")}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: join(dir, ".local", "passphrase"),
    GIT_AUTHOR_NAME: "Test",
    GIT_AUTHOR_EMAIL: "test@example.com",
    GIT_COMMITTER_NAME: "Test",
    GIT_COMMITTER_EMAIL: "test@example.com",
  };
  const run = (program: string, args: readonly string[], extra = {}) =>
    exec(program, args, { cwd: dir, env: { ...env, ...extra }, timeout });
  const addStack = async (name: string, config: unknown): Promise<ProjectStack> => {
    const stackFile = join(dir, `Pulumi.${name}.yaml`);
    writeFileSync(stackFile, stringify({ config }));
    await expectSuccess(run("pulumi", ["stack", "init", name, "--non-interactive"]));
    const options = ["-s", name, "--non-interactive", "--color", "never"];
    const pulumi = (...args: string[]) => run("pulumi", [...args, ...options]);
    return {
      pulumi,
      up: (...args) => expectSuccess(pulumi("up", "--yes", "--skip-preview", ...args)),
      outputs: async () => stackOutputs(dir, name),
      configure: (change) => {
        const file = parse(readFileSync(stackFile, "utf8")) as { config: Record<string, any> };
        change(file.config);
        writeFileSync(stackFile, stringify(file));
      },
      with: (extra) => ({ pulumi: (...args) => run("pulumi", [...args, ...options], extra) }),
    };
  };
  const commit = async (message: string) => {
    await run("git", ["add", "-A"]);
    await expectSuccess(run("git", ["commit", "-q", "-m", message]));
  };
  await expectSuccess(run("git", ["init", "-q"]));
  await commit("First");
  return {
    ...(await addStack("local", config)),
    dir,
    env,
    addStack,
    write: (path, text) => {
      mkdirSync(join(dir, path, ".."), { recursive: true });
      writeFileSync(join(dir, path), text);
    },
    commit,
    remove: () => {
      if (existsSync(dir)) rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Read from the state's file: the command that prints them takes a quarter of a second of processor time. */
export function stackOutputs(dir: string, stack = "local"): Record<string, any> {
  const file = join(dir, ".local", "state", ".pulumi", "stacks", "policy-platform", `${stack}.json`);
  const { checkpoint } = JSON.parse(readFileSync(file, "utf8"));
  const { resources = [] } = checkpoint.latest ?? {};
  return resources.find(({ type }: { type: string }) => type === "pulumi:pulumi:Stack")?.outputs ?? {};
}

/** Fails with the whole screen: a bare exit code helps nobody. */
export async function expectSuccess(running: Promise<ExecResult>): Promise<ExecResult> {
  const result = await running;
  if (result.code !== 0) throw new Error(`exit ${result.code}\n${result.stdout}\n${result.stderr}`);
  return result;
}
