// The clusters of a stack: each gets the artifact of its environment once that is released, so that a dead one never blocks a release.
import * as pulumi from "@pulumi/pulumi";
import { type DeliveryPolicies, FluxDelivery } from "../components/fluxDelivery";
import type { Release } from "../components/release";
import type { ClusterSettings } from "../config/clusterSettings";
import { PlatformError } from "../lib/errors";
import { titleOf } from "../lib/flux/cluster";
import { deliveryFacts } from "../lib/flux/delivery";
import type { PolicyDocument } from "../lib/flux/documents";
import { readArtifact } from "../lib/flux/read";
import type { Digest } from "../lib/oci/digest";
import { parsePinned } from "../lib/oci/reference";
import { mapRecord } from "../lib/record";
import type { OwnRegistry } from "./ownRegistry";

/** What clusters are given. */
export interface ClusterScene {
  readonly released: Release;
  readonly own: OwnRegistry;
  /** Where the artifacts of an environment are, `host/path`. */
  readonly home: (environment: string) => string;
  /** What an artifact holds that may not be in the registry yet; undefined where only the registry tells. */
  readonly documents: (environment: string, digest: Digest) => Promise<readonly PolicyDocument[] | undefined>;
}

/** Outputs by cluster: whether it is ready, what Flux applied, and its policies. */
export function clusters(settings: Readonly<Record<string, ClusterSettings>>, scene: ClusterScene) {
  return mapRecord(settings, (cluster, name) => {
    const { ready, revision, policies } = delivery(name, cluster, scene);
    return { ready, revision, policies };
  });
}

function delivery(name: string, cluster: ClusterSettings, { released, own, home, documents }: ClusterScene) {
  const { pullSecret, ...settings } = cluster;
  const environment = cluster.environment ?? onlyEnvironment(name, released);
  const artifact = released.artifacts[environment];
  if (!artifact) throw withoutArtifact(name, environment, released);
  const policies = artifact.reference.apply(async (reference) => {
    const { digest, ...repository } = parsePinned(reference);
    const planned = await documents(environment, digest);
    return policiesOf(planned ?? (await readArtifact(own.client, repository, digest)).documents, cluster);
  });
  const secret = pullSecret?.reveal();
  return new FluxDelivery(
    name,
    {
      ...settings,
      repository: home(environment),
      digest: artifact.digest,
      policies,
      pullSecret: secret === undefined ? undefined : pulumi.secret(secret),
    },
    { dependsOn: [released] },
  );
}

/** What of a cluster's objects follows from the policies it gets. Of a cluster that follows a range those change without this program. */
function policiesOf(documents: readonly PolicyDocument[], cluster: ClusterSettings): DeliveryPolicies {
  const names = cluster.follow === undefined ? documents.map(titleOf).sort() : [];
  return { ...deliveryFacts(documents, cluster), names };
}

function onlyEnvironment(name: string, { artifacts }: Release): string {
  const [only, ...others] = Object.keys(artifacts);
  if (only !== undefined && others.length === 0) return only;
  throw new PlatformError("cluster-environment", {
    what: `cluster ${name} names no environment, and the release has artifacts for ${shown(artifacts)}`,
    rule: "a cluster gets the policies of one environment",
    fix: `name it: policy-platform:clusters.${name}.environment`,
  });
}

function withoutArtifact(name: string, environment: string, { artifacts }: Release): PlatformError {
  return new PlatformError("cluster-artifact", {
    what: `cluster ${name} gets the artifact of ${environment}, and the release has artifacts for ${shown(artifacts)}`,
    rule: "a cluster gets what was released for its environment",
    fix: `correct policy-platform:clusters.${name}.environment, or name ${environment} in policy-platform:artifacts.environments of the stack that builds, and release again`,
  });
}

function shown(artifacts: Release["artifacts"]): string {
  return Object.keys(artifacts).sort().join(", ") || "no environment";
}
