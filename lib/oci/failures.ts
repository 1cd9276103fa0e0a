// What a registry's refusal means to a person: one error code for each kind, and which of them are worth another try.
import { PlatformError } from "../errors";
import { printable } from "../printable";
import { rightsFix, unauthorized } from "./login";

/** What the client throws for content that a registry lists and does not have. */
const goneCodes: readonly string[] = ["manifest-missing", "blob-missing"];

/** True for the error of content that is not in its registry, or not there any more. */
export function isContentGone(error: unknown): error is PlatformError {
  return error instanceof PlatformError && goneCodes.includes(error.code);
}

/** How long the other side asked to be left alone, in milliseconds. */
export interface Transient {
  readonly retryAfter?: number;
}

const transientErrors = new WeakMap<object, Transient>();

/** Marks an error as passing: `retrying` tries such an operation again. */
export function transient<E extends Error>(error: E, hint: Transient = {}): E {
  transientErrors.set(error, hint);
  return error;
}

/** The hint of an error marked by `transient`, else undefined. */
export function transientHint(error: unknown): Transient | undefined {
  return typeof error === "object" && error !== null ? transientErrors.get(error) : undefined;
}

/** Where in a conversation something went wrong. */
export interface Exchanged {
  readonly method: string;
  readonly url: URL;
}

/** `PUT 127.0.0.1:5000/v2/x/manifests/v1`; without the query, which may hold a signature. */
export function describe({ method, url }: Exchanged): string {
  return `${method} ${url.host}${url.pathname}`;
}

/** The first code and message of an OCI error document (distribution specification, "Error Codes"). */
export function errorDocument(text: string): { readonly code: string; readonly message: string } | undefined {
  try {
    const first = (JSON.parse(text) as { errors?: { code?: unknown; message?: unknown }[] }).errors?.[0];
    if (first === undefined || typeof first.code !== "string") return undefined;
    return { code: first.code, message: typeof first.message === "string" ? first.message : "" };
  } catch {
    return undefined;
  }
}

/** Distribution reports a full disk as 500 with the operating system's error in it: 28 is ENOSPC, 122 EDQUOT. */
const fullPattern = /no space left on device|ENOSPC|disk quota exceeded|"Err":(?:28|122)\b/i;

/** What an answer's headers add to its status. */
export interface RefusalHints {
  /** Milliseconds. */
  readonly retryAfter?: number;
  /** A 401 that is a matter of rights: the credentials are known and valid. */
  readonly lacksRights?: boolean;
  /** No credentials were found for the registry, so that rights are not what is missing. */
  readonly isNobody?: boolean;
}

/** The error for an answer whose status nobody expected. `body` is the beginning of the answer's body. */
export function refusal(
  exchanged: Exchanged,
  status: number,
  body: string,
  { retryAfter, lacksRights = false, isNobody = false }: RefusalHints = {},
): PlatformError {
  const document = errorDocument(body);
  const detail = document === undefined ? "" : ` (${printable(`${document.code} ${document.message}`)})`;
  const what = `registry answered ${status} to ${describe(exchanged)}${detail}`;
  const host = exchanged.url.host;
  const writing = exchanged.method !== "GET" && exchanged.method !== "HEAD";
  const error = (code: string, rule: string, fix: string) => new PlatformError(code, { what, rule, fix });

  if (status === 401 && !lacksRights) return unauthorized(what, host, isNobody);
  if (status === 403 || lacksRights) {
    if (isNobody) return unauthorized(`${what}, and no credentials for it were found`, host, true);
    return error("registry-forbidden", "the credentials must allow this", rightsFix(exchanged.url, writing));
  }
  if (status === 507 || (status >= 500 && fullPattern.test(body)))
    return error(
      "registry-full",
      "a registry needs room for what is pushed",
      `free space in the storage of ${host} and run again`,
    );
  if (status === 429)
    return transient(
      error(
        "registry-throttled",
        "the registry limits how often it is asked",
        retryAfter === undefined
          ? "wait some minutes and run again, or log in to raise the limit"
          : `run again in ${Math.ceil(retryAfter / 1000)} s, as it asks, or log in to raise the limit`,
      ),
      { retryAfter },
    );
  if (status >= 500 || status === 408)
    return transient(
      error("registry-unavailable", "the registry must answer", `look at the health of ${host} and run again`),
      { retryAfter },
    );
  if (writing && status === 405)
    return error(
      "registry-read-only",
      "a release is written to its registry",
      `take ${host} out of its read-only mode, or choose another registry`,
    );
  if (status === 409 || status === 412)
    return error(
      "registry-conflict",
      "what is there already is not overwritten",
      "look at what the registry holds under that name and choose another one",
    );
  return error(
    "registry-answer",
    "an OCI registry answers by the distribution specification",
    `check that ${host} is the registry you mean`,
  );
}

/** The error for an answer that breaks the protocol: a wrong digest, a page that is no manifest, a redirect to nowhere. */
export function badAnswer(exchanged: Exchanged, why: string): PlatformError {
  return new PlatformError("registry-answer", {
    what: `bad answer to ${describe(exchanged)}: ${printable(why)}`,
    rule: "every answer is checked against its digest and the distribution specification",
    fix: `check ${exchanged.url.host} and what stands between you and it`,
  });
}

const certificateCodes = /^(?:CERT_|ERR_TLS_|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|UNABLE_TO_)/;
/** The chain ends with an authority that nobody here knows. */
const untrustedCodes = /^(?:CERT_UNTRUSTED|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|UNABLE_TO_)/;

/** Codes of the errors that `unreachable` makes. */
export const unreachableCodes: readonly string[] = ["registry-unavailable", "registry-untrusted"];

/** The error for a conversation that ended without an answer; name and certificate faults do not pass by waiting. */
export function unreachable(exchanged: Exchanged, cause: unknown): PlatformError {
  const { code, text } = rootCause(cause);
  if (text === "unexpected redirect") return badAnswer(exchanged, "it redirects an upload, which is not followed");
  const host = exchanged.url.host;
  const error = (fix: string) =>
    new PlatformError(
      "registry-unavailable",
      { what: `no answer to ${describe(exchanged)}: ${printable(text)}`, rule: "the registry must be reachable", fix },
      { cause },
    );
  if (certificateCodes.test(code)) return untrusted(exchanged, text, untrustedCodes.test(code), cause);
  if (code === "EPROTO" || /wrong version number|packet length too long/i.test(text))
    return error(`list ${host} as insecure if it truly speaks plain http`);
  if (code === "ENOTFOUND") return error(`check the host name ${host}`);
  return transient(error(`check that ${host} runs and can be reached, then run again`));
}

function untrusted(exchanged: Exchanged, text: string, isUnknown: boolean, cause: unknown): PlatformError {
  const { host } = exchanged.url;
  return new PlatformError(
    "registry-untrusted",
    {
      what: `the certificate of ${host} is not trusted: ${printable(text)} (${describe(exchanged)})`,
      rule: "a registry is spoken to over TLS, by a certificate for its name from an authority that this machine knows",
      fix: isUnknown
        ? `run the command with NODE_EXTRA_CA_CERTS=<file of that authority>, and give the Docker engine the file as /etc/docker/certs.d/${host}/ca.crt`
        : `let whoever runs ${host} give it a certificate that is valid for that name and today`,
    },
    { cause },
  );
}

/** fetch hides the reason in a chain of causes, sometimes in an AggregateError of one for each address. */
function rootCause(error: unknown): { code: string; text: string } {
  let current = error as { cause?: unknown; errors?: unknown[]; code?: unknown; message?: unknown } | undefined;
  for (let depth = 0; depth < 8; depth++) {
    const next = (current?.cause ?? current?.errors?.[0]) as typeof current;
    if (next === undefined || next === null) break;
    current = next;
  }
  return {
    code: typeof current?.code === "string" ? current.code : "",
    text: String(current?.message || current?.code || current),
  };
}
