// RenderedClusters: clusters that are written into folders, for others to apply; by updates alone, and a preview says what would be written.
import * as pulumi from "@pulumi/pulumi";
import { deliveryObjects } from "../lib/flux/delivery";
import { renderedFiles } from "../lib/flux/render";
import { renderedChanges, writeRendered } from "../lib/flux/renderedFolder";
import { type DeliveryPolicies, type FluxDeliveryArgs, factsOf, plainArgs } from "./fluxDelivery";
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
 * All rendered clusters of a stack. One component for all: an engine that keeps its state in a file writes all of it for each resource.
 * Nothing is awaited, and destroying it leaves the files.
 *
 * @example new RenderedClusters("rendered", { clusters: { dev: { folder: "clusters/dev", repository: names.artifacts("dev"), digest, policies } } })
 */
export class RenderedClusters extends pulumi.ComponentResource {
  /** The digest that each one's files name, by cluster. */
  readonly revisions: { readonly [name: string]: pulumi.Output<string> };

  constructor(name: string, args: RenderedClustersArgs, opts?: pulumi.ComponentResourceOptions) {
    super("policychain:index:RenderedClusters", name, {}, opts);
    this.revisions = Object.fromEntries(
      Object.entries(args.clusters).map(([cluster, its]) => [cluster, this.rendered(cluster, its)]),
    );
    this.registerOutputs({});
  }

  /** Once all of it is known. */
  private rendered(cluster: string, args: RenderedCluster): pulumi.Output<string> {
    const { digest, policies, folder } = args;
    const written = async (known: string, facts: DeliveryPolicies) => {
      const files = renderedFiles(cluster, deliveryObjects({ ...plainArgs(args), digest: known }, factsOf(facts)));
      const isPreview = pulumi.runtime.isDryRun();
      const changes = await (isPreview ? renderedChanges : writeRendered)(folder, files, process.cwd());
      if (changes.length > 0) {
        const list = changes.map(({ file, change }) => (change === "remove" ? `${file} (removed)` : file)).join(", ");
        await pulumi.log.info(`${folder}: ${isPreview ? "would change" : "changed"} ${list}`, this);
      }
      return known;
    };
    return whenKnown(digest, (known) => whenKnown(policies, (facts) => written(known, facts)));
  }
}
