// Which cluster a configuration of the provider reaches: the uid of its namespace kube-system is as old as the cluster, and no other has it.
import { connectCluster } from "../../../lib/kubernetes/client";
import { unwrapSecrets, type Value, type Values } from "../../../provider/host";

const limits = { connectMs: 5000, answerMs: 10_000 };
const kubeSystem = { apiVersion: "v1", kind: "Namespace", name: "kube-system" };
/** The engine compares a replaced provider again for each of its resources. */
const known = new Map<string, Promise<string | undefined>>();

/** True only where both clusters can be asked and answer as one. */
export async function isOneCluster(olds: Values, news: Values, signal: AbortSignal): Promise<boolean> {
  const [before, after] = await Promise.all([identityOf(olds, signal), identityOf(news, signal)]);
  return before !== undefined && before === after;
}

/** Undefined where the cluster cannot be asked: it is gone, or this user may not look. */
function identityOf(configuration: Values, signal: AbortSignal): Promise<string | undefined> {
  const { kubeconfig, context } = wayOf(configuration);
  const key = JSON.stringify([kubeconfig, context]);
  const found =
    known.get(key) ??
    connectCluster({ kubeconfig, context, signal, limits })
      .then((client) => client.get(kubeSystem))
      .then((namespace) => namespace?.metadata.uid)
      .catch(() => undefined);
  known.set(key, found);
  return found;
}

/** What of a configuration says how to reach a cluster. */
export function wayOf(configuration: Values): { readonly kubeconfig?: string; readonly context?: string } {
  const { kubeconfig, context } = unwrapSecrets(configuration);
  return { kubeconfig: text(kubeconfig), context: text(context) };
}

function text(value: Value): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
