// The kinds of Flux and Kyverno in a cluster: the definitions that lie beside the controllers' binaries, applied by kubectl.
import { readdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeByRename } from "../../lib/cache";
import type { LocalCluster } from "./cluster";
import type { Kubectl } from "./kubectl";

const patience = 60_000;
const interval = 200;

/** Resolves when the cluster serves the kinds of the program in `folder`. Error: `kubectl-failed`. */
export async function ensureDefinitions(cluster: LocalCluster, folder: string, kubectl: Kubectl): Promise<void> {
  const names = definitionNames(join(folder, "crds"));
  const record = join(cluster.folder, `definitions-${basename(folder).replace(/-[0-9].*$/, "")}`);
  // Written when they were applied to what etcd of this very cluster has: the same ones need no second look.
  const isApplied = (await readFile(record, "utf8").catch(() => "")) === basename(folder);
  if (isApplied && (await areServed(kubectl, names))) return;
  await kubectl("apply", "--server-side", "--force-conflicts", "--recursive", `--filename=${join(folder, "crds")}`);
  const end = Date.now() + patience;
  while (Date.now() < end && !(await areServed(kubectl, names))) await sleep(interval);
  await writeByRename(record, (file) => writeFile(file, basename(folder)));
}

/** `clusterpolicies.kyverno.io` of `…/kyverno.io_clusterpolicies.yaml`, as its generator names them. */
export function definitionNames(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => /^(?<group>[a-z0-9.-]+)_(?<plural>[a-z]+)\.yaml$/.exec(basename(file))?.groups)
    .flatMap((parts) => (parts ? [`${parts.plural}.${parts.group}`] : []))
    .sort();
}

async function areServed(kubectl: Kubectl, names: readonly string[]): Promise<boolean> {
  const served = (await kubectl("api-resources", "--output=name")).split("\n");
  return names.every((name) => served.includes(name));
}
