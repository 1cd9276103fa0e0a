// The one client of the Docker engine: everything in this repository that builds, pushes or runs an image goes through here.
import type { Duplex, Readable } from "node:stream";
import { compareVersions } from "../compareVersions";
import { PlatformError } from "../errors";
import type { Digest } from "../oci/digest";
import { addressFromEnvironment, type EngineAddress } from "./address";
import { type BuildOptions, build } from "./build";
import * as containers from "./containers";
import { type ContainerExecOptions, type ContainerExecResult, execInContainer } from "./exec";
import * as images from "./images";
import { EngineTransport } from "./transport";

export interface EngineVersion {
  /** `29.0.0`. */
  readonly version: string;
  /** Newest API that it speaks, `1.52`. */
  readonly apiVersion: string;
  readonly os: string;
  readonly arch: string;
}

/** What each method throws, beside its own errors: `engine-down`, `engine-stalled`, and the signal's reason when aborted. */
export class DockerEngine {
  readonly #transport: EngineTransport;

  constructor(readonly address: EngineAddress) {
    this.#transport = new EngineTransport(address);
  }

  /** The engine that DOCKER_HOST names, else the one at the usual socket. Throws `engine-address`; connects to nothing yet. */
  static fromEnvironment(env: NodeJS.ProcessEnv = process.env): DockerEngine {
    return new DockerEngine(addressFromEnvironment(env));
  }

  /** Asks the engine what it is; also the way to find out whether it answers. */
  async version(signal?: AbortSignal): Promise<EngineVersion> {
    const wire = await this.#transport.unversioned<{ Version: string; ApiVersion: string; Os: string; Arch: string }>({
      path: "/version",
      signal,
      idle: 10_000,
    });
    return { version: wire.Version, apiVersion: wire.ApiVersion, os: wire.Os, arch: wire.Arch };
  }

  /** Throws `engine-too-old` below a major version. 23 is the first with `COPY --link` and SOURCE_DATE_EPOCH. */
  async requireEngine(major = 23, signal?: AbortSignal): Promise<EngineVersion> {
    const found = await this.version(signal);
    if (compareVersions(found.version, String(major)) >= 0) return found;
    throw new PlatformError("engine-too-old", {
      what: `the Docker engine at ${this.address.text} is version ${found.version}`,
      rule: `images are reproducible only from engine ${major} on`,
      fix: "update the engine, or run `npm run local`, which starts its own beside it",
    });
  }

  /** See {@link build}. */
  build(options: BuildOptions): Promise<{ readonly imageId: string }> {
    return build(this.#transport, options);
  }

  /** Drops every record of BuildKit's cache. Returns the bytes that came free. */
  async pruneBuildCache(signal?: AbortSignal): Promise<number> {
    const path = "/build/prune";
    const answer = await this.#transport.document<{ SpaceReclaimed?: number }>({
      method: "POST",
      path,
      query: { all: true },
      signal,
    });
    return answer.SpaceReclaimed ?? 0;
  }

  /** Pushes `host/path:tag`; the digest is the one that the engine reports. Throws `push-failed`. */
  push(reference: string, options: images.TransferOptions = {}): Promise<Digest> {
    return images.push(this.#transport, reference, options);
  }

  /** Pulls `host/path@digest` or `host/path:tag`. Throws `pull-failed`. */
  pull(reference: string, options: images.TransferOptions = {}): Promise<void> {
    return images.pull(this.#transport, reference, options);
  }

  /** Undefined when the image is not in the store. */
  inspectImage(reference: string, signal?: AbortSignal): Promise<images.ImageDetails | undefined> {
    return images.inspectImage(this.#transport, reference, signal);
  }

  /** False when the image was not in the store. */
  removeImage(reference: string, signal?: AbortSignal): Promise<boolean> {
    return images.removeImage(this.#transport, reference, signal);
  }

  /** See {@link containers.createContainer}. */
  createContainer(spec: containers.ContainerSpec, signal?: AbortSignal): Promise<string> {
    return containers.createContainer(this.#transport, spec, signal);
  }

  start(id: string, signal?: AbortSignal): Promise<void> {
    return containers.startContainer(this.#transport, id, signal);
  }

  /** See {@link containers.attachContainer}. */
  attach(id: string, signal?: AbortSignal): Promise<Duplex> {
    return containers.attachContainer(this.#transport, id, signal);
  }

  /** Undefined when the container is gone. */
  state(id: string, signal?: AbortSignal): Promise<containers.ContainerState | undefined> {
    return containers.containerState(this.#transport, id, signal);
  }

  /** Runs a program in a running container. */
  exec(id: string, argv: readonly string[], options?: ContainerExecOptions): Promise<ContainerExecResult> {
    return execInContainer(this.#transport, id, argv, options);
  }

  /** A path of the container as a tar; undefined when it does not exist. */
  getArchive(id: string, path: string, signal?: AbortSignal): Promise<Readable | undefined> {
    return containers.getArchive(this.#transport, id, path, signal);
  }

  /** Unpacks a tar into a folder of a container. */
  putArchive(id: string, path: string, tar: Buffer | Readable, signal?: AbortSignal): Promise<void> {
    return containers.putArchive(this.#transport, id, path, tar, signal);
  }

  /** Gives a running container another bound of memory. */
  updateMemory(id: string, memoryBytes: number, signal?: AbortSignal): Promise<void> {
    return containers.updateMemory(this.#transport, id, memoryBytes, signal);
  }

  /** Ends and removes a container with its volumes. */
  remove(id: string): Promise<void> {
    return containers.removeContainer(this.#transport, id);
  }

  /** All containers with a label, `name` or `name=value`. */
  list(label: string, signal?: AbortSignal): Promise<containers.ContainerSummary[]> {
    return containers.listContainers(this.#transport, label, signal);
  }
}
