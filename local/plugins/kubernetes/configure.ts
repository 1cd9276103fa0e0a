// The provider's arguments: which cluster, and how to treat what is there. The SDK sends all but texts as JSON in a text.
import { type ClusterClient, connectCluster } from "../../../lib/kubernetes/client";
import { readKubeconfig, targetOf } from "../../../lib/kubernetes/kubeconfig";
import {
  type Change,
  type CheckResult,
  type DiffResult,
  diffInputs,
  type Value,
  type Values,
} from "../../../provider/host";
import { isOneCluster, wayOf } from "./identity";

export interface Settings {
  /** Of the provider itself in the state; undefined where the engine names none. */
  readonly id?: string;
  /** For objects that name none. */
  readonly namespace?: string;
  /** Takes fields of other managers over at every write. */
  readonly patchForce: boolean;
  /** Creates by apply also what is there already. */
  readonly upsert: boolean;
  /** Changes the data of a Secret in place, where it is replaced otherwise. */
  readonly secretMutable: boolean;
  /** Forgets objects of a cluster that is gone. */
  readonly deleteUnreachable: boolean;
}

/** What the official plugin can be told, and this one cannot. */
const notServed = ["alwaysRender", "cluster", "clusterIdentifier", "renderYamlToDirectory", "skipUpdateUnreachable"];

let configured: { readonly settings: Settings; connect(): Promise<ClusterClient> } | undefined;

export function checkConfiguration(news: Values): CheckResult {
  const failures = notServed
    .filter((key) => isGiven(news[key]))
    .map((property) => ({ property, reason: "is not served by the closed-network plugin" }));
  if (news.enableServerSideApply === "false")
    failures.push({ property: "enableServerSideApply", reason: "cannot be false with the closed-network plugin" });
  return { inputs: news, failures };
}

/**
 * Another cluster is another provider, and its objects are made there; another way to the same cluster is a change in place.
 * Where another way is given and one of the two clusters cannot be asked, they count as two: a create then refuses what is there.
 * docs/decisions/0190-a-cluster-is-known-by-its-uid.md
 */
export async function diffConfiguration(olds: Values, news: Values, signal: AbortSignal): Promise<DiffResult> {
  const { changes } = diffInputs(olds, news);
  const [before, after] = await Promise.all([activeCluster(olds), activeCluster(news)]);
  if (before === undefined || after === undefined || before === after) return { changes };
  if (await isOneCluster(olds, news, signal)) return { changes };
  const replaced = Object.entries(changes).map(([key, change]): [string, Change] => [
    key,
    key === "kubeconfig" || key === "context" ? (`${change.replace("-replace", "")}-replace` as Change) : change,
  ]);
  return { changes: Object.fromEntries(replaced) };
}

async function activeCluster(configuration: Values): Promise<string | undefined> {
  const { kubeconfig, context } = wayOf(configuration);
  try {
    return JSON.stringify(targetOf(await readKubeconfig(kubeconfig), context).cluster.fields);
  } catch {
    return undefined; // a file of another checkout or an unknown value: whoever uses it will say so
  }
}

/** Remembers the arguments. The cluster is not asked anything before the first resource needs it. `id` is the provider's own in the state. */
export function configure(configuration: Values, signal: AbortSignal, id?: string): void {
  const is = (key: string, variable: string) =>
    /^(1|t|true)$/i.test(text(configuration[key]) ?? process.env[variable] ?? "");
  const settings: Settings = {
    id,
    namespace: text(configuration.namespace),
    patchForce: is("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
    upsert: is("upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"),
    secretMutable: is("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
    deleteUnreachable: is("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
  };
  let client: Promise<ClusterClient> | undefined;
  configured = {
    settings,
    connect() {
      client ??= connectCluster({ ...wayOf(configuration), namespace: settings.namespace, signal });
      client.catch(() => {
        client = undefined;
      });
      return client;
    },
  };
}

export function settings(): Settings {
  return current().settings;
}

/** The cluster's client. Errors: those of its kubeconfig. */
export function cluster(): Promise<ClusterClient> {
  return current().connect();
}

function current() {
  if (!configured) throw new Error("a resource was asked for before the provider was configured");
  return configured;
}

function isGiven(value: Value): boolean {
  return value !== undefined && value !== null && value !== "" && value !== "false";
}

function text(value: Value): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
