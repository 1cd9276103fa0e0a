// Credential plugins of a kubeconfig (client.authentication.k8s.io): argv, an environment from an allow-list, bounded time and output.
import { basename, isAbsolute, resolve } from "node:path";
import { exec } from "../exec";
import { printable } from "../printable";
import { isRecord } from "../record";
import { execFailed, execMissing, kubeconfigMalformed } from "./errors";
import type { Entry, Fields, Target } from "./kubeconfig";

/** What a plugin answered; PEM as text. */
export interface ExecCredential {
  readonly token?: string;
  readonly certificate?: string;
  readonly key?: string;
  /** Milliseconds since 1970; absent: until the cluster refuses it. */
  readonly expires?: number;
}

const timeout = 60_000;
const maxOutput = 1024 * 1024;
/** Beside what every child sees: where the plugins of the large clouds find their logins, and how they reach the network. */
const allowed =
  /^(GOOGLE_|CLOUDSDK_|AWS_|AZURE_|OCI_|USE_GKE_GCLOUD_AUTH_PLUGIN$|KUBECONFIG$|(HTTPS?|NO)_PROXY$|(https?|no)_proxy$|SSL_CERT_(FILE|DIR)$)/;
const versions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

export interface ExecOptions {
  /** Base64 of the certificate of the cluster's authority, wherever the kubeconfig has it. */
  readonly caData?: string;
  readonly signal?: AbortSignal;
}

/** Runs the plugin of `target`'s user and returns what it printed. */
export async function runExecPlugin(target: Target, spec: Fields, options: ExecOptions): Promise<ExecCredential> {
  const { caData, signal } = options;
  const { command, args, env, apiVersion, installHint, interactiveMode } = check(target, spec);
  if (interactiveMode === "Always") throw execFailed(command, "wants to talk to a person, and nobody is there");
  const program = /[/\\]/.test(command) && !isAbsolute(command) ? resolve(target.user.folder, command) : command;
  const info = {
    apiVersion,
    kind: "ExecCredential",
    spec: {
      interactive: false,
      ...(spec.provideClusterInfo === true ? { cluster: clusterInfo(target.cluster, caData) } : {}),
    },
  };
  const seen = Object.entries(process.env).flatMap(([name, value]) =>
    allowed.test(name) && value !== undefined ? [[name, value] as const] : [],
  );
  const result = await exec(program, args, {
    env: { ...Object.fromEntries(seen), ...env, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
    timeout,
    maxOutput,
    signal,
  }).catch((error: NodeJS.ErrnoException) => {
    if (signal?.aborted) throw signal.reason;
    if (error.code === "ENOENT") throw execMissing(command, installHint);
    throw execFailed(command, `cannot be started (${error.code ?? printable(error.message)})`);
  });
  if (result.timedOut) throw execFailed(command, `did not end within ${timeout / 1000} s`);
  if (result.code !== 0)
    throw execFailed(
      command,
      `ended with ${result.code ?? "a signal"}: ${printable(result.stderr) || "it said nothing"}`,
    );
  return credential(basename(command), result.stdout);
}

interface Plugin {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly apiVersion: string;
  readonly installHint?: string;
  readonly interactiveMode?: unknown;
}

function check({ origin, user }: Target, spec: Fields): Plugin {
  const bad = (reason: string) =>
    kubeconfigMalformed(origin, `the exec plugin of its user ${printable(user.name, 80)} ${reason}`);
  const { command, args = [], env = [], apiVersion, installHint, interactiveMode } = spec;
  if (typeof command !== "string" || command === "" || command.includes("\0")) throw bad("has no command");
  if (typeof apiVersion !== "string" || !versions.includes(apiVersion)) throw bad(`is not of ${versions.join(" or ")}`);
  const list = args ?? [];
  if (!Array.isArray(list) || !list.every((arg) => typeof arg === "string" && !arg.includes("\0")))
    throw bad("has arguments that are no texts");
  const variables = env ?? [];
  if (!Array.isArray(variables) || !variables.every(isVariable))
    throw bad("has an env that is no list of name and value");
  return {
    command,
    args: list as string[],
    env: Object.fromEntries(variables.map(({ name, value }) => [name, value])),
    apiVersion,
    installHint: typeof installHint === "string" ? installHint : undefined,
    interactiveMode,
  };
}

function isVariable(value: unknown): value is { name: string; value: string } {
  return isRecord(value) && typeof value.name === "string" && typeof value.value === "string";
}

function clusterInfo({ fields }: Entry, caData: string | undefined): Fields {
  return {
    server: fields.server,
    "tls-server-name": fields["tls-server-name"],
    "insecure-skip-tls-verify": fields["insecure-skip-tls-verify"],
    "certificate-authority-data": caData,
    "proxy-url": fields["proxy-url"],
  };
}

function credential(command: string, stdout: string): ExecCredential {
  const status = (() => {
    try {
      const answer: unknown = JSON.parse(stdout);
      return isRecord(answer) && isRecord(answer.status) ? answer.status : undefined;
    } catch {
      return undefined;
    }
  })();
  const { token, clientCertificateData, clientKeyData, expirationTimestamp } = status ?? {};
  const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
  const found = { token: text(token), certificate: text(clientCertificateData), key: text(clientKeyData) };
  if (found.token === undefined && (found.certificate === undefined || found.key === undefined))
    throw execFailed(command, "printed no ExecCredential with a status");
  const expires = typeof expirationTimestamp === "string" ? Date.parse(expirationTimestamp) : Number.NaN;
  return { ...found, ...(Number.isNaN(expires) ? {} : { expires }) };
}
