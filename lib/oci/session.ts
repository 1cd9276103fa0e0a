// One conversation with registries: addresses, authentication, redirects and what a refusal means.
import { PlatformError } from "../errors";
import { type Authorizer, createAuthorizer } from "./auth";
import { parseChallenges } from "./challenge";
import { type CredentialStore, noCredentials } from "./credentials";
import { badAnswer, describe, refusal } from "./failures";
import { refuseHop, registryOrigin } from "./hosts";
import { defaultLimits, type Limits } from "./limits";
import { unauthorized } from "./login";
import { parseRetryAfter, retrying } from "./retry";
import { type Answer, type RequestBody, send } from "./transport";

export interface ClientOptions {
  /** Default: none, every registry is asked anonymously. */
  readonly credentials?: CredentialStore;
  /** Ends every request and every wait; what was asked then rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Hosts, port included, that are spoken to over plain http. Loopback always is. */
  readonly insecure?: readonly string[];
  /** Told of waits and second tries. */
  readonly log?: (text: string) => void;
  /** Other bounds than `defaultLimits`. */
  readonly limits?: Partial<Limits>;
}

export interface Exchange {
  readonly method: "GET" | "HEAD" | "PUT" | "POST";
  /** The registry whose credentials may be used, as references write it. */
  readonly registry: string;
  readonly url: URL;
  readonly scopes: readonly string[];
  /** Statuses that the caller handles; every other one is thrown as what it means. */
  readonly expect: readonly number[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for each time the request is sent. */
  readonly body?: () => RequestBody | Promise<RequestBody>;
}

export interface Session {
  readonly limits: Limits;
  readonly signal?: AbortSignal;
  readonly insecure: readonly string[];
  /** The address of `path` (percent-encoded where needed) below the registry's `/v2/`. */
  address(registry: string, path: string): URL;
  /** Sends a request, answers a challenge, follows redirects of GET and HEAD. Not repeated on faults: see `attempt`. */
  exchange(exchange: Exchange): Promise<Answer>;
  /** Runs an operation of one or more exchanges, again where its fault may pass. */
  attempt<T>(operation: (attempt: number) => Promise<T>): Promise<T>;
}

const redirects = [301, 302, 303, 307, 308];

export function createSession(options: ClientOptions): Session {
  const limits = { ...defaultLimits, ...options.limits };
  const { signal, log } = options;
  const insecure = (options.insecure ?? []).map((host) => host.toLowerCase());
  const authorizer = createAuthorizer({ credentials: options.credentials ?? noCredentials, insecure, limits, signal });
  return {
    limits,
    signal,
    insecure,
    address: (registry, path) => new URL(`/v2/${path}`, registryOrigin(registry, insecure)),
    exchange: (exchange) => authenticated(exchange, { authorizer, limits, signal, insecure }),
    attempt: (operation) => retrying(operation, { limits, signal, log }),
  };
}

interface Means {
  readonly authorizer: Authorizer;
  readonly limits: Limits;
  readonly signal?: AbortSignal;
  readonly insecure: readonly string[];
}

async function authenticated(exchange: Exchange, means: Means): Promise<Answer> {
  const { authorizer } = means;
  const { registry, scopes } = exchange;
  const origin = registryOrigin(registry, means.insecure).origin;
  const credential = await authorizer.authorization(registry, scopes);
  let answer = await followed(exchange, credential, means);
  if (answer.status === 401) {
    const header = answer.headers.get("www-authenticate");
    await answer.discard();
    // Another host's challenge is not the registry's: it must not get what the registry would.
    if (answer.url.origin !== origin)
      throw unauthorized(`${describe(answer)}, where ${registry} sent us, answered 401`, registry, false);
    answer = await followed(exchange, await authorizer.renew(registry, scopes, header, credential), means);
  }
  if (exchange.expect.includes(answer.status)) return answer;
  let failure = await refusalOf(answer, exchange, means);
  if (failure.code === "registry-forbidden") {
    const seen = await seenAsWriter(exchange, means);
    if (seen !== undefined && exchange.expect.includes(seen.status)) return seen;
    if (seen !== undefined) failure = await refusalOf(seen, exchange, means);
  }
  throw failure;
}

async function refusalOf(
  answer: Answer,
  { registry }: Exchange,
  { authorizer, limits }: Means,
): Promise<PlatformError> {
  // A valid token without the right to do this is 401 to some registries (RFC 6750, 3.1), and a matter of rights all the same.
  const lacksRights =
    answer.status === 401 &&
    parseChallenges(answer.headers.get("www-authenticate") ?? "").some(
      ({ parameters }) => parameters.error === "insufficient_scope",
    );
  const retryAfter = parseRetryAfter(answer.headers.get("retry-after"));
  const hints = { retryAfter, lacksRights, isNobody: authorizer.isNobody(registry) };
  return refusal(answer, answer.status, await answer.beginning(limits.errorBytes), hints);
}

/**
 * Docker Hub hides a repository that is not there behind a refusal, and tells it to those alone who may make it: before its first
 * push a repository of one's own can be read with the right to write only. Undefined where there is no such right to be had.
 */
async function seenAsWriter(exchange: Exchange, means: Means): Promise<Answer | undefined> {
  const { authorizer } = means;
  const { registry, expect } = exchange;
  const scopes = exchange.scopes.map((scope) => scope.replace(/:pull$/, ":pull,push"));
  if (!expect.includes(404) || authorizer.isNobody(registry) || scopes.join() === exchange.scopes.join())
    return undefined;
  try {
    const asReader = await authorizer.authorization(registry, exchange.scopes);
    const asWriter = await authorizer.authorization(registry, scopes);
    if (asWriter === undefined || asWriter === asReader) return undefined;
    return await followed(exchange, asWriter, means);
  } catch (error) {
    means.signal?.throwIfAborted();
    if (!(error instanceof PlatformError) || error.code !== "registry-unauthorized") throw error;
    return undefined; // by a token server that refuses what it does not grant
  }
}

/** Sends to `exchange.url` and on to where it is redirected. The credential goes to the registry's own origin and nowhere else. */
async function followed(exchange: Exchange, authorization: string | undefined, means: Means): Promise<Answer> {
  const { limits, signal, insecure } = means;
  const { origin } = registryOrigin(exchange.registry, insecure);
  let credential = authorization;
  let url = exchange.url;
  for (let hops = 0; ; hops++) {
    if (url.origin !== origin) credential = undefined;
    const headers = { ...exchange.headers, ...(credential === undefined ? {} : { authorization: credential }) };
    const answer = await send({ method: exchange.method, url, headers, body: await exchange.body?.(), limits, signal });
    const location = answer.headers.get("location");
    const reading = exchange.method === "GET" || exchange.method === "HEAD";
    if (!reading || !redirects.includes(answer.status) || location === null) return answer;
    await answer.discard();
    if (hops >= limits.redirects) throw badAnswer(answer, `more than ${limits.redirects} redirects`);
    if (!URL.canParse(location, url.href)) throw badAnswer(answer, "it redirects to what is no address");
    const next = new URL(location, url);
    const refused = refuseHop(url, next, insecure);
    if (refused !== undefined) throw badAnswer(answer, `its redirect to ${next.host} is not followed: ${refused}`);
    url = next;
  }
}
