// Where the Docker engine is: DOCKER_HOST, else the sockets at which an engine usually listens.
import { existsSync } from "node:fs";
import { PlatformError } from "../errors";
import { homeFolder } from "../home";

/** How to reach an engine; `text` is what people are shown. */
export type EngineAddress =
  | { readonly text: string; readonly socketPath: string }
  | { readonly text: string; readonly host: string; readonly port: number };

const systemSocket = "/var/run/docker.sock";

/**
 * Reads `unix:///path` or `tcp://host:port` (plain http; `http://` is the same).
 * Throws `engine-address` for anything else: ssh and TLS need a helper or certificates that only the docker command has.
 */
export function parseAddress(text: string): EngineAddress {
  if (text.startsWith("unix://")) {
    const socketPath = text.slice("unix://".length);
    if (socketPath.startsWith("/")) return { text, socketPath };
  }
  const tcp = /^(?:tcp|http):\/\/(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):(\d{1,5})\/?$/i.exec(text);
  if (tcp && Number(tcp[2]) > 0 && Number(tcp[2]) < 65_536) {
    return { text, host: tcp[1]!.replace(/^\[|\]$/g, ""), port: Number(tcp[2]) };
  }
  throw new PlatformError("engine-address", {
    what: `DOCKER_HOST is ${JSON.stringify(text)}`,
    rule: "an engine is reached at unix:///path or tcp://host:port without TLS",
    fix: `forward the engine to a local socket (ssh -L /tmp/docker.sock:${systemSocket} HOST) and set DOCKER_HOST=unix:///tmp/docker.sock`,
  });
}

/** The engine of this environment: DOCKER_HOST when set, else the system's socket, else a rootless or desktop one that exists. */
export function addressFromEnvironment(env: NodeJS.ProcessEnv = process.env): EngineAddress {
  if (env.DOCKER_HOST) return parseAddress(env.DOCKER_HOST);
  const home = homeFolder(env);
  const candidates = [
    systemSocket,
    ...(env.XDG_RUNTIME_DIR ? [`${env.XDG_RUNTIME_DIR}/docker.sock`] : []),
    `${home}/.docker/run/docker.sock`,
    `${home}/.docker/desktop/docker.sock`,
  ];
  return parseAddress(`unix://${candidates.find((path) => existsSync(path)) ?? systemSocket}`);
}
