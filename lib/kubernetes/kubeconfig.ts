// Finds and reads kubeconfigs by kubectl's rules. They are a user's files: small, but not ours, so everything is checked.
import { readFile, stat } from "node:fs/promises";
import { delimiter, dirname, join, resolve } from "node:path";
import { messageOf } from "../errors";
import { fromHome, homeFolder } from "../home";
import { printable, quoted } from "../printable";
import { isRecord } from "../record";
import { kubeconfigMalformed, kubeconfigMissing } from "./errors";

/** The members of one entry of a kubeconfig, as they stand there. */
export type Fields = Readonly<Record<string, unknown>>;

/** A cluster, user or context by name, and the folder that its relative paths start from. */
export interface Entry {
  readonly name: string;
  readonly fields: Fields;
  readonly folder: string;
}

/** One kubeconfig, or several joined. */
export interface Kubeconfig {
  /** For messages: its paths, or `given as text`. */
  readonly origin: string;
  readonly currentContext?: string;
  readonly clusters: readonly Entry[];
  readonly users: readonly Entry[];
  readonly contexts: readonly Entry[];
}

/** What a context stands for. */
export interface Target {
  readonly origin: string;
  readonly context: string;
  readonly namespace?: string;
  readonly cluster: Entry;
  readonly user: Entry;
}

const maxBytes = 4 * 1024 * 1024;

/**
 * Reads the kubeconfig named by `kubeconfig`: its text, a path, or a list of paths as in KUBECONFIG. Default: what KUBECONFIG
 * names, else `~/.kube/config`. Of files in a list some may be absent; the first that names a thing decides what it is.
 */
export async function readKubeconfig(kubeconfig?: string): Promise<Kubeconfig> {
  if (kubeconfig !== undefined && isText(kubeconfig))
    return parse("given as text", Buffer.from(kubeconfig), process.cwd());
  const list = kubeconfig || process.env.KUBECONFIG || join(homeFolder(), ".kube", "config");
  const paths = list.split(delimiter).filter((path) => path !== "");
  const found = (await Promise.all(paths.map(readOne))).flatMap((one) => one ?? []);
  const first = found[0];
  if (!first) throw kubeconfigMissing(`there is no kubeconfig ${paths.map(quoted).join(" or ")}`);
  return {
    origin: found.map(({ origin }) => origin).join(" and "),
    currentContext: found.map(({ currentContext }) => currentContext).find(Boolean),
    clusters: joined(found.map(({ clusters }) => clusters)),
    users: joined(found.map(({ users }) => users)),
    contexts: joined(found.map(({ contexts }) => contexts)),
  };
}

/** The cluster and the user of `context`; default: the kubeconfig's current context. */
export function targetOf(kubeconfig: Kubeconfig, context = kubeconfig.currentContext): Target {
  const { origin } = kubeconfig;
  if (!context) throw kubeconfigMalformed(origin, "it has no current-context, and no context was named");
  const find = (entries: readonly Entry[], what: string, name: unknown): Entry => {
    const entry = entries.find((one) => one.name === name);
    if (entry) return entry;
    const names = entries.slice(0, 20).map((one) => printable(one.name, 80));
    throw kubeconfigMalformed(
      origin,
      `it has no ${what} ${quoted(String(name))} (${names.length > 0 ? `it has ${names.join(", ")}` : "it has none"})`,
    );
  };
  const { fields } = find(kubeconfig.contexts, "context", context);
  return {
    origin,
    context,
    namespace: typeof fields.namespace === "string" && fields.namespace !== "" ? fields.namespace : undefined,
    cluster: find(kubeconfig.clusters, "cluster", fields.cluster),
    user: find(kubeconfig.users, "user", fields.user),
  };
}

/** A path cannot hold a line break, and no path begins as JSON does. */
function isText(value: string): boolean {
  return value.includes("\n") || value.trimStart().startsWith("{");
}

async function readOne(path: string): Promise<Kubeconfig | undefined> {
  const file = resolve(fromHome(path));
  try {
    if ((await stat(file)).size > maxBytes)
      throw kubeconfigMalformed(quoted(path), `it is larger than ${maxBytes} bytes`);
    return await parse(quoted(path), await readFile(file), dirname(file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    if (code === "EACCES" || code === "EISDIR" || code === "ENOTDIR")
      throw kubeconfigMissing(`the kubeconfig ${quoted(path)} cannot be read (${code})`);
    throw error;
  }
}

async function parse(origin: string, bytes: Buffer, folder: string): Promise<Kubeconfig> {
  // Here and not above: the parser is a third of a plugin's start, and most commands look into no kubeconfig.
  const { parseYaml } = await import("../policies/yaml");
  const { documents, problem } = parseYaml(bytes);
  // Not the reader's own words: they may quote the line, and it may hold a token.
  if (problem) throw kubeconfigMalformed(origin, `it is no YAML (line ${problem.line})`);
  const value = plain(origin, () => documents[0]?.toJS({ maxAliasCount: 100 }) as unknown);
  if (documents.length !== 1 || !isRecord(value))
    throw kubeconfigMalformed(origin, "it is not one document with fields");
  const current = value["current-context"];
  if (current !== undefined && current !== null && typeof current !== "string")
    throw kubeconfigMalformed(origin, "its current-context is no text");
  return {
    origin,
    currentContext: current ?? undefined,
    clusters: entries(origin, value.clusters, "cluster", folder),
    users: entries(origin, value.users, "user", folder),
    contexts: entries(origin, value.contexts, "context", folder),
  };
}

function plain(origin: string, value: () => unknown): unknown {
  try {
    return value();
  } catch (error) {
    throw kubeconfigMalformed(origin, printable(messageOf(error)));
  }
}

function entries(origin: string, list: unknown, key: "cluster" | "user" | "context", folder: string): Entry[] {
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) throw kubeconfigMalformed(origin, `its ${key}s are no list`);
  return list.map((entry: unknown, index) => {
    if (!isRecord(entry) || typeof entry.name !== "string")
      throw kubeconfigMalformed(origin, `its ${key}s[${index}] has no name`);
    const fields = entry[key] ?? {};
    if (!isRecord(fields)) throw kubeconfigMalformed(origin, `its ${key}s[${index}].${key} has no fields`);
    return { name: entry.name, fields, folder };
  });
}

function joined(lists: readonly (readonly Entry[])[]): Entry[] {
  const byName = new Map<string, Entry>();
  for (const entry of lists.flat()) if (!byName.has(entry.name)) byName.set(entry.name, entry);
  return [...byName.values()];
}
