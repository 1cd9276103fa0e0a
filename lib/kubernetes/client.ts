// A client of one Kubernetes cluster, for everything here that talks to one.
import { isRecord } from "../record";
import { type Connection, openConnection } from "./connection";
import { Discovery, pathOf, statusOf } from "./discovery";
import { type ClusterError, malformed, refusal } from "./errors";
import { readKubeconfig, type Target, targetOf } from "./kubeconfig";
import type { KubernetesObject, ObjectReference, ServedKind } from "./objects";
import type { ApiAnswer, ApiRequest, RequestLimits } from "./request";
import { type CallOptions, Session } from "./session";

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
  /** The part of the object that is written on its own. */
  readonly subresource?: "status";
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
/** A server may give shorter pages than it is asked for, but not for ever. */
const maxPages = 200;

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
  readonly #session: Session;
  readonly #discovery: Discovery;

  constructor(target: Target, connection: Connection, options: ClusterOptions) {
    this.server = connection.server.origin;
    this.context = target.context;
    this.namespace = options.namespace || target.namespace || "default";
    const limits = { connectMs: 5000, answerMs: 30_000, ...options.limits };
    this.#session = new Session(target, connection, limits, options.signal);
    this.#discovery = new Discovery(this.server, (path, signal) =>
      this.#session.ask({ method: "GET", path }, { signal }),
    );
  }

  /** The server's version: `v1.36.3`. */
  async version(options: CallOptions = {}): Promise<string> {
    const asked = { method: "GET", path: "/version" } as const;
    const body = await this.#body(asked, options);
    if (!isRecord(body) || typeof body.gitVersion !== "string") throw this.#malformed(asked, "no version");
    return body.gitVersion;
  }

  /** How the cluster serves a kind; undefined where it does not. */
  served(apiVersion: string, kind: string, { signal }: CallOptions = {}): Promise<ServedKind | undefined> {
    return this.#discovery.find(apiVersion, kind, signal);
  }

  /** The versions of an API group that the cluster serves, as `apiVersion`s. */
  servedVersions(group: string, { signal }: CallOptions = {}): Promise<string[]> {
    return this.#discovery.versions(group, signal);
  }

  /** The object; undefined where there is none. A kind that is not served is an error, `kind-unserved`. */
  async get(reference: ObjectReference, options: CallOptions = {}): Promise<KubernetesObject | undefined> {
    const request = { method: "GET", path: await this.#path(reference, options) } as const;
    const answer = await this.#session.ask(request, options);
    if (this.#isAbsent(reference, answer)) return undefined;
    return this.#object(request, answer);
  }

  /** All objects of a kind that the selectors choose, page by page. */
  async list(options: ListOptions): Promise<KubernetesObject[]> {
    const { apiVersion, kind, namespace, labelSelector, fieldSelector } = options;
    const { plural } = await this.#discovery.need(apiVersion, kind, options.signal);
    const inside = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
    const path = `${pathOf(apiVersion)}${inside}/${plural}`;
    const items: KubernetesObject[] = [];
    let next: string | undefined;
    for (let pages = 1; ; pages++) {
      const query = { limit: pageSize, continue: next, labelSelector, fieldSelector };
      const request = { method: "GET", path, query } as const;
      const body = await this.#body(request, options);
      if (!isRecord(body) || !Array.isArray(body.items)) throw this.#malformed(request, "no list");
      for (const item of body.items as unknown[]) {
        if (!isRecord(item)) throw this.#malformed(request, "a list with something that is no object");
        // Lists do not repeat what all of their items are.
        items.push(this.#checked(request, { ...item, apiVersion, kind }));
      }
      const token = isRecord(body.metadata) ? body.metadata.continue : undefined;
      if (items.length > maxItems) throw this.#malformed(request, `more than ${maxItems} objects`);
      if (typeof token !== "string" || token === "") return items;
      if (token === next || pages === maxPages) throw this.#malformed(request, "a list without an end");
      next = token;
    }
  }

  /** Server-side apply: makes the object hold these fields, and returns it whole, as it is stored (or would be). */
  async apply(object: KubernetesObject, options: ApplyOptions): Promise<KubernetesObject> {
    const { apiVersion, kind, metadata } = object;
    const { name, namespace } = metadata;
    const whole = await this.#path({ apiVersion, kind, name, namespace }, options);
    const path = options.subresource ? `${whole}/${options.subresource}` : whole;
    return this.#patch(path, "application/apply-patch+yaml", object, options, { force: options.force || undefined });
  }

  /** JSON merge patch (RFC 7386): null takes a field away. An object that is not there is an error. */
  async mergePatch(reference: ObjectReference, patch: unknown, options: WriteOptions): Promise<KubernetesObject> {
    return this.#patch(await this.#path(reference, options), "application/merge-patch+json", patch, options);
  }

  /** Asks for the deletion, and does not wait for its end. False where there is no such object. */
  async delete(reference: ObjectReference, options: DeleteOptions = {}): Promise<boolean> {
    const { propagation = "Background", uid, dryRun } = options;
    const request: ApiRequest = {
      method: "DELETE",
      path: await this.#path(reference, options),
      query: { dryRun: dryRun ? "All" : undefined },
      body: {
        apiVersion: "v1",
        kind: "DeleteOptions",
        propagationPolicy: propagation,
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      },
    };
    const answer = await this.#session.ask(request, options);
    if (this.#isAbsent(reference, answer)) return false;
    this.#accept(request, answer);
    return true;
  }

  async #patch(
    path: string,
    contentType: string,
    body: unknown,
    options: WriteOptions,
    query: ApiRequest["query"] = {},
  ): Promise<KubernetesObject> {
    const { fieldManager, dryRun } = options;
    const request: ApiRequest = {
      method: "PATCH",
      path,
      contentType,
      body,
      query: { fieldManager, dryRun: dryRun ? "All" : undefined, ...query },
    };
    return this.#object(request, await this.#session.ask(request, options));
  }

  async #path({ apiVersion, kind, name, namespace }: ObjectReference, { signal }: CallOptions): Promise<string> {
    const { plural, namespaced } = await this.#discovery.need(apiVersion, kind, signal);
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

  async #body(request: ApiRequest, options: CallOptions): Promise<unknown> {
    return this.#accept(request, await this.#session.ask(request, options)).body;
  }

  #object(request: ApiRequest, answer: ApiAnswer): KubernetesObject {
    return this.#checked(request, this.#accept(request, answer).body);
  }

  #checked(request: ApiRequest, body: unknown): KubernetesObject {
    const whole = isRecord(body) && typeof body.apiVersion === "string" && typeof body.kind === "string";
    if (!whole || !isRecord(body.metadata) || typeof body.metadata.name !== "string")
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
}
