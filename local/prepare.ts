// Makes everything ready that `pulumi up` needs: engine, plugins, registry, Docker, base and tools, stack file, environment.
import { existsSync } from "node:fs";
import { mkdir, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { isAlive } from "../lib/process";
import { type Engine, findEngine, requireRoot, runningOwnEngine, startEngine } from "./engine";
import { type EnvironmentOptions, processEnvironment } from "./environment";
import { pushBase, pushProbe, pushTool, toolNames } from "./layers/push";
import type { Layout } from "./layout";
import { readMemory, remember } from "./memory";
import { installedPlugin, installPlugin } from "./providers";
import { choosePort, ensureRegistry } from "./registry";
import { ownPins, portInStackFile, writeEnvironmentFile, writeStackFile } from "./stackFile";
import type { Step, Steps } from "./steps";
import { PrivateApt } from "./toolchain/debian";
import { programVersions } from "./toolchain/programs";
import { Toolchain } from "./toolchain/toolchain";

/** How far to go; each level includes those before it. */
export const levels = ["toolchain", "services", "layers"] as const;
export type Level = (typeof levels)[number];

export interface PrepareOptions {
  readonly layout: Layout;
  readonly steps: Steps;
  readonly toolchain: Toolchain;
  /** Value of --registry-port. */
  readonly registryPort?: string;
  /** Default `layers`. */
  readonly level?: Level;
}

export interface Prepared {
  /** The program. */
  readonly pulumi: string;
  /** Present from level `services` on. */
  readonly registry?: string;
  readonly engine?: Engine;
  /** Environment of a child that works on the stack; present from level `services` on. */
  readonly environment?: Record<string, string>;
}

/** Lends the toolchain of one run; what its builds leave behind is removed when the work has ended well. */
export async function withToolchain<T>(
  layout: Layout,
  steps: Steps,
  work: (toolchain: Toolchain) => Promise<T>,
): Promise<T> {
  const apt = new PrivateApt(layout, steps.signal);
  const toolchain = new Toolchain(layout, steps, apt);
  try {
    const result = await work(toolchain);
    await toolchain.close();
    return result;
  } finally {
    await apt.close();
  }
}

/** Runs the steps; what is there already is used as it is. */
export async function prepare(options: PrepareOptions): Promise<Prepared> {
  const { steps, level = "layers" } = options;
  const prepared = await begin(options, levels.indexOf(level)).catch((error) => steps.interrupt(error));
  await steps.settle();
  return prepared!;
}

async function begin(options: PrepareOptions, depth: number): Promise<Prepared> {
  const { layout, steps, toolchain } = options;
  const port = choosePort(
    options.registryPort,
    readMemory(layout.memoryFile).registryPort ?? (await portInStackFile(layout)),
  );
  const address = `127.0.0.1:${port}`;

  const engineFolder = toolchain.engine();
  const plugins = steps.run("Provider plugins", (step) => installPlugins(layout, step, toolchain), {
    after: [engineFolder],
  });
  const withLayers = depth >= levels.indexOf("layers");
  const owned = withLayers ? await ownPins(layout) : new Set<string>();
  // A tool that the image has from elsewhere is not built for the shell alone.
  const tools = toolNames.map((name) =>
    owned.has(`tools.${name}.image`) ? toolchain.tool(name) : toolchain.toolIfThere(name),
  );
  const linked = awaitedLater(
    Promise.all([Promise.all([engineFolder, ...tools]), toolchain.toolIfThere("kubernetes")]).then(
      ([folders, kubernetes]) =>
        linkPrograms(
          layout,
          folders.filter((folder) => folder !== undefined),
          kubernetes,
        ),
    ),
  );
  if (depth < levels.indexOf("services")) {
    await Promise.all([plugins, linked]);
    return { pulumi: join(layout.bin, "pulumi") };
  }

  const registry = steps.run("Registry", async (step) => {
    const outcome = await ensureRegistry({ layout, port, program: () => toolchain.registry(step) });
    step.outcome(`${address}, ${outcome === "running" ? "runs already" : "started"}`);
    return pushProbe(layout, address);
  });
  const docker = awaitedLater(registry.then((probe) => ensureEngine(layout, steps, toolchain, probe)));
  const layers = withLayers ? awaitedLater(pushLayers(options, { address, registry, owned })) : undefined;

  const engine = await docker;
  await Promise.all([plugins, linked]);
  const paths = environmentOptions(layout, engine.host);
  await writeEnvironmentFile(paths);
  await layers;
  if (layers) remember(layout.memoryFile, { prepared: programVersions() });
  return { pulumi: join(layout.bin, "pulumi"), registry: address, engine, environment: processEnvironment(paths) };
}

/** A failure of what nobody waits for yet must not end the process: it is thrown where the promise is awaited. */
function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** One for each SDK: the engine looks for them all at every command, and takes seconds to fail to find one. */
const plugins = ["docker", "gcp", "kubernetes"] as const;

async function installPlugins(layout: Layout, step: Step, toolchain: Toolchain): Promise<void> {
  const outcomes: string[] = [];
  for (const name of plugins) {
    const present = installedPlugin(layout, name);
    const isWanted = present === undefined && (await toolchain.reachesReleases());
    const pulumi = isWanted ? join(await toolchain.engine(), "pulumi") : undefined;
    const kind = await installPlugin(name, { layout, step, pulumi });
    const standIn =
      name === "gcp" && kind === "closed-network"
        ? " (stand-in: records in .local/google-cloud, nothing in Google Cloud)"
        : "";
    const why = present ? "" : kind === "official" ? ", just installed" : ", as the official one cannot be had here";
    outcomes.push(`${name} is the ${kind} one${standIn}${why}`);
  }
  step.outcome(outcomes.join("; "));
}

async function ensureEngine(
  layout: Layout,
  steps: Steps,
  toolchain: Toolchain,
  probe: { reference: string },
): Promise<Engine> {
  const found = await steps.run("Docker engine", async (step) => {
    if (isAlive(readMemory(layout.memoryFile).engine)) {
      const own = await runningOwnEngine(layout);
      if (own) {
        step.outcome(`${own.version}, started here, runs already`);
        return own;
      }
    }
    const finding = await findEngine(layout, probe);
    if ("engine" in finding) {
      step.outcome(`${finding.engine.version} at ${finding.engine.host}, used as it is`);
      return finding.engine;
    }
    requireRoot(finding.reason);
    step.outcome(`${finding.reason}: one is started here`);
    return undefined;
  });
  if (found) return found;
  const folders = await toolchain.docker();
  return steps.run("Own Docker engine", async (step) => {
    const engine = await startEngine(layout, folders);
    step.outcome(`${engine.version} at ${engine.host}, started`);
    return engine;
  });
}

interface LayerOptions {
  readonly address: string;
  readonly registry: Promise<unknown>;
  /** Paths of the pins to provide. */
  readonly owned: ReadonlySet<string>;
}

async function pushLayers(
  { layout, steps, toolchain }: PrepareOptions,
  { address, registry, owned }: LayerOptions,
): Promise<void> {
  const wanted: Record<string, string> = { "registry.address": address };
  const pushes: Promise<unknown>[] = [];
  if (owned.has("base.image")) {
    pushes.push(
      steps.run("Base image", async (step) => {
        wanted["base.image"] = await pushBase({ layout, apt: toolchain.apt, address, step, registry });
      }),
    );
  }
  for (const name of toolNames.filter((tool) => owned.has(`tools.${tool}.image`))) {
    const built = toolchain.tool(name);
    pushes.push(
      steps.run(
        `Tool layer ${name}`,
        async (step) => {
          const { reference, version } = await pushTool(name, { layout, address, step, folder: await built });
          wanted[`tools.${name}.image`] = reference;
          wanted[`tools.${name}.version`] = version;
        },
        { after: [built, registry] },
      ),
    );
  }
  await Promise.all([...pushes, registry]);
  await steps.run("Stack file", (step) => writeStackFile(layout, address, wanted, step));
}

/** What the environment of this checkout is made of; a cluster is part of it once one has been started here. */
export function environmentOptions(layout: Layout, engineHost: string): EnvironmentOptions {
  const kubeconfig = existsSync(layout.kubeconfig) ? layout.kubeconfig : undefined;
  return { layout, engineHost, path: [layout.bin], kubeconfig };
}

/** `.local/bin`: what a shell of this stack finds first. A link that is right stays: commands may be running through it. */
async function linkPrograms(layout: Layout, folders: readonly string[], kubernetes: string | undefined): Promise<void> {
  await mkdir(layout.bin, { recursive: true });
  const links = new Map<string, string>([["node", process.execPath]]);
  for (const folder of folders) for (const name of await readdir(folder)) links.set(name, join(folder, name));
  if (kubernetes) links.set("kubectl", join(kubernetes, "kubectl"));
  const command = join(layout.projectDir, "dist", "cli", "policy-platform.js");
  if (existsSync(command)) links.set("policy-platform", command);
  for (const name of await readdir(layout.bin)) if (!links.has(name)) await rm(join(layout.bin, name), { force: true });
  for (const [name, target] of links) await linkProgram(layout, name, target);
}

export async function linkProgram(layout: Layout, name: string, target: string): Promise<void> {
  const link = join(layout.bin, name);
  if ((await readlink(link).catch(() => undefined)) === target) return;
  await mkdir(layout.bin, { recursive: true });
  await rm(`${link}.tmp`, { force: true });
  await symlink(target, `${link}.tmp`);
  await rename(`${link}.tmp`, link);
}
