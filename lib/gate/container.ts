// The gate's container: the image's own command (a shell) kept waiting on its standard input, and programs run beside it.
import type { Duplex } from "node:stream";
import { extract } from "tar-stream";
import type { DockerEngine } from "../docker/engine";
import { demultiplex } from "../docker/exec";
import { EngineAnswerError } from "../docker/transport";
import type { ExecOutcome } from "./exec";
import { isGone, thisProcess } from "./owner";
import type { SmokeLimits } from "./smoke";

/**
 * Carried by every container of the gate; the value is the number of seconds after which nobody can still be using it.
 * The shell ends with our connection and the engine then removes the container, so this is for the few that never started.
 */
const label = "dev.policychain.gate";
/** The process that made it, see {@link thisProcess}. */
const ownerLabel = "dev.policychain.gate-owner";
/** Seconds on top of what the programs may take: start, listing, removal. */
const slackSeconds = 120;
/** Milliseconds in which a command that cannot stay up ends. */
const settleTime = 150;
/** Bytes of memory for /tmp, part of the container's memory. */
const tmpBytes = 64 * 1024 * 1024;
/** The most that a listing reads: policies are text. */
const maxListingBytes = 2 * 1024 * 1024 * 1024;

/** Removes what an earlier run that was killed left behind; containers that may still be in use stay. */
export async function removeLeftovers(engine: DockerEngine, signal?: AbortSignal): Promise<void> {
  for (const { id, labels, ageSeconds } of await engine.list(label, signal)) {
    if (isGone(labels[ownerLabel] ?? "") || ageSeconds > Number(labels[label])) await engine.remove(id);
  }
}

export class GateContainer {
  #id: string | undefined;
  #connection: Duplex | undefined;
  #output = "";

  constructor(
    private readonly engine: DockerEngine,
    private readonly image: string,
    private readonly limits: SmokeLimits & { readonly programs: number },
    private readonly signal?: AbortSignal,
  ) {}

  /** Starts the image as it is. Returns why it does not run, undefined when it does. */
  async start(): Promise<string | undefined> {
    const { engine, limits, signal } = this;
    const lifetime = (limits.programs + 1) * limits.timeoutSeconds + slackSeconds;
    const id = await engine.createContainer(
      {
        image: this.image,
        labels: { [label]: String(lifetime), [ownerLabel]: thisProcess() },
        memoryBytes: limits.memoryBytes,
        tmpfs: { "/tmp": Math.min(tmpBytes, Math.floor(limits.memoryBytes / 2)) },
        openStdin: true,
        autoRemove: true,
      },
      signal,
    );
    this.#id = id;
    // Attached before the start: from here on the container ends with this process, whatever ends this process.
    this.#connection = await engine.attach(id, signal);
    this.#collect(this.#connection);
    try {
      await engine.start(id, signal);
    } catch (error) {
      if (error instanceof EngineAnswerError) return error.reason;
      throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, settleTime));
    const state = await engine.state(id, signal);
    return state?.running ? undefined : `it ends at once${this.#output === "" ? "" : `: ${this.#output}`}`;
  }

  /** Runs a program; a container that the last one used up is replaced first. */
  async exec(argv: readonly string[]): Promise<ExecOutcome> {
    if (this.#id === undefined) {
      const failure = await this.start();
      if (failure !== undefined) throw new Error(`${this.image} started before and now does not: ${failure}`);
    }
    const id = this.#id!;
    const result = await this.engine.exec(id, argv, {
      timeoutMs: this.limits.timeoutSeconds * 1000,
      maxOutput: this.limits.outputBytes,
      signal: this.signal,
    });
    const state = result.code === 0 ? undefined : await this.engine.state(id, this.signal);
    const oomKilled = result.code !== undefined && result.code !== 0 && (state?.oomKilled ?? result.code === 137);
    // What still runs can only be ended with its container, and a memory verdict must not be the next program's.
    if (result.code === undefined || oomKilled || (result.code !== 0 && !state?.running)) await this.remove();
    return { ...result, oomKilled };
  }

  /** Absolute paths of everything below a folder that is not a folder; none when it does not exist. By the engine, not by a program of the image. */
  async files(folder: string): Promise<string[]> {
    if (this.#id === undefined) await this.start();
    const archive = await this.engine.getArchive(this.#id!, folder, this.signal);
    if (!archive) return [];
    // The names in the archive begin with the folder's own name.
    const parent = folder.slice(0, folder.lastIndexOf("/") + 1);
    const found: string[] = [];
    let bytes = 0;
    const entries = extract();
    archive.on("error", (error) => entries.destroy(error));
    archive.pipe(entries);
    try {
      for await (const entry of entries) {
        bytes += entry.header.size ?? 0;
        if (bytes > maxListingBytes)
          throw new Error(`${folder} of ${this.image} holds more than ${maxListingBytes} bytes`);
        if (entry.header.type !== "directory") found.push(parent + entry.header.name);
        entry.resume();
      }
    } finally {
      archive.destroy();
    }
    return found.sort();
  }

  /** Ends and removes the container, also after an abort. */
  async remove(): Promise<void> {
    const id = this.#id;
    this.#id = undefined;
    this.#output = "";
    if (id !== undefined) await this.engine.remove(id);
    this.#connection?.destroy();
    this.#connection = undefined;
  }

  async #collect(connection: Duplex): Promise<void> {
    try {
      for await (const { bytes } of demultiplex(connection))
        this.#output = (this.#output + bytes.toString()).slice(0, 4096);
    } catch {
      // The connection ends with the container.
    }
  }
}
