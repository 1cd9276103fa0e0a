// Runs the smoke check on one image digest: in one container of that very image, without a network, bounded, gone afterwards.

import type { RegistryAuth } from "../docker/auth";
import type { DockerEngine } from "../docker/engine";
import { dockerCredentials } from "../oci/credentials";
import { parsePinned } from "../oci/reference";
import { type Check, skipped } from "./check";
import { GateContainer, removeLeftovers } from "./container";
import {
  evaluateRepository,
  evaluateStart,
  evaluateStrays,
  evaluateTool,
  type SmokeLimits,
  type ToolSmoke,
} from "./smoke";

export interface SmokeSpec {
  /** `repository@sha256:…`; pulled from there, whatever the engine has. */
  readonly image: string;
  /** By name. */
  readonly tools: Readonly<Record<string, ToolSmoke>>;
  /** Name → the absolute paths of its files, `/repos/<name>/…`. */
  readonly repositories: Readonly<Record<string, readonly string[]>>;
  readonly limits: SmokeLimits;
  /** Credentials for the pull; default: the docker config's. */
  readonly auth?: RegistryAuth;
  readonly signal?: AbortSignal;
  readonly progress?: (text: string) => void;
}

export interface SmokeResult {
  readonly passed: boolean;
  /** Shell first, then tools and repositories by name. */
  readonly checks: readonly Check[];
}

/**
 * Checks an image and tells what was found; only what keeps it from looking is thrown (engine, registry, abort).
 * One container serves all programs; a program that hangs or floods costs it, and the next one gets a new one.
 */
export async function runSmoke(engine: DockerEngine, spec: SmokeSpec): Promise<SmokeResult> {
  const { signal, limits, progress = () => undefined } = spec;
  const tools = Object.entries(spec.tools).sort(byName);
  const repositories = Object.entries(spec.repositories).sort(byName);
  parsePinned(spec.image);
  await engine.requireEngine(undefined, signal);
  await removeLeftovers(engine, signal);
  // What is only pulled for this check goes afterwards. By a digest every tag of it in its repository would go too, so
  // an image that the engine has already is left alone.
  const known = await engine.inspectImage(spec.image, signal);
  progress("pulling the image");
  await engine.pull(spec.image, {
    auth: spec.auth ?? ((host) => dockerCredentials().find(host)),
    onProgress: progress,
    signal,
  });
  const image = await engine.inspectImage(spec.image, signal);
  if (!image) throw new Error(`${spec.image} was pulled and is not in the engine's store`);

  const container = new GateContainer(engine, spec.image, { ...limits, programs: tools.length }, signal);
  const checks: Check[] = [];
  try {
    progress("starting the image");
    const start = evaluateStart({ ...image, failure: await container.start() });
    checks.push(start);
    const skip = (name: string) => checks.push(skipped(name, "not looked at: the image does not start as it must"));
    for (const [name, tool] of tools) {
      if (start.status === "failed") {
        skip(`smoke: ${name}`);
        continue;
      }
      progress(`running ${tool.command.join(" ")}`);
      checks.push(evaluateTool(name, tool, await container.exec(tool.command), limits));
    }
    if (start.status === "failed") for (const [name] of repositories) skip(`smoke: /repos/${name}`);
    else {
      progress("listing /repos");
      const found = await container.files("/repos");
      for (const [name, expected] of repositories) {
        checks.push(
          evaluateRepository(
            name,
            expected,
            found.filter((path) => path.startsWith(`/repos/${name}/`)),
          ),
        );
      }
      const strays = evaluateStrays(Object.keys(spec.repositories), found);
      if (strays) checks.push(strays);
    }
  } finally {
    await container.remove();
    if (!known) await engine.removeImage(spec.image);
  }
  signal?.throwIfAborted();
  return { passed: checks.every(({ status }) => status === "passed"), checks };
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}
