// How requests reach a cluster as its kubeconfig says: server, certificates, proxy and who asks. The official client library makes the
// agent; finding the kubeconfig, credential plugins and limits are ours. docs/decisions/0150-a-client-for-clusters.md
import { readFile } from "node:fs/promises";
import type { Agent } from "node:http";
import { resolve } from "node:path";
import type { Cluster, User } from "@kubernetes/client-node/dist/config_types.js";
import { messageOf } from "../errors";
import { printable } from "../printable";
import { isRecord } from "../record";
import { kubeconfigMalformed } from "./errors";
import { runExecPlugin } from "./execPlugin";
import type { Entry, Fields, Target } from "./kubeconfig";
import { proxyOf } from "./proxy";

export interface Connection {
  readonly server: URL;
  readonly agent: Agent;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** TLS options, which go to the request beside the agent. */
  readonly tls: Readonly<Record<string, unknown>>;
  /** Milliseconds since 1970 after which the credentials are old; infinity where nobody says. */
  readonly expires: number;
  /** Whether there may be new credentials when the cluster refuses these: a plugin or a file gives them. */
  readonly isRenewable: boolean;
}

/** Token files and refreshed tokens are looked at again after this time, as client-go does. */
const renewAfter = 60_000;
/** A credential is renewed this long before it ends: clocks differ. */
const margin = 10_000;

/** Runs credential plugins and reads files, but sends nothing to the cluster. */
export async function openConnection(target: Target, signal?: AbortSignal): Promise<Connection> {
  const cluster = await clusterOf(target);
  const { user, headers, expires, isRenewable } = await userOf(target, cluster.caData, signal);
  const { KubeConfig } = await import("@kubernetes/client-node/dist/config.js");
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [cluster],
    users: [user],
    contexts: [{ name: target.context, cluster: cluster.name, user: user.name }],
    currentContext: target.context,
  });
  const options: Parameters<typeof config.applyToHTTPSOptions>[0] = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    throw kubeconfigMalformed(target.origin, printable(messageOf(error)));
  }
  const { agent, headers: found, ca, cert, key, rejectUnauthorized, servername, auth } = options;
  const open = agent as Agent & { keepAlive: boolean };
  open.keepAlive = true; // the library's agents close after each answer, and a wait asks often
  return {
    server: new URL(cluster.server),
    agent: open,
    headers: {
      ...(found as Record<string, string>),
      ...(auth ? { Authorization: `Basic ${Buffer.from(auth).toString("base64")}` } : {}),
      ...headers,
    },
    tls: { ca, cert, key, rejectUnauthorized, servername },
    expires,
    isRenewable,
  };
}

async function clusterOf({ origin, cluster }: Target): Promise<Cluster> {
  const { name, fields } = cluster;
  const bad = (reason: string) => kubeconfigMalformed(origin, `its cluster ${printable(name, 80)} ${reason}`);
  const server = text(fields, "server");
  if (!server || !URL.canParse(server) || !/^https?:$/.test(new URL(server).protocol))
    throw bad("has no server by https");
  if (new URL(server).username || new URL(server).password) throw bad("has a login in the address of its server");
  return {
    name,
    server: server.replace(/\/+$/, ""),
    caData: await material(origin, cluster, "certificate-authority"),
    tlsServerName: text(fields, "tls-server-name"),
    // The library takes plain http, as of `kubectl proxy`, only so.
    skipTLSVerify: fields["insecure-skip-tls-verify"] === true || server.startsWith("http:"),
    proxyUrl: text(fields, "proxy-url") ?? proxyOf(new URL(server)),
  };
}

interface Asker {
  readonly user: User;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly expires: number;
  readonly isRenewable: boolean;
}

async function userOf(target: Target, caData: string | undefined, signal: AbortSignal | undefined): Promise<Asker> {
  const { origin, user } = target;
  const { name, fields } = user;
  const headers = impersonation(target);
  if (isRecord(fields.exec)) {
    const { token, certificate, key, expires } = await runExecPlugin(target, fields.exec, { caData, signal });
    return {
      user: { name, token, certData: base64(certificate), keyData: base64(key) },
      headers,
      expires: expires === undefined ? Number.POSITIVE_INFINITY : expires - margin,
      isRenewable: true,
    };
  }
  const provider = fields["auth-provider"];
  if (isRecord(provider) && provider.name !== "oidc")
    throw kubeconfigMalformed(
      origin,
      `its user ${printable(name, 80)} has an auth-provider, which kubectl does not know any more; an exec plugin takes its place`,
    );
  const file = text(fields, "tokenFile");
  const isRenewable = file !== undefined || isRecord(provider);
  return {
    user: {
      name,
      token: file === undefined ? text(fields, "token") : (await read(origin, user, file)).toString().trim(),
      certData: await material(origin, user, "client-certificate"),
      keyData: await material(origin, user, "client-key"),
      username: text(fields, "username"),
      password: text(fields, "password"),
      ...(isRecord(provider) ? { authProvider: structuredClone(provider) } : {}),
    },
    headers,
    expires: isRenewable ? Date.now() + renewAfter : Number.POSITIVE_INFINITY,
    isRenewable,
  };
}

function impersonation({ origin, user }: Target): Record<string, string | string[]> {
  const { name, fields } = user;
  const groups = fields["as-groups"];
  const extra = fields["as-user-extra"] ?? {};
  if (!isRecord(extra) || !Object.values(extra).every((values) => Array.isArray(values)))
    throw kubeconfigMalformed(origin, `its user ${printable(name, 80)} has an as-user-extra that is no map of lists`);
  return {
    ...(text(fields, "as") ? { "Impersonate-User": text(fields, "as")! } : {}),
    ...(text(fields, "as-uid") ? { "Impersonate-Uid": text(fields, "as-uid")! } : {}),
    ...(Array.isArray(groups) ? { "Impersonate-Group": groups.map(String) } : {}),
    ...Object.fromEntries(
      Object.entries(extra as Record<string, unknown[]>).map(([key, values]) => [
        `Impersonate-Extra-${escaped(key)}`,
        values.map(String),
      ]),
    ),
  };
}

/** What no name of a header may hold, and the `%` of the escape itself, as client-go writes it (`acme.com/scopes`). */
function escaped(key: string): string {
  return [...Buffer.from(key)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      if (/[!#$&'*+.^_`|~0-9A-Za-z-]/.test(character)) return character;
      return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}

/** Base64 of what stands under `<key>-data`, or in the file under `<key>`. */
async function material(origin: string, entry: Entry, key: string): Promise<string | undefined> {
  const data = text(entry.fields, `${key}-data`);
  if (data !== undefined) return data;
  const file = text(entry.fields, key);
  return file === undefined ? undefined : (await read(origin, entry, file)).toString("base64");
}

async function read(origin: string, { name, folder }: Entry, file: string): Promise<Buffer> {
  try {
    return await readFile(resolve(folder, file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw kubeconfigMalformed(
      origin,
      `${printable(name, 80)} names the file ${printable(file)}, which cannot be read (${code})`,
    );
  }
}

function text(fields: Fields, key: string): string | undefined {
  const value = fields[key];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function base64(value: string | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString("base64");
}
