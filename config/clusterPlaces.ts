// Rules on all clusters together: no two deliver to one place or write into one folder; and which values may be secret.
import { posix } from "node:path";
import { type WrittenCluster, writtenClusters } from "./clusterRules";
import { problem, type Scene, valueAt } from "./issues";
import { innerFolder } from "./pathGrammar";
import { type ConfigurationProblem, type Path, quoted, removeLine, Secret, secretLine, setLine } from "./problems";

/** Two clusters of one place or folder, and folders that hold something else. */
export function clusterPlaces(scene: Scene): ConfigurationProblem[] {
  const all = writtenClusters(scene);
  const rendered = all.filter(({ keys }) => usableFolder(keys.render) !== undefined);
  return [
    ...samePlace(
      all.filter(({ keys }) => keys.render === undefined),
      scene,
    ),
    ...folders(rendered, scene),
  ];
}

/** The same words for the same place; whether two contexts are one cluster only the kubeconfig tells. */
function samePlace(all: readonly WrittenCluster[], scene: Scene): ConfigurationProblem[] {
  const first = new Map<string, string>();
  return all.flatMap(({ path, keys }) => {
    const { kubeconfig = "", context = "", namespace = "flux-system", name = "policies" } = keys;
    const place = JSON.stringify([kubeconfig, context, namespace, name]);
    const other = first.get(place);
    first.set(place, other ?? String(path[1]));
    if (other === undefined) return [];
    const rule = "each cluster is named once: by kubeconfig, context, namespace and name together";
    const wrong = `is where cluster ${quoted(other)} is`;
    return [problem("cluster-taken", path, wrong, rule, setLine([...path, "context"], String(path[1]), scene))];
  });
}

function folders(all: readonly WrittenCluster[], scene: Scene): ConfigurationProblem[] {
  const taken = new Map(policyFolders(scene).map(([name, folder]) => [folder, `policy repository ${quoted(name)}`]));
  for (const { path, keys } of all) {
    const folder = usableFolder(keys.render)!;
    if (!taken.has(folder)) taken.set(folder, `cluster ${quoted(path[1])}`);
  }
  const above = (folder: string): string[] =>
    folder === "." ? [] : [posix.dirname(folder), ...above(posix.dirname(folder))];
  const inside = new Map([...taken].flatMap(([folder, owner]) => above(folder).map((outer) => [outer, owner])));
  return all.flatMap(({ path, keys }) => {
    const own = `cluster ${quoted(path[1])}`;
    const folder = usableFolder(keys.render)!;
    const holders = [folder, ...above(folder)].map((one) => taken.get(one));
    const other = [...holders, inside.get(folder)].find((owner) => owner !== undefined && owner !== own);
    if (other === undefined) return [];
    const key = [...path, "render"];
    const rule = "each rendered cluster has a folder of the project of its own, not in, around or beside other content";
    const wrong = `is the folder, or in or around that, of ${other}`;
    return [problem("render-taken", key, wrong, rule, setLine(key, `clusters/${path[1]}`, scene))];
  });
}

function usableFolder(folder: unknown): string | undefined {
  return typeof folder === "string" && innerFolder.refuse(folder) === undefined ? folder : undefined;
}

function policyFolders({ raw }: Scene): [string, string][] {
  const policies = valueAt(raw, ["policies"]);
  if (policies === null || typeof policies !== "object") return [];
  return Object.keys(policies).flatMap((name): [string, string][] => {
    const folder = valueAt(policies, [name, "folder"]);
    return typeof folder === "string" ? [[name, posix.normalize(folder).replace(/\/+$/, "")]] : [];
  });
}

/** Whether a secret may stand at a path: a cluster's pull secret, and nothing else. */
export function maySecret([first, , last, ...more]: Path): boolean {
  return first === "clusters" && last === "pullSecret" && more.length === 0;
}

/**
 * The engine tells of `clusters` only that something in it is secret; which value that is, the stack's file tells. A value that
 * comes from elsewhere, such as an environment of Pulumi's, is believed.
 */
export function clusterSecrets(scene: Scene): ConfigurationProblem[] {
  const revealed = writtenClusters(scene).filter(
    ({ keys: { pullSecret } }) => pullSecret instanceof Secret && pullSecret.isKnown,
  );
  if (revealed.length === 0) return [];
  const file = { clusters: scene.inFile("clusters") };
  const plain = revealed.flatMap(({ path }) => {
    const key = [...path, "pullSecret"];
    if (typeof valueAt(file, key) !== "string") return [];
    const rule = "a pull secret is a secret value: in the stack's file it stands encrypted, or not at all";
    return [problem("secret-plain", key, "stands there in clear", rule, secretLine(key, scene))];
  });
  return [...plain, ...unexpectedSecrets(file, scene)];
}

/** Secrets where none may be. */
export function unexpectedSecrets(raw: unknown, scene: Scene): ConfigurationProblem[] {
  const found: Path[] = [];
  const visit = (value: unknown, path: Path) => {
    if (value instanceof Secret) found.push(path);
    else if (value !== null && typeof value === "object" && path.length < 20)
      for (const [key, item] of Object.entries(value)) visit(item, [...path, Array.isArray(value) ? Number(key) : key]);
  };
  visit(raw, []);
  const rule =
    "no key of this program is secret but pullSecret of a cluster, and registry credentials never stand in a configuration";
  return found
    .filter((path) => !maySecret(path))
    .map((path) => problem("secret-unexpected", path, "is a secret", rule, removeLine(path, scene)));
}
