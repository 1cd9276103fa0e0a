// A program run in a container that is up already: bounded in time and in output.
import type { Readable } from "node:stream";
import { EngineAnswerError, type EngineTransport } from "./transport";

export interface ContainerExecOptions {
  /** Milliseconds; default 60,000. */
  readonly timeoutMs?: number;
  /** Bytes of stdout and stderr together; default 1 MiB. */
  readonly maxOutput?: number;
  readonly signal?: AbortSignal;
}

export interface ContainerExecResult {
  /** Exit code; undefined when the program did not end on its own (timedOut or truncated). */
  readonly code: number | undefined;
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
  const { timeoutMs = 60_000, maxOutput = 1024 * 1024, signal } = options;
  const { Id } = await transport.document<{ Id: string }>({
    method: "POST",
    path: `/containers/${id}/exec`,
    json: {
      AttachStdout: true,
      AttachStderr: true,
      Cmd: argv,
    },
    signal,
  });
  const timeout = AbortSignal.timeout(timeoutMs);
  const chunks: Buffer[] = [];
  let size = 0;
  const result = (code: number | undefined, more: { truncated?: boolean; timedOut?: boolean } = {}) => ({
    code,
    output: Buffer.concat(chunks).toString(),
    truncated: more.truncated ?? false,
    timedOut: more.timedOut ?? false,
  });
  try {
    const stream = await transport.open({
      method: "POST",
      path: `/exec/${Id}/start`,
      json: { Detach: false, Tty: false },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      idle: timeoutMs + 60_000,
    });
    for await (const chunk of demultiplex(stream)) {
      chunks.push(chunk.subarray(0, maxOutput - size));
      size += chunk.length;
      if (size > maxOutput) {
        stream.destroy();
        return result(undefined, { truncated: true });
      }
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (timeout.aborted) return result(undefined, { timedOut: true });
    if (error instanceof EngineAnswerError && isStartFailure(error.reason)) {
      chunks.push(Buffer.from(error.reason));
      return result(/no such file|not found/i.test(error.reason) ? notFound : notExecutable);
    }
    throw error;
  }
  const { ExitCode } = await transport.document<{ ExitCode: number | null }>({ path: `/exec/${Id}/json`, signal });
  return result(ExitCode ?? undefined);
}

function isStartFailure(reason: string): boolean {
  return /exec failed|unable to start container process|executable file not found/i.test(reason);
}

/**
 * The payloads of the engine's multiplexed stream: a header of 8 bytes (stream, 0, 0, 0, length in big endian), then
 * the bytes. Payloads are given on as they come, never gathered.
 */
export async function* demultiplex(stream: Readable): AsyncGenerator<Buffer> {
  let header = Buffer.alloc(0);
  let left = 0;
  for await (const incoming of stream as AsyncIterable<Buffer>) {
    let chunk = incoming;
    while (chunk.length > 0) {
      if (left === 0) {
        const taken = chunk.subarray(0, 8 - header.length);
        header = Buffer.concat([header, taken]);
        chunk = chunk.subarray(taken.length);
        if (header.length < 8) continue;
        left = header.readUInt32BE(4);
        header = Buffer.alloc(0);
        continue;
      }
      const payload = chunk.subarray(0, left);
      left -= payload.length;
      chunk = chunk.subarray(payload.length);
      yield payload;
    }
  }
}
