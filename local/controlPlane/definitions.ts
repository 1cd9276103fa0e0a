// The kinds of Flux and Kyverno in a cluster: the definitions that lie beside the controllers' binaries, applied by kubectl.
import { readdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeByRename } from "../../lib/cache";
import type { LocalCluster } from "./cluster";
import { startFailed } from "./failures";
import type { Kubectl } from "./kubectl";

const interval = 200;

export interface DefinitionOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds until the kinds are served. Default one minute. */
  readonly patience?: number;
}

/** Resolves when the cluster serves the kinds of the program in `folder`. Errors: `kubectl-failed`; `cluster-start` with those that it does not serve. */
export async function ensureDefinitions(
  cluster: LocalCluster,
  folder: string,
  kubectl: Kubectl,
  { signal, patience = 60_000 }: DefinitionOptions = {},
): Promise<void> {
  const names = definitionNames(join(folder, "crds"));
  const record = join(cluster.folder, `definitions-${basename(folder).replace(/-[0-9].*$/, "")}`);
  // Written when they were applied to what etcd of this very cluster has: the same ones need no second look.
  const isApplied = (await readFile(record, "utf8").catch(() => "")) === basename(folder);
  if (isApplied && (await unserved(kubectl, names)).length === 0) return;
  await kubectl("apply", "--server-side", "--force-conflicts", "--recursive", `--filename=${join(folder, "crds")}`);
  for (const end = Date.now() + patience; ; ) {
    const missing = await unserved(kubectl, names);
    if (missing.length === 0) break;
    if (Date.now() >= end)
      throw startFailed(cluster, `after ${patience / 1000} s its API server does not serve ${missing.join(", ")}`);
    await sleep(interval, undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
  await writeByRename(record, (file) => writeFile(file, basename(folder)));
}

/** `clusterpolicies.kyverno.io` of `…/kyverno.io_clusterpolicies.yaml`, as its generator names them. */
export function definitionNames(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => /^(?<group>[a-z0-9.-]+)_(?<plural>[a-z]+)\.yaml$/.exec(basename(file))?.groups)
    .flatMap((parts) => (parts ? [`${parts.plural}.${parts.group}`] : []))
    .sort();
}

async function unserved(kubectl: Kubectl, names: readonly string[]): Promise<string[]> {
  const served = (await kubectl("api-resources", "--output=name")).split("\n");
  return names.filter((name) => !served.includes(name));
}
