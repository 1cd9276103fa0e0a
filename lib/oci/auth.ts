// Basic and bearer authentication: challenges are answered once for each host and scope, tokens are kept in memory only.
// https://distribution.github.io/distribution/spec/auth/token/
import { type Challenge, mergeScopes, parseChallenges } from "./challenge";
import type { CredentialStore, Credentials } from "./credentials";
import { badAnswer, describe, refusal } from "./failures";
import { refuseHop, registryOrigin } from "./hosts";
import type { Limits } from "./limits";
import { unauthorized } from "./login";
import { parseRetryAfter } from "./retry";
import { send } from "./transport";

export interface AuthorizerOptions {
  readonly credentials: CredentialStore;
  readonly insecure: readonly string[];
  readonly limits: Limits;
  readonly signal?: AbortSignal;
}

/** Answers for one client. A value that `authorization` or `renew` gives is sent to that registry's own origin only. */
export interface Authorizer {
  /** The value to send without being asked; undefined while the registry has not asked for any. */
  authorization(registry: string, scopes: readonly string[]): Promise<string | undefined>;
  /** The value that answers a 401 to a request which carried `refused`; `registry-unauthorized` when there is none. */
  renew(
    registry: string,
    scopes: readonly string[],
    header: string | null,
    refused: string | undefined,
  ): Promise<string>;
  /** True when the registry asked who we are and there was nothing to tell it. */
  isNobody(registry: string): boolean;
}

/** What an `Authorization` header holds, for as long as it can be used. */
interface Value {
  readonly header: string;
  /** Milliseconds of the clock after which it is not used any more. */
  readonly expires: number;
}

/** What the specification lets a client assume where a token server names no life time, in seconds. */
const defaultTokenLife = 60;
/** Taken off each token's life, so that it does not end on its way, in milliseconds. */
const tokenMargin = 5000;
/** How long a name and password are used before the docker config is asked again, in milliseconds: helpers give short-lived ones. */
const basicLife = 5 * 60_000;

/**
 * An authorizer with nothing remembered. Errors of its answers: `registry-unauthorized`, those of a credential helper, and those
 * of a token server that refuses or does not answer.
 */
export function createAuthorizer({ credentials, insecure, limits, signal }: AuthorizerOptions): Authorizer {
  const challenges = new Map<string, Challenge>();
  const values = new Map<string, Promise<Value>>();
  const strangers = new Set<string>();

  async function find(registry: string): Promise<Credentials | undefined> {
    const found = await credentials.find(registry);
    if (found === undefined) strangers.add(registry);
    else strangers.delete(registry);
    return found;
  }

  /** Kept values by key; one that was refused or has run out is made anew, once for all who wait for it. */
  async function kept(key: string, refused: string | undefined, make: () => Promise<Value>): Promise<string> {
    const known = values.get(key);
    const value = await known;
    if (value !== undefined && value.header !== refused && value.expires > Date.now()) return value.header;
    const current = values.get(key);
    if (current !== undefined && current !== known) return (await current).header;
    const made = make();
    values.set(key, made);
    made.catch(() => values.delete(key));
    return (await made).header;
  }

  function value(registry: string, scopes: readonly string[], challenge: Challenge, refused?: string): Promise<string> {
    if (challenge.scheme === "basic") return kept(registry, refused, () => basic(registry));
    const asked = (challenge.parameters.scope ?? "").split(" ").filter((scope) => scope.includes(":"));
    return kept(`${registry} ${mergeScopes(scopes).join(" ")}`, refused, () =>
      fetchToken(registry, mergeScopes([...scopes, ...asked]), challenge),
    );
  }

  async function fetchToken(registry: string, scopes: readonly string[], { parameters }: Challenge): Promise<Value> {
    const origin = registryOrigin(registry, insecure);
    const realm = realmOf(registry, origin, parameters.realm);
    const found = await find(registry);
    const request = tokenRequest(realm, parameters.service, scopes, found);
    const answer = await send({ ...request, limits, signal });
    if (
      answer.status === 401 ||
      answer.status === 403 ||
      (answer.status === 400 && found !== undefined && "identityToken" in found)
    ) {
      await answer.discard();
      throw unauthorized(
        `token server answered ${answer.status} to ${describe(answer)} for ${registry}, ${sent(found)}`,
        registry,
        found === undefined,
      );
    }
    if (answer.status !== 200) {
      const retryAfter = parseRetryAfter(answer.headers.get("retry-after"));
      throw refusal(answer, answer.status, await answer.beginning(limits.errorBytes), { retryAfter });
    }
    const token = readToken((await answer.bytes(limits.tokenBytes)).toString());
    if (token === undefined) throw badAnswer(answer, "a token server's answer holds token or access_token");
    return token;
  }

  /** The token server is named by the registry, which credentials are for: it may live on another host, over TLS. */
  function realmOf(registry: string, origin: URL, realm: string | undefined): URL {
    const exchanged = { method: "GET", url: new URL("/v2/", origin) };
    if (realm === undefined || !URL.canParse(realm))
      throw badAnswer(exchanged, `the challenge of ${registry} names no token server`);
    const url = new URL(realm);
    const refused = refuseHop(origin, url, insecure);
    if (refused !== undefined) throw badAnswer(exchanged, `its token server ${url.host} is not used: ${refused}`);
    return url;
  }

  async function basic(registry: string): Promise<Value> {
    const found = await find(registry);
    if (found === undefined || "identityToken" in found) {
      throw unauthorized(`registry ${registry} asks for a name and password, ${sent(found)}`, registry, true);
    }
    return { header: basicValue(found), expires: Date.now() + basicLife };
  }

  return {
    async authorization(registry, scopes) {
      const challenge = challenges.get(registry);
      if (challenge === undefined) return undefined;
      const { scope: _earlier, ...parameters } = challenge.parameters;
      return value(registry, scopes, { ...challenge, parameters });
    },
    async renew(registry, scopes, header, refused) {
      const offered = parseChallenges(header ?? "");
      const challenge =
        offered.find(({ scheme }) => scheme === "bearer") ?? offered.find(({ scheme }) => scheme === "basic");
      if (challenge === undefined) {
        throw unauthorized(
          `registry ${registry} answered 401 and asks for neither basic nor bearer authentication`,
          registry,
          false,
        );
      }
      challenges.set(registry, challenge);
      return value(registry, scopes, challenge, refused);
    },
    isNobody: (registry) => strangers.has(registry),
  };
}

function basicValue({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** GET with basic authentication; POST (OAuth2) for a refresh token, which must not stand in an address. */
function tokenRequest(
  realm: URL,
  service: string | undefined,
  scopes: readonly string[],
  found: Credentials | undefined,
) {
  if (found !== undefined && "identityToken" in found) {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      client_id: "policy-platform",
      refresh_token: found.identityToken,
    });
    if (service !== undefined) form.set("service", service);
    if (scopes.length > 0) form.set("scope", scopes.join(" "));
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return { method: "POST", url: realm, headers, body: { bytes: Buffer.from(form.toString()) } };
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  const headers: Record<string, string> = found === undefined ? {} : { authorization: basicValue(found) };
  return { method: "GET", url, headers };
}

function readToken(text: string): Value | undefined {
  try {
    const answer = JSON.parse(text) as { token?: unknown; access_token?: unknown; expires_in?: unknown };
    const token = answer.token || answer.access_token;
    if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) return undefined;
    const seconds =
      typeof answer.expires_in === "number" && answer.expires_in > 0
        ? Math.max(answer.expires_in, defaultTokenLife)
        : defaultTokenLife;
    return { header: `Bearer ${token}`, expires: Date.now() + seconds * 1000 - tokenMargin };
  } catch {
    return undefined;
  }
}

function sent(found: Credentials | undefined): string {
  if (found === undefined) return "and no credentials for it are in the docker config";
  if ("identityToken" in found) return "with the identity token of the docker config";
  return found.isGoogleToken
    ? "with an access token of Google's default credentials"
    : "with the credentials of the docker config";
}
