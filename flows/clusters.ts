// The clusters of a stack: each gets the artifact of its environment once that is released, so that a dead one never blocks a release.
import * as pulumi from "@pulumi/pulumi";
import { FluxDelivery } from "../components/fluxDelivery";
import type { DeliveryPolicies, FluxDeliveryArgs } from "../components/fluxDeliveryArgs";
import type { Release } from "../components/release";
import { RenderedClusters } from "../components/renderedClusters";
import type { ClusterSettings } from "../config/clusterSettings";
import { PlatformError } from "../lib/errors";
import { deliveryFacts } from "../lib/flux/delivery";
import type { PolicyDocument } from "../lib/flux/documents";
import { readArtifact } from "../lib/flux/read";
import { onlyEnvironment } from "../lib/flux/released";
import type { Digest } from "../lib/oci/digest";
import { parsePinned } from "../lib/oci/reference";
import { filterRecord, mapRecord } from "../lib/record";
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

/** Outputs by cluster: whether it is ready, what Flux applied, and its policies. Of one that is rendered nobody here knows but the digest. */
export function clusters(settings: Readonly<Record<string, ClusterSettings>>, scene: ClusterScene) {
  const contents = contentsOf(scene);
  const argsOf = (cluster: ClusterSettings, name: string) => deliveryArgs(cluster, name, scene, contents);
  const live = mapRecord(
    filterRecord(settings, ({ render }) => render === undefined),
    (cluster, name) => {
      const args = argsOf(cluster, name);
      const { ready, revision, policies } = new FluxDelivery(name, args, { dependsOn: [scene.released] });
      return { ready, revision, policies };
    },
  );
  const folders = filterRecord(settings, ({ render }) => render !== undefined);
  if (Object.keys(folders).length === 0) return live;
  const rendered = new RenderedClusters("rendered", {
    clusters: mapRecord(folders, (cluster, name) => ({ ...argsOf(cluster, name), folder: cluster.render! })),
  });
  return { ...live, ...mapRecord(rendered.revisions, (revision) => ({ ready: false, revision, policies: [] })) };
}

type Contents = (environment: string) => pulumi.Output<readonly PolicyDocument[]>;

/** What each artifact holds, read once however many clusters get it. */
function contentsOf({ released, own, documents }: ClusterScene): Contents {
  const found = new Map<string, pulumi.Output<readonly PolicyDocument[]>>();
  const read = (environment: string) =>
    released.artifacts[environment]!.reference.apply(async (reference) => {
      const { digest, ...repository } = parsePinned(reference);
      return (await documents(environment, digest)) ?? (await readArtifact(own.client, repository, digest)).documents;
    });
  return (environment) => {
    const known = found.get(environment) ?? read(environment);
    found.set(environment, known);
    return known;
  };
}

function deliveryArgs(
  cluster: ClusterSettings,
  name: string,
  { released, home }: ClusterScene,
  contents: Contents,
): FluxDeliveryArgs {
  const { pullSecret, ...settings } = cluster;
  const environment = cluster.environment ?? onlyEnvironment(name, Object.keys(released.artifacts));
  const artifact = released.artifacts[environment];
  if (!artifact) throw withoutArtifact(name, environment, released);
  const secret = pullSecret?.reveal();
  return {
    ...settings,
    repository: home(environment),
    // After all tags: what is not released comes into no cluster and into no folder.
    digest: pulumi.all([artifact.digest, released.tags]).apply(([its]) => its),
    policies: contents(environment).apply((documents) => policiesOf(documents, cluster)),
    pullSecret: secret === undefined ? undefined : pulumi.secret(secret),
  };
}

/** What of a cluster's objects follows from the policies it gets. Of a cluster that follows a range those change without this program. */
function policiesOf(documents: readonly PolicyDocument[], cluster: ClusterSettings): DeliveryPolicies {
  const facts = deliveryFacts(documents, cluster);
  return cluster.follow === undefined ? facts : { ...facts, names: [] };
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
