// The command behind `npm run local`, `local:status`, `local:down` and `local:clean`; started by start.mjs, which has seen to
// Node, the packages and the lock.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { diskFull, isDiskFull } from "../lib/diskFull";
import { messageOf, PlatformError } from "../lib/errors";
import { bringUpCluster } from "./controlPlane/bringUp";
import { type ClusterChoice, chooseCluster, defaultClusterName, type LocalCluster } from "./controlPlane/cluster";
import { clusterLines, isWhole, watchCluster } from "./controlPlane/manage";
import { policyLines } from "./controlPlane/summary";
import { runningOwnEngine } from "./engine";
import { type Layout, layoutOf } from "./layout";
import { readMemory, remember } from "./memory";
import { movedTags } from "./movedTags";
import { environmentOptions, type Level, levels, prepare, withToolchain } from "./prepare";
import { interruptPulumi } from "./pulumi";
import { defaultPort, whoAnswers } from "./registry";
import { bringUp, lastOutputs, prepareStack, type StackOptions, stackOutputs } from "./stack";
import { addCluster, writeEnvironmentFile } from "./stackFile";
import { Steps } from "./steps";
import { cleanUp, stopServices } from "./stopAll";
import { type Outputs, releaseLines, renderSummary } from "./summary";

const interruptedCode = 130;

interface Flags {
  readonly registryPort?: string;
  readonly only?: Level;
  readonly cache: boolean;
  /** Whether a local cluster is started too. */
  readonly withCluster: boolean;
  readonly cluster: ClusterChoice;
}

async function main(argv: readonly string[]): Promise<number> {
  const { command, flags } = parse(argv);
  const layout = layoutOf(process.cwd());
  switch (command) {
    case "up":
      return up(layout, flags);
    case "env":
      return printEnvironment(layout, flags);
    case "status":
      return status(layout);
    case "down":
      return say(await stopServices(layout));
    case "clean":
      return say(await cleanUp(layout, flags));
    default:
      throw usage(`there is no command ${JSON.stringify(command)}`);
  }
}

async function up(layout: Layout, flags: Flags): Promise<number> {
  const begun = performance.now();
  const steps = interruptible(new Steps({ write: (text) => console.log(text) }));
  await withToolchain(layout, steps, async (toolchain) => {
    const { registryPort, only } = flags;
    const { pulumi, engine, environment } = await prepare({ layout, steps, toolchain, registryPort, level: only });
    const stack = only === undefined && environment ? { layout, pulumi, environment, screen: steps.screen } : undefined;
    if (!flags.withCluster) {
      if (stack) await release(stack, { steps, begun, withClusters: false });
      return;
    }
    const choice = chooseCluster(layout, flags.cluster);
    const isThere = isWhole(choice);
    const isNew = !existsSync(choice.folder);
    const stopWatching = watched(choice, steps);
    if (stack) await release(stack, { steps, begun, withClusters: isThere });
    const cluster = await bringUpCluster({ layout, steps, toolchain, choice: flags.cluster });
    if (engine) await writeEnvironmentFile(environmentOptions(layout, engine.host));
    if (stack) await deliver(stack, { steps, cluster, isDone: isThere, isNew });
    stopWatching();
  });
  return 0;
}

/** Says on the screen when one of a cluster's programs ends by itself, until the function that it returns is called. */
function watched(cluster: LocalCluster, { screen }: Steps): () => void {
  const until = new AbortController();
  void watchCluster(cluster, (lines) => screen.write(`  ! ${lines}`), until.signal);
  return () => until.abort();
}

interface Release {
  readonly steps: Steps;
  readonly begun: number;
  /** False while there may be no cluster: it comes after the image's summary. */
  readonly withClusters: boolean;
}

/** Brings the stack up and prints its summary. */
async function release(stack: StackOptions, { steps, begun, withClusters }: Release): Promise<void> {
  const { layout } = stack;
  const ready = steps.run("Stack", (step) => prepareStack(stack, step));
  void steps.run("pulumi up", (step) => bringUp(stack, { withClusters }, step), { after: [ready] });
  // Not the steps themselves: after an interruption that is what counts, not what it did to the engine.
  await steps.settle();
  const outputs = (await stackOutputs(stack)) as Outputs;
  const total = performance.now() - begun;
  if (!readMemory(layout.memoryFile).firstRun)
    remember(layout.memoryFile, { firstRun: { milliseconds: total, steps: steps.times } });
  const moved = await movedTags(outputs);
  console.log(renderSummary(outputs, { moved, times: steps.times, total, docker: isOnPath("docker") }));
}

interface Deliveries {
  readonly steps: Steps;
  readonly cluster: LocalCluster;
  /** The release has reached it already. */
  readonly isDone: boolean;
  /** It was made in this run. */
  readonly isNew: boolean;
}

/** Delivers what was released to the clusters of the stack, and prints what the local one makes of it. */
async function deliver(stack: StackOptions, { steps, cluster, isDone, isNew }: Deliveries): Promise<void> {
  const isAdded = cluster.name === defaultClusterName && (await addCluster(stack.layout, cluster.name));
  if (isAdded) steps.screen.write(`  … Pulumi.local.yaml: policy-platform:clusters.${cluster.name} added`);
  if (!isDone || isAdded) {
    void steps.run("pulumi up, clusters", (step) =>
      bringUp(stack, { withClusters: true, refresh: isNew && !isAdded }, step),
    );
    await steps.settle();
  }
  const { name, kubeconfig } = cluster;
  const lines = await policyLines({ folder: stack.layout.bin, kubeconfig, context: name });
  console.log(["", `Cluster ${name}`, ...lines, ""].join("\n"));
}

/** Makes ready whatever is missing, and prints the stack's variables as one JSON object: for test runners and other programs. */
async function printEnvironment(layout: Layout, flags: Flags): Promise<number> {
  const { registryPort, only = "layers", withCluster, cluster } = flags;
  const steps = interruptible(new Steps({ write: (text) => console.error(text) }));
  const environment = await withToolchain(layout, steps, async (toolchain) => {
    const prepared = await prepare({ layout, steps, toolchain, registryPort, level: only });
    if (!withCluster) return prepared.environment;
    const { kubeconfig } = await bringUpCluster({ layout, steps, toolchain, choice: cluster });
    return { ...prepared.environment, KUBECONFIG: kubeconfig };
  });
  return say([JSON.stringify(environment ?? {}, null, 2)]);
}

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => folder !== "" && existsSync(join(folder, program)));
}

function interruptible(steps: Steps): Steps {
  const interrupt = () => {
    steps.screen.write("  … interrupted: ending what runs");
    steps.interrupt(new Interrupted());
  };
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", () => {
    interrupt();
    interruptPulumi();
  });
  return steps;
}

async function status(layout: Layout): Promise<number> {
  const port = readMemory(layout.memoryFile).registryPort ?? defaultPort;
  const states = {
    ours: "runs",
    nobody: "is down",
    "another checkout": "is down; another checkout's has the port",
    "something else": "is down; something else has the port",
  };
  const engine = await runningOwnEngine(layout);
  return say([
    `registry 127.0.0.1:${port} ${states[await whoAnswers(port, layout.identity)]}`,
    engine ? `Docker engine ${engine.version} runs at ${engine.host}` : "no Docker engine of ours runs",
    ...(await clusterLines(layout)),
    "released by the last run",
    ...releaseLines(lastOutputs(layout)),
  ]);
}

/** A full disk can show anywhere. */
function explain(error: unknown): unknown {
  const { path, dest } = error as NodeJS.ErrnoException & { dest?: string };
  return isDiskFull(error) ? diskFull(dest ?? path ?? "what this run writes", error) : error;
}

class Interrupted extends Error {}

function parse(argv: readonly string[]): { command: string; flags: Flags } {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        "registry-port": { type: "string" },
        only: { type: "string" },
        cluster: { type: "boolean" },
        "no-cluster": { type: "boolean" },
        "cluster-name": { type: "string" },
        "cluster-port": { type: "string" },
        cache: { type: "boolean" },
        json: { type: "boolean" },
      },
    });
    if (positionals.length > 1) throw new Error(`unexpected ${positionals[1]}`);
    const only = values.only as Level | undefined;
    if (only !== undefined && !levels.includes(only)) throw new Error(`--only is one of ${levels.join(", ")}`);
    const command = positionals[0] ?? "up";
    if (values.cluster && values["no-cluster"]) throw new Error("--cluster and --no-cluster exclude each other");
    return {
      command,
      flags: {
        registryPort: values["registry-port"],
        only,
        cache: values.cache ?? false,
        // Programs that ask for an environment say it when they need a cluster: it takes memory and seconds.
        withCluster: values.cluster ?? (command === "up" && only === undefined && !values["no-cluster"]),
        cluster: { name: values["cluster-name"], port: values["cluster-port"] },
      },
    };
  } catch (error) {
    throw usage(messageOf(error));
  }
}

function usage(what: string): PlatformError {
  return new PlatformError("usage", {
    what,
    rule: "npm run local [-- --registry-port PORT] [--only toolchain|services|layers] [--no-cluster] [--cluster-name NAME] [--cluster-port PORT]; local:status, local:down, local:clean [-- --cache]",
    fix: "see README.md",
  });
}

function say(lines: readonly string[]): number {
  for (const line of lines) console.log(line);
  return 0;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    if (error instanceof Interrupted) process.exit(interruptedCode);
    const shown = explain(error);
    console.error(shown instanceof PlatformError ? `\n✗ ${shown.message}` : shown);
    process.exit(1);
  },
);
