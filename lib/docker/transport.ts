// HTTP to the Docker engine over a unix socket or plain tcp: every request can be aborted, every failure is one sentence.
import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { type Duplex, Readable } from "node:stream";
import { compareVersions } from "../compareVersions";
import { PlatformError } from "../errors";
import type { EngineAddress } from "./address";

/** A value of a query; `undefined` and `false` are left out, `true` is sent as 1, lists are repeated. */
type QueryValue = string | number | boolean | readonly string[] | undefined;

export interface EngineRequest {
  /** Default GET. */
  readonly method?: "GET" | "POST" | "PUT" | "DELETE" | "HEAD";
  /** Without the API version: `/containers/json`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, QueryValue>>;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Sent as application/json. */
  readonly json?: unknown;
  /** Sent as application/x-tar. */
  readonly tar?: Buffer | Readable;
  readonly signal?: AbortSignal;
  /** Milliseconds without a byte after which the engine counts as stalled; default 60,000. */
  readonly idle?: number;
}

/** An answer of the engine with a status of 400 or more: callers turn the expected ones into their own errors. */
export class EngineAnswerError extends Error {
  constructor(
    readonly status: number,
    /** The engine's own sentence. */
    readonly reason: string,
    what: string,
  ) {
    super(`the Docker engine answered ${status} to ${what}: ${reason}`);
    this.name = "EngineAnswerError";
  }
}

/** The most that is read of an answer that is a document, not a stream. */
const maxDocument = 32 * 1024 * 1024;
/** The newest API version that is asked for: engine 25's. A newer engine still serves it, an older one is asked for its own. */
const newestApi = "1.44";

export class EngineTransport {
  readonly #agent = new Agent({ keepAlive: false });
  #apiVersion: Promise<string> | undefined;

  constructor(readonly address: EngineAddress) {}

  /**
   * Sends a request and resolves with the answer's body; a status of 400 or more throws {@link EngineAnswerError}.
   * A body that is cut short ends in an error, never in silence.
   */
  async open(options: EngineRequest): Promise<Readable> {
    const answer = await this.#send(options, `/v${await this.#version(options.signal)}${options.path}`);
    return Readable.from(this.#body(await this.#refuse(answer, options), options), { objectMode: false });
  }

  /** The parsed JSON of the answer; `undefined` when it has no body. */
  async document<T>(options: EngineRequest): Promise<T> {
    return parse<T>(await this.open(options));
  }

  /** Like {@link document}, without an API version in the path: for what must work before one is agreed. */
  async unversioned<T>(options: EngineRequest): Promise<T> {
    return parse<T>(await this.#refuse(await this.#send(options, options.path), options));
  }

  /** A connection that has been taken over from HTTP (`Upgrade`): raw bytes both ways. */
  async upgrade(options: EngineRequest & { readonly protocol: string }): Promise<Duplex> {
    const path = `/v${await this.#version(options.signal)}${options.path}`;
    return new Promise((resolve, reject) => {
      const outgoing = this.#request(options, path, { connection: "Upgrade", upgrade: options.protocol });
      outgoing.on("upgrade", (_answer, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        socket.setTimeout(0);
        resolve(socket);
      });
      outgoing.on("response", (answer) =>
        this.#refuse(answer, options).then(() => reject(notUpgraded(options)), reject),
      );
      outgoing.on("error", (error) => reject(this.#explain(error, options)));
      outgoing.end(options.json === undefined ? undefined : JSON.stringify(options.json));
    });
  }

  #version(signal?: AbortSignal): Promise<string> {
    this.#apiVersion ??= this.unversioned<{ ApiVersion?: string; MinAPIVersion?: string }>({
      path: "/version",
      signal,
    }).then(({ ApiVersion = newestApi, MinAPIVersion = "1.0" }) => {
      const wanted = compareVersions(ApiVersion, newestApi) < 0 ? ApiVersion : newestApi;
      return compareVersions(wanted, MinAPIVersion) < 0 ? MinAPIVersion : wanted;
    });
    // An engine that was down a moment ago may be up at the next call.
    this.#apiVersion.catch(() => {
      this.#apiVersion = undefined;
    });
    return this.#apiVersion;
  }

  #send(options: EngineRequest, path: string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const outgoing = this.#request(options, path, {});
      outgoing.on("response", resolve);
      outgoing.on("error", (error) => reject(this.#explain(error, options)));
      const { json, tar } = options;
      if (json !== undefined) outgoing.end(JSON.stringify(json));
      else if (tar === undefined || Buffer.isBuffer(tar)) outgoing.end(tar);
      else {
        tar.on("error", (error) => outgoing.destroy(error));
        tar.pipe(outgoing);
      }
    });
  }

  #request(options: EngineRequest, path: string, headers: Record<string, string>): ClientRequest {
    const { address } = this;
    const outgoing = request({
      ...("socketPath" in address ? { socketPath: address.socketPath } : { host: address.host, port: address.port }),
      agent: this.#agent,
      method: options.method ?? "GET",
      path: path + queryString(options.query),
      headers: {
        // The engine refuses a Host that is a path; what the name is makes no difference to it.
        host: "socketPath" in address ? "docker" : `${address.host}:${address.port}`,
        ...(options.json !== undefined ? { "content-type": "application/json" } : {}),
        ...(options.tar !== undefined ? { "content-type": "application/x-tar" } : {}),
        ...headers,
        ...(options.headers as Record<string, string | string[]>),
      },
      signal: options.signal,
    });
    const idle = options.idle ?? 60_000;
    outgoing.setTimeout(idle, () => outgoing.destroy(new StalledError(idle)));
    return outgoing;
  }

  async *#body(answer: IncomingMessage, options: EngineRequest): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of answer as AsyncIterable<Buffer>) yield chunk;
    } catch (error) {
      throw this.#explain(error, options);
    }
    // A stream without a length (exec) ends with its connection, so an abort looks like its end.
    options.signal?.throwIfAborted();
    if (!answer.complete) throw this.#explain(Object.assign(new Error("cut short"), { code: "ECONNRESET" }), options);
  }

  async #refuse(answer: IncomingMessage, options: EngineRequest): Promise<IncomingMessage> {
    if ((answer.statusCode ?? 0) < 400) return answer;
    const text = await readText(answer).catch(() => "");
    let reason = text.trim();
    try {
      reason = (JSON.parse(text) as { message?: string }).message ?? reason;
    } catch {
      // An answer that is no JSON (a proxy's) is shown as it is.
    }
    throw new EngineAnswerError(answer.statusCode ?? 0, reason, `${options.method ?? "GET"} ${options.path}`);
  }

  #explain(error: unknown, options: EngineRequest): unknown {
    if (options.signal?.aborted) return options.signal.reason ?? error;
    if (error instanceof StalledError) {
      return new PlatformError("engine-stalled", {
        what: `the Docker engine at ${this.address.text} sent nothing for ${error.idle / 1000} s (${options.path})`,
        rule: "an engine that is at work says so",
        fix: "look at the engine's log, restart it, and run the command again",
      });
    }
    const code = (error as NodeJS.ErrnoException | undefined)?.code;
    const causes: Record<string, string> = {
      ENOENT: "no engine listens there",
      ECONNREFUSED: "no engine listens there",
      ENOTFOUND: "the host name is not known",
      EACCES: "this user may not open the socket",
      EPERM: "this user may not open the socket",
      ECONNRESET: "it closed the connection",
      EPIPE: "it closed the connection",
      ETIMEDOUT: "it does not answer",
      EHOSTUNREACH: "the host cannot be reached",
    };
    if (code === undefined || !(code in causes)) return error;
    return new PlatformError(
      "engine-down",
      {
        what: `the Docker engine at ${this.address.text} cannot be used: ${causes[code]} (${code})`,
        rule: "images are built and tested by a Docker engine 23 or later",
        fix:
          code === "EACCES" || code === "EPERM"
            ? "add this user to the group docker, or set DOCKER_HOST"
            : "start the engine (`npm run local` brings its own), or set DOCKER_HOST to one that runs",
      },
      { cause: error },
    );
  }
}

class StalledError extends Error {
  constructor(readonly idle: number) {
    super(`idle for ${idle} ms`);
  }
}

function notUpgraded(options: EngineRequest): Error {
  return new Error(`the Docker engine did not hand over the connection of ${options.path}`);
}

function queryString(query: EngineRequest["query"] = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === false) continue;
    for (const item of Array.isArray(value) ? value : [value === true ? "1" : String(value)])
      parameters.append(name, item);
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

async function readText(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxDocument) throw new Error(`an answer of the Docker engine is larger than ${maxDocument} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function parse<T>(answer: Readable): Promise<T> {
  const text = await readText(answer);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}
