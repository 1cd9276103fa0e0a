// Login to Google's registries: a short-lived access token of the environment's default credentials, as the library of Google finds them
// (a file of gcloud or of workload identity federation, a service account's key, the metadata server). Never part of any state.
import type { GoogleAuth, GoogleAuthOptions } from "google-auth-library";
import type { CredentialStore } from "./credentials";
import { hasNoCredentials, noToken, staleToken, tokenFailure, tokenTimeout, unreadable } from "./googleFailures";

/** The name that Google's registries take an access token under. */
const tokenUser = "oauth2accesstoken";
const scope = "https://www.googleapis.com/auth/cloud-platform";

export interface GoogleCredentialsOptions {
  /** Milliseconds in which a token must be there, all tries of the library together; default 30,000. */
  readonly timeout?: number;
  /** What the library sends its requests by; default: Node's own. */
  readonly fetch?: typeof fetch;
}

interface Token {
  readonly value: string;
  /** Milliseconds of the clock. */
  readonly expires: number;
}

/** Taken off a token's life, in milliseconds: what is begun with it must still be able to end. */
const margin = 60_000;

/** True for the hosts that take such tokens: Artifact Registry's and Container Registry's. */
export function isGoogleRegistry(host: string): boolean {
  return /^(?:[a-z0-9-]+-docker\.pkg\.dev|(?:[a-z0-9-]+\.)?gcr\.io)$/.test(host);
}

/**
 * Credentials for Google's registries and no other host; undefined where the environment has none, as public images need none.
 * One token serves all hosts until a minute before its end. Errors: `google-credentials-malformed`, `google-credentials-refused`,
 * `google-token-unavailable`; none of them holds what a token server said.
 */
export function createGoogleCredentials(options: GoogleCredentialsOptions = {}): CredentialStore {
  let current: Promise<Token | undefined> | undefined;

  async function token(): Promise<Token | undefined> {
    const known = current;
    const kept = await known;
    if (kept !== undefined && kept.expires - margin > Date.now()) return kept;
    if (current !== known) return current;
    const asked = fetchToken(options);
    current = asked;
    asked
      .catch(() => undefined)
      .then((found) => {
        if (found === undefined && current === asked) current = undefined; // a login may come at any time
      });
    return asked;
  }

  return {
    async find(host) {
      if (!isGoogleRegistry(host)) return undefined;
      const found = await token();
      return found && { username: tokenUser, password: found.value, isGoogleToken: true };
    },
  };
}

/** The one of this process. */
export const googleCredentials: CredentialStore = createGoogleCredentials();

async function fetchToken({
  timeout = 30_000,
  fetch = globalThis.fetch,
}: GoogleCredentialsOptions): Promise<Token | undefined> {
  delete process.env.GOOGLE_SDK_NODE_LOGGING; // by it the library prints every answer, tokens included
  const library = await import("google-auth-library");
  const abort = new AbortController();
  const clientOptions: GoogleAuthOptions["clientOptions"] = {
    // The library's own fetch ends the whole process where it is aborted between two tries.
    transporterOptions: { signal: abort.signal, fetchImplementation: fetch },
  };
  // Without a project the library looks for one at each start, and runs gcloud for it; a token needs none.
  const auth = new library.GoogleAuth({ scopes: scope, projectId: "none", clientOptions });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(tokenTimeout(timeout)), timeout);
  });
  try {
    return await Promise.race([ask(auth), late]);
  } catch (error) {
    throw tokenFailure(error);
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
}

async function ask(auth: GoogleAuth): Promise<Token | undefined> {
  const client = await auth.getClient().catch((error: unknown) => {
    if (hasNoCredentials(error)) return undefined;
    throw unreadable(error);
  });
  if (client === undefined) return undefined;
  // The exchange of workload identity federation has a transport of its own, which knows of neither.
  const { stsCredential } = client as unknown as { stsCredential?: { transporter: unknown } };
  if (stsCredential) stsCredential.transporter = client.transporter;
  const { token } = await client.getAccessToken();
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) throw noToken();
  const expires = client.credentials.expiry_date ?? Date.now() + 2 * margin;
  if (expires <= Date.now()) throw staleToken();
  return { value: token, expires };
}
