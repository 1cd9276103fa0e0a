// What BuildKit tells while it builds: steps with names, their logs and errors, out of `moby.buildkit.trace` messages.
// Field numbers: github.com/moby/buildkit api/services/control/control.proto, StatusResponse.
import { decodeFields, messages, text } from "./protobuf";

/** A step that failed, as a build's trace has it. */
export interface FailedStep {
  readonly step: string;
  readonly error: string;
  readonly log: readonly string[];
}

/** A step of the build. */
interface Step {
  name: string;
  started: boolean;
  error: string;
  readonly log: string[];
}

/** Lines kept of each step's log. */
const keptLines = 20;
/** Characters kept of one log line. */
const keptCharacters = 2000;

/** Gathers the trace of one build. */
export class BuildTrace {
  readonly #steps = new Map<string, Step>();

  constructor(readonly onStep: (text: string) => void = () => undefined) {}

  /** Takes the `aux` of a trace message (base64); one that cannot be read is skipped: it is progress, never a result. */
  add(aux: unknown): void {
    if (typeof aux !== "string") return;
    let status: ReturnType<typeof decodeFields>;
    try {
      status = decodeFields(Buffer.from(aux, "base64"));
      for (const bytes of messages(status, 1)) this.#vertex(bytes);
      for (const bytes of messages(status, 3)) this.#log(bytes);
    } catch {
      return;
    }
  }

  /** The step that failed and the end of its log; undefined when no step did (the frontend or the exporter failed). */
  failure(): FailedStep | undefined {
    // A step that was cancelled because another one failed has an error too.
    const failed = [...this.#steps.values()].filter(({ error }) => error !== "");
    const first = failed.find(({ error }) => !/context canceled/.test(error)) ?? failed[0];
    if (!first) return undefined;
    return { step: first.name, error: first.error, log: first.log.flatMap((line) => (line === "" ? [] : [line])) };
  }

  #step(digest: string): Step {
    let step = this.#steps.get(digest);
    if (!step) {
      step = { name: "", started: false, error: "", log: [""] };
      this.#steps.set(digest, step);
    }
    return step;
  }

  #vertex(bytes: Uint8Array): void {
    const vertex = decodeFields(bytes);
    const step = this.#step(text(vertex, 1));
    step.name = text(vertex, 3) || step.name;
    step.error = text(vertex, 7) || step.error;
    if (vertex.has(5) && !step.started) {
      step.started = true;
      this.onStep(step.name);
    }
  }

  #log(bytes: Uint8Array): void {
    const entry = decodeFields(bytes);
    const { log } = this.#step(text(entry, 1));
    // A chunk may end in the middle of a line: the last element is the line that is still open.
    const [first = "", ...more] = text(entry, 4).split("\n");
    log[log.length - 1] = (log.at(-1)! + first).slice(0, keptCharacters);
    for (const line of more) log.push(line.slice(0, keptCharacters));
    log.splice(0, log.length - keptLines - 1);
  }
}
