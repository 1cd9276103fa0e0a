// What is said of a local cluster that does not come up.
import { PlatformError } from "../../lib/errors";
import type { LocalCluster } from "./cluster";

export function startFailed(cluster: LocalCluster, what: string): PlatformError {
  return new PlatformError("cluster-start", {
    what: `the local cluster ${cluster.name} does not start: ${what}`,
    rule: "a cluster is etcd, the API server and the controllers of Flux and Kyverno, all of them ready",
    fix: `read the logs in ${cluster.logs} and run it again; with ${cluster.folder} removed it starts anew, --no-cluster leaves it out`,
  });
}
