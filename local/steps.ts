// Runs the steps of one command: each with a name, progress and its time; independent ones side by side; the first
// failure stops what has not begun and is the one that is reported.
import { setTimeout as sleep } from "node:timers/promises";

export interface Step {
  /** What is going on right now: shown at intervals, not kept. */
  progress(text: string): void;
  /** What to say beside the step's name when it has ended: "there already", "built from Go modules". */
  outcome(text: string): void;
  /** Aborted when another step has failed or the command was interrupted. */
  readonly signal: AbortSignal;
}

export interface StepOptions {
  /** What must have ended before this begins. */
  readonly after?: readonly Promise<unknown>[];
  /** Steps of one lane run one after the other: those that keep every core busy alone. */
  readonly lane?: string;
}

/** A step that has ended, for the summary. */
export interface StepTime {
  readonly name: string;
  readonly outcome: string;
  readonly milliseconds: number;
}

export interface StepScreen {
  write(text: string): void;
  /** Milliseconds between two progress lines of a step; default 10,000. */
  readonly interval?: number;
}

/** Thrown by what was given up because something else failed; never shown. */
export class Abandoned extends Error {}

export class Steps {
  readonly times: StepTime[] = [];
  readonly #lanes = new Map<string, Promise<unknown>>();
  readonly #abort = new AbortController();
  readonly #pending = new Set<Promise<unknown>>();
  #failure: unknown;

  constructor(readonly screen: StepScreen) {}

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Gives up every step, as after a failure: for SIGINT and SIGTERM. */
  interrupt(reason: unknown): void {
    this.#failure ??= reason;
    this.#abort.abort(reason);
  }

  /** Begins a step as soon as it may, and resolves with its result. */
  run<T>(name: string, work: (step: Step) => Promise<T>, options: StepOptions = {}): Promise<T> {
    const result = this.#run(name, work, options);
    // The first failure is what `settle` throws; that of a step nobody waits for must not end the process before.
    result.catch(() => undefined);
    this.#pending.add(result);
    return result;
  }

  /** Waits for every step that was begun, then throws the first failure, if there was one. */
  async settle(): Promise<void> {
    for (let known = -1; known !== this.#pending.size; ) {
      known = this.#pending.size;
      await Promise.allSettled(this.#pending);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #run<T>(name: string, work: (step: Step) => Promise<T>, { after = [], lane }: StepOptions): Promise<T> {
    await Promise.all(after);
    const before = lane === undefined ? undefined : this.#lanes.get(lane);
    const turn = Promise.resolve(before)
      .catch(() => undefined)
      .then(() => this.#timed(name, work));
    if (lane !== undefined) this.#lanes.set(lane, turn);
    return turn;
  }

  async #timed<T>(name: string, work: (step: Step) => Promise<T>): Promise<T> {
    if (this.#abort.signal.aborted) throw new Abandoned(name);
    const begun = performance.now();
    let progress = "";
    let outcome = "";
    const ended = new AbortController();
    const ticker = this.#tick(ended.signal, () =>
      this.screen.write(`  … ${name}${progress && `: ${progress}`} (${duration(performance.now() - begun)})`),
    );
    try {
      const result = await work({
        progress: (text) => (progress = text),
        outcome: (text) => (outcome = text),
        signal: this.#abort.signal,
      });
      const milliseconds = performance.now() - begun;
      this.times.push({ name, outcome, milliseconds });
      this.screen.write(`  ✔ ${name}${outcome && `: ${outcome}`} (${duration(milliseconds)})`);
      return result;
    } catch (error) {
      if (this.#failure === undefined && !(error instanceof Abandoned)) {
        this.#failure = error;
        this.screen.write(`  ✗ ${name} (${duration(performance.now() - begun)})`);
        this.#abort.abort(new Abandoned(name));
      }
      throw error;
    } finally {
      ended.abort();
      await ticker;
    }
  }

  async #tick(ended: AbortSignal, line: () => void): Promise<void> {
    try {
      for (;;) {
        await sleep(this.screen.interval ?? 10_000, undefined, { signal: ended });
        line();
      }
    } catch {
      // Ended.
    }
  }
}

/** `0.4 s`, `12.3 s`, `3 min 05 s`. */
export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}
