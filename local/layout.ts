// Where the local stack keeps its things: everything of one checkout is under .local/, everything shared is in the cache folder.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../lib/cache";

export interface Layout {
  /** The checkout: the folder of Pulumi.yaml. */
  readonly projectDir: string;
  /** `.local`. */
  readonly root: string;
  /** Links to the programs that a shell of this stack finds first on its PATH. */
  readonly bin: string;
  readonly logs: string;
  /** The registry's configuration and data. */
  readonly registry: string;
  /** The data of the Docker engine that was started here. */
  readonly engineData: string;
  /** Sockets and run-time state of that engine: short, as a unix socket's path ends at 107 bytes. */
  readonly engineRun: string;
  readonly pulumiHome: string;
  /** The file backend. */
  readonly state: string;
  readonly passphraseFile: string;
  readonly environmentFile: string;
  /** The local clusters, a folder each. */
  readonly clusters: string;
  /** A context for each local cluster. */
  readonly kubeconfig: string;
  /** Node's compiled form of what it has loaded before. */
  readonly compileCache: string;
  /** What this command remembers from run to run. */
  readonly memoryFile: string;
  readonly stackFile: string;
  readonly stackTemplate: string;
  /** The built closed-network plugins. */
  readonly plugins: string;
  readonly modules: string;
  /** What makes a program of npm packages, a folder each. */
  readonly npmRecipes: string;
  /** Twelve characters that tell this checkout from any other on the machine. */
  readonly identity: string;
  readonly cache: {
    readonly programs: string;
    readonly goBuild: string;
    readonly debian: string;
    readonly bases: string;
  };
}

export const stackName = "local";

/** The layout of the checkout at `projectDir` (absolute). */
export function layoutOf(projectDir: string): Layout {
  const root = join(projectDir, ".local");
  const identity = createHash("sha256").update(projectDir).digest("hex").slice(0, 12);
  return {
    projectDir,
    root,
    bin: join(root, "bin"),
    logs: join(root, "log"),
    registry: join(root, "registry"),
    engineData: join(root, "docker"),
    engineRun: runFolder(identity),
    pulumiHome: join(root, "pulumi"),
    state: join(root, "state"),
    passphraseFile: join(root, "passphrase"),
    environmentFile: join(root, "env"),
    clusters: join(root, "clusters"),
    kubeconfig: join(root, "kubeconfig"),
    compileCache: join(root, "node"),
    memoryFile: join(root, "memory.json"),
    stackFile: join(projectDir, `Pulumi.${stackName}.yaml`),
    stackTemplate: join(projectDir, "local", `Pulumi.${stackName}.template.yaml`),
    plugins: join(projectDir, "dist", "plugins"),
    modules: join(projectDir, "local", "toolchain", "modules"),
    npmRecipes: join(projectDir, "local", "toolchain", "npm"),
    identity,
    cache: {
      programs: cacheFolder("programs"),
      goBuild: cacheFolder("go-build"),
      debian: cacheFolder("debian"),
      bases: cacheFolder("bases"),
    },
  };
}

/** The socket of the engine that this checkout starts. */
export function ownEngineHost(layout: Layout): string {
  return `unix://${join(layout.engineRun, "docker.sock")}`;
}

/** A folder that a restart of the machine empties, like everything that is true only while processes live. */
function runFolder(identity: string): string {
  return join(existsSync("/run") ? "/run" : "/tmp", `policy-platform-${identity}`);
}
