// What it means when Google's default credentials give no token. Nothing of an answer's text is repeated: it may hold what was sent.
import { PlatformError } from "../errors";
import { printable } from "../printable";

/** What the library's errors may have, all of it unproven. */
interface LibraryError {
  readonly message?: unknown;
  readonly code?: unknown;
  readonly status?: unknown;
  readonly config?: { readonly url?: unknown };
  readonly response?: { readonly status?: unknown; readonly data?: unknown };
}

const loginAgain =
  "log in again with gcloud auth application-default login, mend the workload identity, or docker login the registry";

/** True for the library's way to say that the environment has no default credentials at all. */
export function hasNoCredentials(thrown: unknown): boolean {
  return /^Could not load the default credentials/.test(String((thrown as LibraryError | undefined)?.message));
}

/** The error for default credentials that cannot be read. */
export function unreadable(thrown: unknown): PlatformError {
  const file = process.env.GOOGLE_APPLICATION_CREDENTIALS;
  return new PlatformError("google-credentials-malformed", {
    what: `Google's default credentials${file ? ` in ${printable(file)} (GOOGLE_APPLICATION_CREDENTIALS)` : ""} cannot be used: ${whyUnreadable(thrown)}`,
    rule: "default credentials are a file of Google's own tools, or the metadata server",
    fix: `mend what GOOGLE_APPLICATION_CREDENTIALS names or unset it, or ${loginAgain}`,
  });
}

function whyUnreadable(thrown: unknown): string {
  const { code, message } = (thrown ?? {}) as LibraryError;
  const missing = /The file at (.+?) does not exist/.exec(String(message))?.[1];
  if (missing !== undefined) return `${printable(missing)} is not there`;
  if (code === "ENOENT") return "a file that they name is not there";
  // The parser's message quotes the file.
  return thrown instanceof SyntaxError ? "what is read is not JSON" : "they have not the shape of credentials";
}

/** The error for credentials that could be read and gave no token. */
export function tokenFailure(thrown: unknown): PlatformError {
  if (thrown instanceof PlatformError) return thrown;
  const error = (thrown ?? {}) as LibraryError;
  const message = String(error.message);
  const status = Number(error.response?.status ?? error.status);
  if (status >= 400) return ofStatus(status, error);
  if (
    error.code === "ENOENT" ||
    thrown instanceof SyntaxError ||
    /does not exist|DECODER|PEM|asymmetric key/.test(message)
  )
    return unreadable(thrown);
  if (thrown instanceof TypeError || /^Could not refresh access token\.$/.test(message)) return noToken();
  return unavailable(`no answer from ${serverOf(error)}${wordOf(error.code, (word) => `: ${word}`)}`);
}

function ofStatus(status: number, error: LibraryError): PlatformError {
  const answered = `${serverOf(error)} answered ${status}${wordOf(reasonOf(error), (word) => ` ${word}`)}`;
  if (status >= 500 || status === 408 || status === 429) return unavailable(answered);
  return new PlatformError("google-credentials-refused", {
    what: `Google's default credentials gave no token: ${answered}; they are expired, revoked or not allowed to`,
    rule: "a registry of Google takes a short-lived token, which the environment's default credentials must give",
    fix: loginAgain,
  });
}

/** The error for an answer without a token. */
export function noToken(): PlatformError {
  return unavailable("the token server's answer holds no token");
}

/** The error for a token whose time is over already. */
export function staleToken(): PlatformError {
  return new PlatformError("google-credentials-refused", {
    what: "Google's default credentials gave a token that has expired already",
    rule: "a registry of Google takes a short-lived token, which the environment's default credentials must give",
    fix: `set this machine's clock; if it is right, ${loginAgain}`,
  });
}

/** The error for a token server that hangs. */
export function tokenTimeout(milliseconds: number): PlatformError {
  return unavailable(`no token came within ${milliseconds / 1000} s`);
}

function unavailable(why: string): PlatformError {
  return new PlatformError("google-token-unavailable", {
    what: `Google's default credentials gave no token: ${why}`,
    rule: "a registry of Google takes a short-lived token, which the environment's default credentials must give",
    fix: "see that the token server can be reached from here, then run again",
  });
}

/** Host of the request that failed; which server it is matters, what was asked for does not. */
function serverOf({ config }: LibraryError): string {
  const url = String(config?.url ?? "");
  return URL.canParse(url) ? `token server ${new URL(url).host}` : "the token server";
}

/** The error's own name by OAuth 2.0 (`invalid_grant`) or by Google's APIs (`PERMISSION_DENIED`). */
function reasonOf({ response }: LibraryError): unknown {
  const { error } = (typeof response?.data === "object" && response.data !== null ? response.data : {}) as {
    error?: unknown;
  };
  return typeof error === "object" && error !== null ? (error as { status?: unknown }).status : error;
}

/** Only a word is repeated. */
function wordOf(value: unknown, shown: (word: string) => string): string {
  return typeof value === "string" && /^[A-Za-z_]{1,40}$/.test(value) ? shown(value) : "";
}
