// One BuildKit build through the engine's API, with the steps it takes and, when it fails, the step and its last words.
import type { Readable } from "node:stream";
import { PlatformError } from "../errors";
import type { RegistryAuth } from "./auth";
import { jsonLines } from "./jsonLines";
import { openSession } from "./session";
import { BuildTrace, type FailedStep } from "./trace";
import { EngineAnswerError, type EngineTransport } from "./transport";

export interface BuildOptions {
  /** The build context as a tar. `.dockerignore` in it is not applied by the engine. */
  readonly contextTar: Buffer | Readable;
  /** Path of the Dockerfile in the tar; default `Dockerfile`. */
  readonly dockerfile?: string;
  /** Names that the image gets in the engine's store. */
  readonly tags: readonly string[];
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** `linux/amd64`; default: the engine's own. */
  readonly platform?: string;
  readonly target?: string;
  readonly cacheFrom?: readonly string[];
  /** Network of RUN steps: `none`, `host`, `default`. */
  readonly network?: string;
  /** `host:ip` lines for RUN steps. */
  readonly extraHosts?: readonly string[];
  /** Credentials for the images that the build pulls; default: none. */
  readonly auth?: RegistryAuth;
  /** Called with the name of each step as it starts. */
  readonly onStep?: (text: string) => void;
  /** The error of a step whose own words say more than the engine does; undefined for any other. */
  readonly explain?: (image: string, failure: FailedStep) => PlatformError | undefined;
  readonly signal?: AbortSignal;
}

/** Milliseconds in which a build must say something: a large layer is reported while it is pulled. */
const buildIdle = 15 * 60_000;

/**
 * Builds and returns the image's id in the engine's store (the manifest digest on a containerd image store, the config
 * digest elsewhere; use neither as the registry's digest). Throws `build-failed`.
 */
export async function build(transport: EngineTransport, options: BuildOptions): Promise<{ readonly imageId: string }> {
  // Also without credentials: a registry that asks for some ends the build with "no active sessions" instead of its own answer.
  const session = await openSession(transport, options.auth ?? (async () => undefined), options.signal);
  const trace = new BuildTrace(options.onStep);
  const name = options.tags[0] ?? "an image";
  const failed = (reason: string) => buildFailed(name, reason, trace, options.explain);
  try {
    const answer = await transport.open({
      method: "POST",
      path: "/build",
      query: {
        version: "2",
        dockerfile: options.dockerfile ?? "Dockerfile",
        t: options.tags,
        buildargs: JSON.stringify(options.buildArgs ?? {}),
        platform: options.platform,
        target: options.target,
        cachefrom: options.cacheFrom?.length ? JSON.stringify(options.cacheFrom) : undefined,
        networkmode: options.network,
        extrahosts: options.extraHosts,
        session: session.id,
      },
      tar: options.contextTar,
      signal: options.signal,
      idle: buildIdle,
    });
    let imageId: string | undefined;
    for await (const line of jsonLines(answer)) {
      if (line.id === "moby.buildkit.trace") trace.add(line.aux);
      else if (line.id === "moby.image.id") imageId = (line.aux as { ID?: string } | undefined)?.ID;
      const error = line.errorDetail?.message ?? line.error;
      if (error !== undefined) throw failed(error);
    }
    if (imageId === undefined) throw failed("the engine ended without an image");
    return { imageId };
  } catch (error) {
    if (error instanceof EngineAnswerError) throw failed(error.reason);
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    session.close();
  }
}

function buildFailed(name: string, reason: string, trace: BuildTrace, explain: BuildOptions["explain"]): PlatformError {
  const failure = trace.failure();
  const explained = failure && explain?.(name, failure);
  if (explained) return explained;
  const log = failure?.log.map((line) => `\n  | ${line}`).join("") ?? "";
  return new PlatformError("build-failed", {
    what: `the build of ${name} failed${failure?.step ? ` at step \`${failure.step}\`` : ""}: ${failure?.error || reason}`,
    rule: "every step of a Dockerfile must succeed",
    fix: buildFix(failure?.error || reason) + (log === "" ? "" : `; the last lines of its log:${log}`),
  });
}

function buildFix(reason: string): string {
  if (/not found|manifest unknown/i.test(reason) && /sha256:/.test(reason)) {
    return "the image that it starts from is gone from its registry: push it again or pin one that is there";
  }
  return registryFix(reason) ?? "mend what the step says";
}

/** What to do about an engine's complaint about a registry; undefined when it is none of the known ones. */
export function registryFix(reason: string): string | undefined {
  if (/HTTP response to HTTPS client/i.test(reason)) {
    return "add the registry to `insecure-registries` of the engine's daemon.json, or give it TLS";
  }
  if (/certificate signed by unknown authority|certificate is not trusted|failed to verify certificate/i.test(reason)) {
    const host = /https:\/\/([^/"\s]+)/.exec(reason)?.[1] ?? "<registry>";
    return `give the engine the registry's authority as /etc/docker/certs.d/${host}/ca.crt on its own machine`;
  }
  if (/toomanyrequests|429 too many requests/i.test(reason)) {
    return "wait until the registry's limit is over, or run `docker login` to raise it";
  }
  if (/unauthorized|authentication|denied|forbidden|basic auth|credentials/i.test(reason)) {
    return "run `docker login` for that registry, or set its credential helper in the docker config";
  }
  if (/connection refused|no such host|i\/o timeout|connection reset|deadline exceeded|EOF|dial tcp/i.test(reason)) {
    return "start the registry, or correct its address; the engine must reach it from where it runs";
  }
  if (/no space left/i.test(reason)) return "free disk space on the engine's or the registry's machine";
  return undefined;
}
