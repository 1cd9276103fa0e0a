// When the plugin ends. Plugins live in a process group of their own: a killed engine leaves them running, and they
// could still write a tag. So everything that says "stop" aborts the one signal, and the process is gone soon after.

/** Work in flight gets this long to notice the signal; the process must be gone within a second. */
const graceMs = 800;

export interface Lifetime {
  /** Aborted by the first of Cancel, SIGINT, SIGTERM and the end of stdin. */
  readonly signal: AbortSignal;
  /** Counts one call as in flight until it settles. */
  during<T>(work: Promise<T>): Promise<T>;
  /** Aborts the signal; ends the process at once when nothing is in flight, else when that has ended or the grace is over. */
  stop(reason: string): void;
}

export interface LifetimeOptions {
  /** Flushes the last answers; the process ends when it resolves, or when the grace is over. */
  close(): Promise<void>;
}

export function startLifetime(options: LifetimeOptions): Lifetime {
  const controller = new AbortController();
  let inFlight = 0;
  let ending = false;
  const end = () => {
    if (ending) return;
    ending = true;
    void options.close().finally(() => process.exit(0));
  };
  const lifetime: Lifetime = {
    signal: controller.signal,
    async during(work) {
      inFlight++;
      try {
        return await work;
      } finally {
        inFlight--;
        // after this turn: the answer has then been handed to the connection
        if (inFlight === 0 && controller.signal.aborted) setImmediate(end);
      }
    },
    stop(reason) {
      if (controller.signal.aborted) return;
      controller.abort(new Error(reason));
      setTimeout(() => process.exit(0), graceMs);
      if (inFlight === 0) setImmediate(end);
    },
  };
  process.on("SIGINT", () => lifetime.stop("interrupted"));
  process.on("SIGTERM", () => lifetime.stop("terminated"));
  // The engine holds the other end of stdin and writes nothing: its end is the engine's end.
  process.stdin.on("end", () => lifetime.stop("the engine is gone"));
  process.stdin.on("error", () => lifetime.stop("the engine is gone"));
  process.stdin.resume();
  return lifetime;
}
