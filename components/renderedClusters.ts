// RenderedClusters: clusters that are written into folders, for others to apply; by updates alone, and a preview says what would be written.
import * as pulumi from "@pulumi/pulumi";
import { deliveryObjects } from "../lib/flux/delivery";
import { manifestsOf } from "../lib/flux/render";
import { keepContents } from "../lib/flux/renderedContents";
import { mapRecord } from "../lib/record";
import { ClusterFiles } from "../provider/resources/clusterFiles";
import { type DeliveryPolicies, type FluxDeliveryArgs, factsOf, plainArgs } from "./fluxDeliveryArgs";
import { whenKnown } from "./program";

/** One of them: what a cluster gets, and where it is written. Nothing of `kubeconfig`, `context` and `pullSecret` is. */
export interface RenderedCluster extends FluxDeliveryArgs {
  /** Folder, relative to the project and in it. */
  folder: string;
}

export interface RenderedClustersArgs {
  /** By name, which stands in the first line of each file. */
  clusters: { readonly [name: string]: RenderedCluster };
}

/**
 * All rendered clusters of a stack. One resource for all: an engine that keeps its state in a file writes all of it for each resource.
 * Nothing is awaited; what was written for a cluster goes when the cluster leaves the stack, or the stack is destroyed.
 *
 * @example new RenderedClusters("rendered", { clusters: { dev: { folder: "clusters/dev", repository: names.artifacts("dev"), digest, policies } } })
 */
export class RenderedClusters extends pulumi.ComponentResource {
  /** The digest that each one's files name, by cluster. */
  readonly revisions: { readonly [name: string]: pulumi.Output<string> };

  constructor(name: string, args: RenderedClustersArgs, opts?: pulumi.ComponentResourceOptions) {
    super("policychain:index:RenderedClusters", name, {}, opts);
    const clusters = Object.entries(args.clusters);
    const contents = pulumi.all(clusters.map(([cluster, its]) => renderedText(cluster, its)));
    const folders = contents.apply((texts) =>
      keepContents(
        process.cwd(),
        pulumi.getStack(),
        Object.fromEntries(clusters.map(([, { folder }], index) => [folder, JSON.parse(texts[index]!)])),
      ),
    );
    const written = new ClusterFiles(`${name}-files`, { folders }, { parent: this });
    this.revisions = mapRecord(args.clusters, ({ digest }) =>
      pulumi.all([digest, written.folders]).apply(([revision]) => revision),
    );
    this.registerOutputs({});
  }
}

/** The files of one cluster as JSON, once all of it is known: the SDK walks through every part of a value that is not a text. */
function renderedText(cluster: string, args: RenderedCluster): pulumi.Output<string> {
  const text = (digest: string, facts: DeliveryPolicies) => {
    const files = manifestsOf(cluster, deliveryObjects({ ...plainArgs(args), digest }, factsOf(facts)));
    return JSON.stringify(Object.fromEntries(files));
  };
  return whenKnown(args.digest, (digest) => whenKnown(args.policies, (facts) => text(digest, facts)));
}
