// The gate's container: the image's own command (a shell) kept waiting on its standard input, and programs run beside it.
import type { Duplex } from "node:stream";
import type { DockerEngine } from "../docker/engine";
import { demultiplex } from "../docker/exec";
import { EngineAnswerError } from "../docker/transport";
import type { ExecOutcome, ProgramOptions } from "./exec";
import { type ImageFiles, readFiles, tarOf } from "./imageFiles";
import { isGone, thisProcess } from "./owner";
import { Turns } from "./turns";

/**
 * Carried by every container of the gate; the value is the number of seconds after which nobody can still be using it.
 * The shell ends with our connection and the engine then removes the container, so this is for the few that never started.
 */
const label = "dev.policychain.gate";
/** The process that made it, see {@link thisProcess}. */
const ownerLabel = "dev.policychain.gate-owner";
/** Seconds after which a container that never started is nobody's: pull and start are long over. */
const lifetime = 6 * 60 * 60;
/** Milliseconds in which a command that cannot stay up ends. */
const settleTime = 150;
/** Bytes of memory for /tmp, part of the container's memory. */
const tmpBytes = 64 * 1024 * 1024;
/** Programs that run side by side: as many as the container has processors. */
const sideBySide = 2;
/** The volume that takes files; everything else in the container is read-only. */
export const volume = "/gate";

/** Bounds of programs in the container. */
export interface ProgramLimits {
  /** Seconds that each program may take. */
  readonly timeoutSeconds: number;
  /** Memory of the container, all its programs together. */
  readonly memoryBytes: number;
  /** Bytes that each program may print. */
  readonly outputBytes: number;
}

/** Removes what an earlier run that was killed left behind; containers that may still be in use stay. */
export async function removeLeftovers(engine: DockerEngine, signal?: AbortSignal): Promise<void> {
  for (const { id, labels, ageSeconds } of await engine.list(label, signal)) {
    if (isGone(labels[ownerLabel] ?? "") || ageSeconds > Number(labels[label])) await engine.remove(id);
  }
}

interface Container {
  readonly id: string;
  readonly connection: Duplex;
}

/** One container at a time; one that a program used up is replaced by another one that looks the same. */
export class GateContainer {
  /** Only one that is up: programs that need it while it starts wait for it. */
  #running: Container | undefined;
  #starting: Promise<string | undefined> | undefined;
  /** Why no program is run any more: a lost engine, or the end. What is still under way must not start a container that nobody removes. */
  #over: Error | undefined;
  #limits: ProgramLimits;
  readonly #turns = new Turns(sideBySide);
  /** What was put into the volume: tars by folder, for the next container. */
  readonly #put: { readonly folder: string; readonly tar: Buffer }[] = [];

  constructor(
    private readonly engine: DockerEngine,
    private readonly image: string,
    limits: ProgramLimits,
    private readonly signal?: AbortSignal,
  ) {
    this.#limits = limits;
  }

  /** Starts the image as it is. Returns why it does not run, undefined when it does. */
  start(): Promise<string | undefined> {
    // Two programs that both need the next container share it.
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /** Other bounds from here on, in the container that runs. */
  async setLimits(limits: ProgramLimits): Promise<void> {
    const raised = limits.memoryBytes !== this.#limits.memoryBytes;
    this.#limits = limits;
    if (raised && this.#running) await this.engine.updateMemory(this.#running.id, limits.memoryBytes, this.signal);
  }

  /** Runs a program; a container that another one used up is replaced first. */
  async exec(argv: readonly string[], options: ProgramOptions = {}): Promise<ExecOutcome> {
    const outcome = await this.#turns.take(() => this.#exec(argv, options));
    // Memory is what both have: a program that may have been the other one's victim gets it all.
    return outcome.oomKilled ? this.#turns.take(() => this.#exec(argv, options), true) : outcome;
  }

  /** Puts files into a folder of the volume. Returns its absolute path. */
  async put(folder: string, files: ReadonlyMap<string, Buffer | string>): Promise<string> {
    const named = new Map([...files].map(([name, content]) => [`${folder}/${name}`, content] as const));
    const tar = tarOf(named);
    await this.#turns.take(async () => {
      const { id } = await this.#container();
      await this.engine.putArchive(id, volume, tar, this.signal);
      this.#put.push({ folder, tar });
    }, true);
    return `${volume}/${folder}`;
  }

  /** Everything below a folder; nothing when it does not exist. By the engine, not by a program of the image. */
  async files(folder: string): Promise<ImageFiles> {
    const { id } = await this.#container();
    const archive = await this.engine.getArchive(id, folder, this.signal);
    return archive ? readFiles(archive, folder, this.image) : { paths: [], contents: new Map(), notKept: [] };
  }

  /** Ends and removes the container, also after an abort. Programs that were to run in it are refused from here on. */
  async remove(): Promise<void> {
    this.#over ??= new Error(`the container of ${this.image} is removed`);
    await this.#starting?.catch(() => undefined);
    if (this.#running) await this.#giveUp(this.#running);
  }

  async #exec(argv: readonly string[], options: ProgramOptions): Promise<ExecOutcome> {
    for (;;) {
      const container = await this.#container();
      const limits = this.#limits;
      const result = await this.engine
        .exec(container.id, argv, {
          timeoutMs: (options.timeoutSeconds ?? limits.timeoutSeconds) * 1000,
          maxOutput: options.maxOutput ?? limits.outputBytes,
          input: options.input,
          signal: this.signal,
        })
        .catch((error: unknown) => {
          this.signal?.throwIfAborted();
          if (this.#running !== container) return undefined;
          // Nobody waits for the outcomes of the others any more.
          this.#over ??= error as Error;
          throw error;
        });
      // The program beside this one used up the container while this one was running in it.
      if (this.#running !== container || !result) continue;
      const state = result.code === 0 ? undefined : await this.engine.state(container.id, this.signal);
      if (this.#running !== container) continue;
      const oomKilled = result.code === 137 || (result.code !== undefined && result.code !== 0 && !!state?.oomKilled);
      // What still runs can only be ended with its container, and a memory verdict must not be the next program's.
      if (result.code === undefined || oomKilled || (result.code !== 0 && !state?.running))
        await this.#giveUp(container);
      return { ...result, oomKilled };
    }
  }

  async #container(): Promise<Container> {
    for (;;) {
      if (this.#over) throw this.#over;
      if (this.#running) return this.#running;
      const failure = await this.start();
      if (failure !== undefined) throw new Error(`${this.image} started before and now does not: ${failure}`);
    }
  }

  /** The next program gets another one. */
  async #giveUp(container: Container): Promise<void> {
    if (this.#running === container) this.#running = undefined;
    await this.#discard(container.id, container.connection);
  }

  async #discard(id: string, connection: Duplex | undefined): Promise<void> {
    try {
      await this.engine.remove(id);
    } finally {
      connection?.destroy();
    }
  }

  async #start(): Promise<string | undefined> {
    const { engine, signal } = this;
    const { memoryBytes } = this.#limits;
    const id = await engine.createContainer(
      {
        image: this.image,
        labels: { [label]: String(lifetime), [ownerLabel]: thisProcess() },
        memoryBytes,
        tmpfs: { "/tmp": Math.min(tmpBytes, Math.floor(memoryBytes / 2)) },
        volumes: [volume],
        openStdin: true,
        autoRemove: true,
      },
      signal,
    );
    let connection: Duplex | undefined;
    try {
      // Attached before the start: from here on the container ends with this process, whatever ends this process.
      connection = await engine.attach(id, signal);
      const printed = collect(connection);
      for (const { tar } of this.#put) await engine.putArchive(id, volume, tar, signal);
      await engine.start(id, signal);
      await new Promise((resolve) => setTimeout(resolve, settleTime));
      if ((await engine.state(id, signal))?.running) {
        this.#running = { id, connection };
        return undefined;
      }
      await this.#discard(id, connection);
      return `it ends at once${printed.text === "" ? "" : `: ${printed.text}`}`;
    } catch (error) {
      await this.#discard(id, connection);
      if (error instanceof EngineAnswerError) return error.reason;
      throw error;
    }
  }
}

/** What the image's own command says, the beginning of it. */
function collect(connection: Duplex): { text: string } {
  const printed = { text: "" };
  const read = async () => {
    for await (const { bytes } of demultiplex(connection))
      printed.text = (printed.text + bytes.toString()).slice(0, 4096);
  };
  // The connection ends with the container.
  read().catch(() => undefined);
  return printed;
}
