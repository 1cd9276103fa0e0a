// A client of one Kubernetes cluster, for everything here that talks to one.
import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, openConnection } from "./connection";
import { Discovery, pathOf, statusOf } from "./discovery";
import { type ClusterError, malformed, refusal } from "./errors";
import { isFields, readKubeconfig, type Target, targetOf } from "./kubeconfig";
import type { KubernetesObject, ObjectReference, ServedKind } from "./objects";
import { type ApiAnswer, type ApiRequest, type RequestLimits, send } from "./request";

export interface ClusterOptions {
  /** Path, list of paths, or text of a kubeconfig. Default: KUBECONFIG, then `~/.kube/config`. */
  readonly kubeconfig?: string;
  /** Default: the kubeconfig's current context. */
  readonly context?: string;
  /** For objects that name none. Default: the context's, then `default`. */
  readonly namespace?: string;
  /** Ends every request of the client. */
  readonly signal?: AbortSignal;
  /** Milliseconds for one request. Default: 5 s until there is a connection, 30 s for the whole. */
  readonly limits?: Partial<RequestLimits>;
  /** Told what the API server warns of. */
  readonly onWarning?: (text: string) => void;
}

export interface CallOptions {
  /** Beside the client's own. */
  readonly signal?: AbortSignal;
}

export interface WriteOptions extends CallOptions {
  /** Who sets the fields, as the API server keeps it in managedFields. */
  readonly fieldManager: string;
  /** The server does all but store it. Default false. */
  readonly dryRun?: boolean;
}

export interface ApplyOptions extends WriteOptions {
  /** Takes fields of other managers over, where there would be a `field-conflict`. Default false. */
  readonly force?: boolean;
}

export interface DeleteOptions extends CallOptions {
  /** Default Background. */
  readonly propagation?: "Background" | "Foreground" | "Orphan";
  /** Only the object with this uid. */
  readonly uid?: string;
  readonly dryRun?: boolean;
}

export interface ListOptions extends CallOptions {
  readonly apiVersion: string;
  readonly kind: string;
  /** Default: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

const pageSize = 500;
/** A list longer than this is refused rather than held in memory. */
const maxItems = 20_000;
/** An overloaded server is asked again this often, and never waited for longer than this each time. */
const tries = 4;
const maxPauseMs = 5000;

/** Reads the kubeconfig and, where it names one, runs its credential plugin; sends nothing to the cluster yet. */
export async function connectCluster(options: ClusterOptions = {}): Promise<ClusterClient> {
  const target = targetOf(await readKubeconfig(options.kubeconfig), options.context || undefined);
  return new ClusterClient(target, await openConnection(target, options.signal), options);
}

export class ClusterClient {
  /** `https://10.0.0.1:6443`. */
  readonly server: string;
  readonly context: string;
  /** For objects that name none. */
  readonly namespace: string;
  readonly #options: ClusterOptions;
  readonly #target: Target;
  readonly #discovery: Discovery;
  readonly #limits: RequestLimits;
  #connection: Promise<Connection>;

  constructor(target: Target, connection: Connection, options: ClusterOptions) {
    this.server = connection.server.origin;
    this.context = target.context;
    this.namespace = options.namespace || target.namespace || "default";
    this.#options = options;
    this.#target = target;
    this.#connection = Promise.resolve(connection);
    this.#limits = { connectMs: 5000, answerMs: 30_000, ...options.limits };
    this.#discovery = new Discovery(this.server, (path) => this.#ask({ method: "GET", path }));
  }

  /** The server's version: `v1.36.3`. */
  async version(options: CallOptions = {}): Promise<string> {
    const asked = { method: "GET", path: "/version" } as const;
    const body = await this.#body(asked, options);
    if (!isFields(body) || typeof body.gitVersion !== "string") throw this.#malformed(asked, "no version");
    return body.gitVersion;
  }

  /** How the cluster serves a kind; undefined where it does not. */
  served(apiVersion: string, kind: string): Promise<ServedKind | undefined> {
    return this.#discovery.find(apiVersion, kind);
  }

  /** The versions of an API group that the cluster serves, as `apiVersion`s. */
  servedVersions(group: string): Promise<string[]> {
    return this.#discovery.versions(group);
  }

  /** The object; undefined where there is none. A kind that is not served is an error, `kind-unserved`. */
  async get(reference: ObjectReference, options: CallOptions = {}): Promise<KubernetesObject | undefined> {
    const request = { method: "GET", path: await this.#path(reference) } as const;
    const answer = await this.#ask(request, options.signal);
    if (this.#isAbsent(reference, answer)) return undefined;
    return this.#object(request, answer);
  }

  /** All objects of a kind that the selectors choose, page by page. */
  async list(options: ListOptions): Promise<KubernetesObject[]> {
    const { apiVersion, kind, namespace, labelSelector, fieldSelector, signal } = options;
    const { plural } = await this.#discovery.need(apiVersion, kind);
    const inside = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
    const path = `${pathOf(apiVersion)}${inside}/${plural}`;
    const items: KubernetesObject[] = [];
    let next: string | undefined;
    do {
      const query = { limit: pageSize, continue: next, labelSelector, fieldSelector };
      const request = { method: "GET", path, query } as const;
      const body = await this.#body(request, { signal });
      if (!isFields(body) || !Array.isArray(body.items)) throw this.#malformed(request, "no list");
      for (const item of body.items as unknown[]) {
        if (!isFields(item)) throw this.#malformed(request, "a list with something that is no object");
        // Lists do not repeat what all of their items are.
        items.push(this.#checked(request, { ...item, apiVersion, kind }));
      }
      const token = isFields(body.metadata) ? body.metadata.continue : undefined;
      next = typeof token === "string" && token !== "" ? token : undefined;
      if (items.length > maxItems) throw this.#malformed(request, `more than ${maxItems} objects`);
    } while (next !== undefined);
    return items;
  }

  /** Server-side apply: makes the object hold these fields, and returns it whole, as it is stored (or would be). */
  async apply(object: KubernetesObject, options: ApplyOptions): Promise<KubernetesObject> {
    const { apiVersion, kind, metadata } = object;
    const path = await this.#path({ apiVersion, kind, name: metadata.name, namespace: metadata.namespace });
    return this.#patch(path, "application/apply-patch+yaml", object, options, { force: options.force || undefined });
  }

  /** JSON merge patch (RFC 7386): null takes a field away. An object that is not there is an error. */
  async mergePatch(reference: ObjectReference, patch: unknown, options: WriteOptions): Promise<KubernetesObject> {
    return this.#patch(await this.#path(reference), "application/merge-patch+json", patch, options);
  }

  /** Asks for the deletion, and does not wait for its end. False where there is no such object. */
  async delete(reference: ObjectReference, options: DeleteOptions = {}): Promise<boolean> {
    const { propagation = "Background", uid, dryRun } = options;
    const request: ApiRequest = {
      method: "DELETE",
      path: await this.#path(reference),
      query: { dryRun: dryRun ? "All" : undefined },
      body: {
        apiVersion: "v1",
        kind: "DeleteOptions",
        propagationPolicy: propagation,
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      },
    };
    const answer = await this.#ask(request, options.signal);
    if (this.#isAbsent(reference, answer)) return false;
    this.#accept(request, answer);
    return true;
  }

  async #patch(
    path: string,
    contentType: string,
    body: unknown,
    { fieldManager, dryRun, signal }: WriteOptions,
    query: ApiRequest["query"] = {},
  ): Promise<KubernetesObject> {
    const request: ApiRequest = {
      method: "PATCH",
      path,
      contentType,
      body,
      query: { fieldManager, dryRun: dryRun ? "All" : undefined, ...query },
    };
    return this.#object(request, await this.#ask(request, signal));
  }

  async #path({ apiVersion, kind, name, namespace }: ObjectReference): Promise<string> {
    const { plural, namespaced } = await this.#discovery.need(apiVersion, kind);
    const inside = namespaced ? `/namespaces/${encodeURIComponent(namespace ?? this.namespace)}` : "";
    return `${pathOf(apiVersion)}${inside}/${plural}/${encodeURIComponent(name)}`;
  }

  /** True for a 404 that means the object; one that means its kind, gone since it was looked up, is an error. */
  #isAbsent({ apiVersion }: ObjectReference, { status, body }: ApiAnswer): boolean {
    if (status !== 404) return false;
    if (statusOf(body)?.details?.name !== undefined) return true;
    this.#discovery.forget(apiVersion);
    return false;
  }

  async #body(request: ApiRequest, { signal }: CallOptions): Promise<unknown> {
    return this.#accept(request, await this.#ask(request, signal)).body;
  }

  #object(request: ApiRequest, answer: ApiAnswer): KubernetesObject {
    return this.#checked(request, this.#accept(request, answer).body);
  }

  #checked(request: ApiRequest, body: unknown): KubernetesObject {
    const whole = isFields(body) && typeof body.apiVersion === "string" && typeof body.kind === "string";
    if (!whole || !isFields(body.metadata) || typeof body.metadata.name !== "string")
      throw this.#malformed(request, "no object with a name");
    return body as unknown as KubernetesObject;
  }

  #accept(request: ApiRequest, answer: ApiAnswer): ApiAnswer {
    if (answer.status < 300) return answer;
    throw refusal({ server: this.server, ...request }, answer.status, statusOf(answer.body));
  }

  #malformed(request: ApiRequest, reason: string): ClusterError {
    return malformed({ server: this.server, ...request }, reason);
  }

  /** Sends the request; again with new credentials after a 401, and after a pause where the server asks for one. */
  async #ask(request: ApiRequest, signal?: AbortSignal): Promise<ApiAnswer> {
    const either = [this.#options.signal, signal].flatMap((one) => one ?? []);
    const stop = either.length === 2 ? AbortSignal.any(either) : either[0];
    let isRenewed = false;
    for (let attempt = 1; ; attempt++) {
      const connection = await this.#connected();
      const answer = await send(connection, request, this.#limits, stop);
      for (const text of answer.warnings) this.#options.onWarning?.(text);
      if (answer.status === 401 && !isRenewed && connection.expires !== Number.POSITIVE_INFINITY) {
        isRenewed = true;
        await this.#renew();
      } else if (
        (answer.status === 429 || answer.status === 503) &&
        answer.retryAfter !== undefined &&
        attempt < tries
      ) {
        await sleep(Math.min(answer.retryAfter, maxPauseMs), undefined, { signal: stop }).catch(() =>
          stop?.throwIfAborted(),
        );
      } else return answer;
    }
  }

  async #connected(): Promise<Connection> {
    const connection = await this.#connection;
    return connection.expires > Date.now() ? connection : this.#renew();
  }

  /** Credentials that cannot be renewed now may be a moment later: the old ones stay, and are found old again. */
  #renew(): Promise<Connection> {
    const old = this.#connection;
    const renewed = openConnection(this.#target, this.#options.signal);
    this.#connection = renewed;
    renewed.catch(() => {
      this.#connection = old;
    });
    return renewed;
  }
}
