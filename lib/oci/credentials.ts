// Credentials of registries as Docker keeps them: config.json, its credential helpers and its store.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PlatformError } from "../errors";
import { exec } from "../exec";
import { homeFolder } from "../home";
import { printable } from "../printable";
import { dockerHubHosts } from "./hosts";

/** A name with its password, or a refresh token for a token server (OAuth2). */
export type Credentials =
  | {
      readonly username: string;
      readonly password: string;
      /** The password is a token of Google's default credentials, for errors to say so. */
      readonly isGoogleToken?: true;
    }
  | { readonly identityToken: string };

/** Finds the credentials of one registry host, port included; undefined when there are none. Never part of any state. */
export interface CredentialStore {
  find(registryHost: string): Promise<Credentials | undefined>;
}

/** For registries and tests that need none. */
export const noCredentials: CredentialStore = { find: async () => undefined };

export interface DockerCredentialsOptions {
  /** Milliseconds a credential helper may take, with all that it starts; default 30,000, as cloud helpers ask a server of their own. */
  readonly timeout?: number;
}

/** Bytes of a helper's answer; a token is some kilobytes. */
const maxAnswer = 1024 * 1024;

/** Docker Hub's key in every docker config since 2013; a helper is asked for it by this very text. */
const dockerHubKey = "https://index.docker.io/v1/";

/** What cloud and desktop helpers, and Google's library, read from the environment beside the allow-list of every child. */
const loginVariables =
  /^(?:AWS_|AZURE_|CLOUDSDK_|GCE_METADATA_|GOOGLE_|PASSWORD_STORE_|XDG_)|^(?:DOCKER_CONFIG|METADATA_SERVER_DETECTION|GNUPGHOME|GPG_TTY|DBUS_SESSION_BUS_ADDRESS|DISPLAY|HTTPS?_PROXY|NO_PROXY)$/i;

/** The variables by which a child finds logins as this process would. */
export function loginEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const passed = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && loginVariables.test(entry[0]),
  );
  return Object.fromEntries(passed);
}

interface AuthEntry {
  readonly auth?: unknown;
  readonly username?: unknown;
  readonly password?: unknown;
  readonly identitytoken?: unknown;
}

interface DockerConfig {
  readonly auths?: Readonly<Record<string, AuthEntry | null>>;
  readonly credHelpers?: Readonly<Record<string, unknown>>;
  readonly credsStore?: unknown;
}

/**
 * Reads `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`, at each look-up (logins happen while we run). A host
 * matches its own entry exactly, port included. Errors: `docker-config-malformed`, `credential-helper-failed`.
 */
export function dockerCredentials(
  env: NodeJS.ProcessEnv = process.env,
  { timeout = 30_000 }: DockerCredentialsOptions = {},
): CredentialStore {
  const path = join(env.DOCKER_CONFIG || join(homeFolder(env), ".docker"), "config.json");
  return {
    async find(registryHost) {
      const config = await readConfig(path);
      if (config === undefined) return undefined;
      const names = namesOf(registryHost);
      const helper =
        names.map((name) => own(config.credHelpers, name)).find((name) => name !== undefined) ?? config.credsStore;
      if (helper !== undefined && helper !== "") {
        const server = dockerHubHosts.includes(registryHost) ? dockerHubKey : registryHost;
        const found = await askHelper(helper, server, env, timeout);
        if (found !== undefined) return found;
      }
      for (const name of names) {
        const found = fromEntry(own(config.auths, name), path, name);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

/** The keys under which tools store one host, the usual one first. Nothing else ever matches. */
function namesOf(host: string): string[] {
  if (dockerHubHosts.includes(host)) return [dockerHubKey, "docker.io"];
  return [host, `https://${host}`, `https://${host}/`, `https://${host}/v1/`, `https://${host}/v2/`, `http://${host}`];
}

function own<T>(map: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;
}

async function readConfig(path: string): Promise<DockerConfig | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw malformed(path, `it cannot be read (${code})`);
  }
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch {
    throw malformed(path, "it is not JSON"); // the parser's message quotes the file, which holds passwords
  }
  const object = (value: unknown) =>
    value === undefined || (typeof value === "object" && value !== null && !Array.isArray(value));
  const { auths, credHelpers } = (config ?? {}) as DockerConfig;
  if (config === null || !object(config) || !object(auths) || !object(credHelpers))
    throw malformed(path, "it has not the shape of a docker config");
  return config as DockerConfig;
}

function fromEntry(entry: AuthEntry | null | undefined, path: string, name: string): Credentials | undefined {
  if (entry === undefined || entry === null || typeof entry !== "object") return undefined;
  if (typeof entry.identitytoken === "string" && entry.identitytoken !== "")
    return { identityToken: entry.identitytoken };
  if (typeof entry.auth === "string" && entry.auth !== "") {
    const text = Buffer.from(entry.auth, "base64").toString("utf8").replace(/\0+$/, "");
    const colon = text.indexOf(":");
    if (colon <= 0) throw malformed(path, `the entry of ${printable(name)} is not base64 of name:password`);
    return { username: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  if (typeof entry.username === "string" && entry.username !== "" && typeof entry.password === "string") {
    return { username: entry.username, password: entry.password };
  }
  return undefined;
}

/** The protocol of docker-credential-helpers: `get` with the server on standard input, JSON or a message on standard output. */
async function askHelper(
  helper: unknown,
  server: string,
  env: NodeJS.ProcessEnv,
  timeout: number,
): Promise<Credentials | undefined> {
  if (typeof helper !== "string" || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(helper)) {
    throw helperFailed(
      "docker-credential-…",
      server,
      "its name in the docker config is not letters, digits, dots and dashes",
    );
  }
  const program = `docker-credential-${helper}`;
  const { PATH, HOME } = env;
  const result = await exec(program, ["get"], {
    input: server,
    timeout,
    maxOutput: maxAnswer,
    env: { ...(PATH !== undefined && { PATH }), ...(HOME !== undefined && { HOME }), ...loginEnvironment(env) },
  }).catch((error: NodeJS.ErrnoException) => {
    throw helperFailed(
      program,
      server,
      error.code === "ENOENT" ? "it is not on the PATH" : `it cannot be started (${error.code})`,
    );
  });
  if (result.timedOut) throw helperFailed(program, server, `it did not answer within ${timeout / 1000} s`);
  if (result.code !== 0) {
    if (/credentials not found|no credentials|not logged in/i.test(result.stdout)) return undefined;
    throw helperFailed(program, server, `it ended with ${result.code}${said(result.stdout || result.stderr)}`);
  }
  if (Buffer.byteLength(result.stdout) >= maxAnswer) throw helperFailed(program, server, "its answer has no end");
  // A replaced byte would make another password of it, which the registry then refuses.
  if (result.stdout.includes("\ufffd")) throw helperFailed(program, server, "its answer is not UTF-8");
  let answer: { Username?: unknown; Secret?: unknown };
  try {
    answer = JSON.parse(result.stdout) ?? {};
  } catch {
    throw helperFailed(program, server, "its answer is not JSON");
  }
  if (typeof answer.Username !== "string" || typeof answer.Secret !== "string")
    throw helperFailed(program, server, "its answer has no Username and Secret");
  if (answer.Username === "" && answer.Secret === "") return undefined;
  return answer.Username === "<token>"
    ? { identityToken: answer.Secret }
    : { username: answer.Username, password: answer.Secret };
}

/** A failing helper's own words, unless they may be an answer. */
function said(text: string): string {
  return text.trim() === "" || /(?:secret|password|token)\W*[:=]/i.test(text) ? "" : `: ${printable(text)}`;
}

function malformed(path: string, why: string): PlatformError {
  return new PlatformError("docker-config-malformed", {
    what: `docker config ${path}: ${why}`,
    rule: "registry credentials come from the docker config",
    fix: "mend the file, or log in again with docker login",
  });
}

function helperFailed(program: string, server: string, why: string): PlatformError {
  return new PlatformError("credential-helper-failed", {
    what: `credential helper ${program} gave nothing for ${server}: ${why}`,
    rule: "the docker config names it for this registry",
    fix: `try it by hand: echo ${server} | ${program} get`,
  });
}
