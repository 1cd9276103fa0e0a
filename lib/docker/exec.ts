// A program run in a container that is up already: bounded in time and in output.
import { addAbortSignal, type Readable } from "node:stream";
import { EngineAnswerError, type EngineTransport } from "./transport";

export interface ContainerExecOptions {
  /** Milliseconds; default 60,000. */
  readonly timeoutMs?: number;
  /** Bytes of stdout and stderr together; default 1 MiB. */
  readonly maxOutput?: number;
  /** The program's whole standard input; default: it has none. */
  readonly input?: string | Buffer;
  readonly signal?: AbortSignal;
}

export interface ContainerExecResult {
  /** Exit code; undefined when the program did not end on its own (timedOut or truncated). */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout and stderr as they came; the order between the two is not certain. */
  readonly output: string;
  /** The program printed more than `maxOutput`. Nobody reads on: it may still run, so the container must be removed. */
  readonly truncated: boolean;
  /** The program did not end in time. It still runs: the engine cannot end it, only its container. */
  readonly timedOut: boolean;
}

/** Exit codes by which shells say that a program is not there or cannot be run; the engine's refusals are told the same way. */
const notFound = 127;
const notExecutable = 126;

/** Runs `argv` (no shell). A program that does not exist is a result with code 127 or 126, not an error. */
export async function execInContainer(
  transport: EngineTransport,
  id: string,
  argv: readonly string[],
  options: ContainerExecOptions = {},
): Promise<ContainerExecResult> {
  const { timeoutMs = 60_000, maxOutput = 1024 * 1024, input, signal } = options;
  const { Id } = await transport.document<{ Id: string }>({
    method: "POST",
    path: `/containers/${id}/exec`,
    json: { AttachStdin: input !== undefined, AttachStdout: true, AttachStderr: true, Cmd: argv },
    signal,
  });
  const timeout = AbortSignal.timeout(timeoutMs);
  const chunks: ProgramOutput[] = [];
  let size = 0;
  const text = (wanted?: ProgramOutput["stream"]) =>
    Buffer.concat(
      chunks.filter(({ stream }) => wanted === undefined || stream === wanted).map(({ bytes }) => bytes),
    ).toString();
  const result = (code: number | undefined, more: { truncated?: boolean; timedOut?: boolean } = {}) => ({
    code,
    stdout: text("stdout"),
    stderr: text("stderr"),
    output: text(),
    truncated: more.truncated ?? false,
    timedOut: more.timedOut ?? false,
  });
  try {
    const bounded = signal ? AbortSignal.any([signal, timeout]) : timeout;
    const stream = await startExec(transport, Id, { input, signal: bounded, idle: timeoutMs + 60_000 });
    for await (const { stream: source, bytes } of demultiplex(stream)) {
      chunks.push({ stream: source, bytes: bytes.subarray(0, maxOutput - size) });
      size += bytes.length;
      if (size > maxOutput) {
        stream.destroy();
        return result(undefined, { truncated: true });
      }
    }
    bounded.throwIfAborted();
  } catch (error) {
    signal?.throwIfAborted();
    if (timeout.aborted) return result(undefined, { timedOut: true });
    if (error instanceof EngineAnswerError && isStartFailure(error.reason)) {
      chunks.push({ stream: "stderr", bytes: Buffer.from(error.reason) });
      return result(/no such file|not found/i.test(error.reason) ? notFound : notExecutable);
    }
    throw error;
  }
  const { ExitCode } = await transport.document<{ ExitCode: number | null }>({ path: `/exec/${Id}/json`, signal });
  return result(ExitCode ?? undefined);
}

/** Starts a created program. Input needs a connection of its own, which ends the program's input when it is half closed. */
async function startExec(
  transport: EngineTransport,
  exec: string,
  { input, signal, idle }: { input?: string | Buffer; signal: AbortSignal; idle: number },
): Promise<Readable> {
  const request = {
    method: "POST",
    path: `/exec/${exec}/start`,
    json: { Detach: false, Tty: false },
    signal,
    idle,
  } as const;
  if (input === undefined) return transport.open(request);
  const connection = await transport.upgrade({ ...request, protocol: "tcp" });
  addAbortSignal(signal, connection);
  // A program that ends before it has read everything resets the connection: what it printed is what counts.
  connection.on("error", () => undefined);
  connection.end(input);
  return connection;
}

function isStartFailure(reason: string): boolean {
  return /exec failed|unable to start container process|executable file not found/i.test(reason);
}

/** A piece of what a program printed. */
export interface ProgramOutput {
  readonly stream: "stdout" | "stderr";
  readonly bytes: Buffer;
}

/**
 * The payloads of the engine's multiplexed stream: a header of 8 bytes (stream, 0, 0, 0, length in big endian), then
 * the bytes. Payloads are given on as they come, never gathered.
 */
export async function* demultiplex(stream: Readable): AsyncGenerator<ProgramOutput> {
  let header = Buffer.alloc(0);
  let source: ProgramOutput["stream"] = "stdout";
  let left = 0;
  for await (const incoming of stream as AsyncIterable<Buffer>) {
    let chunk = incoming;
    while (chunk.length > 0) {
      if (left === 0) {
        const taken = chunk.subarray(0, 8 - header.length);
        header = Buffer.concat([header, taken]);
        chunk = chunk.subarray(taken.length);
        if (header.length < 8) continue;
        source = header[0] === 2 ? "stderr" : "stdout";
        left = header.readUInt32BE(4);
        header = Buffer.alloc(0);
        continue;
      }
      const payload = chunk.subarray(0, left);
      left -= payload.length;
      chunk = chunk.subarray(payload.length);
      yield { stream: source, bytes: payload };
    }
  }
}
