// What a cluster can pull from, as far as the stack's own registry tells: said before anything is released for it.
import { isLoopback } from "../lib/oci/hosts";
import { type WrittenCluster, writtenClusters } from "./clusterRules";
import { problem, type Scene, valueAt } from "./issues";
import { type ConfigurationProblem, quoted, removeLine, setLine } from "./problems";

/** Google's hosts, as Flux's controller knows them. Those of other clouds differ by region and installation, so Flux alone tells. */
const googleHost = /^(?:(?:.+\.)?gcr\.io|.+-docker\.pkg\.dev|docker\.s3nsregistry\.fr)$/;

/** Clusters that Flux could never bring an artifact to. A registry that the stack declares, and pushes to, is Google's and has TLS. */
export function clusterRegistry(scene: Scene): ConfigurationProblem[] {
  const address = valueAt(scene.raw, ["registry", "address"]);
  if (typeof address !== "string") return [];
  const host = address.split("/")[0]!;
  const isPlain = valueAt(scene.raw, ["registry", "insecure"]) === true && !isLoopback(host);
  const all = writtenClusters(scene);
  return [...(isPlain ? all.slice(0, 1).map(() => plain(host, scene)) : []), ...all.flatMap(identity(host, scene))];
}

function plain(host: string, scene: Scene): ConfigurationProblem {
  const key = ["registry", "insecure"];
  const rule = "clusters read a registry over TLS, unless it is on the loopback of their own machine";
  return problem(
    "cluster-insecure",
    key,
    `is true for ${quoted(host)}, which clusters pull from`,
    rule,
    removeLine(key, scene),
  );
}

const identity =
  (host: string, scene: Scene) =>
  ({ path, keys }: WrittenCluster): ConfigurationProblem[] => {
    if (keys.provider !== "gcp" || googleHost.test(host)) return [];
    const key = [...path, "provider"];
    const rule = "Google's workload identity logs in to Google's registries: gcr.io and *-docker.pkg.dev";
    const fix = `${removeLine(key, scene)} && ${setLine([...path, "secretRef"], "registry-login", scene)}`;
    return [problem("cluster-identity", key, `is gcp, and the registry is ${quoted(host)}`, rule, fix)];
  };
