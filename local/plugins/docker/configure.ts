// The provider's configuration: which engine, and that it answers. Like the official plugin, a command without an engine
// fails here, before the first resource.
import { DockerEngine } from "../../../lib/docker/engine";
import { PlatformError } from "../../../lib/errors";
import type { Values } from "../../../provider/host";

/** What the official plugin can be told, and this one cannot: ssh and TLS. */
const notServed = ["caMaterial", "certMaterial", "keyMaterial", "certPath", "sshOpts", "registryAuth"];

let engine: DockerEngine | undefined;

/** Connects to `docker:host`, else to the engine of the environment. Errors: `engine-down`, `engine-too-old`, `engine-address`. */
export async function connect(configuration: Values, signal: AbortSignal): Promise<void> {
  const unknown = notServed.find((key) => configuration[key] !== undefined);
  if (unknown) {
    throw new PlatformError("docker-config", {
      what: `docker:${unknown} is set`,
      rule: "the closed-network plugin reaches its engine by a unix socket or plain tcp",
      fix: `run \`pulumi config rm docker:${unknown}\`, or install the official plugin`,
    });
  }
  const host = configuration.host;
  const found = DockerEngine.fromEnvironment(
    typeof host === "string" ? { ...process.env, DOCKER_HOST: host } : process.env,
  );
  await found.requireEngine(undefined, signal);
  engine = found;
}

/** The engine that was connected to. */
export function currentEngine(): DockerEngine {
  if (!engine) throw new Error("a resource was asked for before the provider was configured");
  return engine;
}
