// Requests to one cluster over time: credentials are renewed when they are old, and a server that asks for a pause gets it.
import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, openConnection } from "./connection";
import type { Target } from "./kubeconfig";
import { type ApiAnswer, type ApiRequest, type RequestLimits, send } from "./request";

export interface CallOptions {
  /** Beside the client's own. */
  readonly signal?: AbortSignal;
  /** Told what the API server warns of: a version that is deprecated, a field that is not known. */
  readonly onWarning?: (text: string) => void;
}

/** An overloaded server is asked this often, and never waited for longer than this each time. */
const tries = 4;
const maxPauseMs = 5000;

export class Session {
  readonly #target: Target;
  readonly #limits: RequestLimits;
  readonly #signal: AbortSignal | undefined;
  #connection: Promise<Connection>;

  constructor(target: Target, connection: Connection, limits: RequestLimits, signal: AbortSignal | undefined) {
    this.#target = target;
    this.#limits = limits;
    this.#signal = signal;
    this.#connection = Promise.resolve(connection);
  }

  /** Resolves with the answer whatever its status is: again with new credentials after a 401, and after a pause where one is asked for. */
  async ask(request: ApiRequest, { signal, onWarning }: CallOptions = {}): Promise<ApiAnswer> {
    const both = [this.#signal, signal].flatMap((one) => one ?? []);
    const stop = both.length === 2 ? AbortSignal.any(both) : both[0];
    let isRenewed = false;
    for (let attempt = 1; ; attempt++) {
      const connection = await this.#connected();
      const answer = await send(connection, request, this.#limits, stop);
      const { status, retryAfter } = answer;
      if (status === 401 && !isRenewed && connection.expires !== Number.POSITIVE_INFINITY) {
        isRenewed = true;
        await this.#renew();
      } else if ((status === 429 || status === 503) && retryAfter !== undefined && attempt < tries) {
        const pause = Math.min(retryAfter, maxPauseMs);
        await sleep(pause, undefined, { signal: stop }).catch(() => stop?.throwIfAborted());
      } else {
        for (const text of answer.warnings) onWarning?.(text);
        return answer;
      }
    }
  }

  async #connected(): Promise<Connection> {
    const connection = await this.#connection;
    return connection.expires > Date.now() ? connection : this.#renew();
  }

  /** Credentials that cannot be renewed now may be a moment later: the old ones stay, and are found old again. */
  #renew(): Promise<Connection> {
    const old = this.#connection;
    const renewed = openConnection(this.#target, this.#signal);
    this.#connection = renewed;
    renewed.catch(() => {
      this.#connection = old;
    });
    return renewed;
  }
}
