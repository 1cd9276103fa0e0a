// A cluster that is written into a folder, by updates alone; a preview says what would be written.
import * as pulumi from "@pulumi/pulumi";
import { type DeliveryArgs, type DeliveryFacts, deliveryObjects } from "../lib/flux/delivery";
import { renderedFiles } from "../lib/flux/render";
import { renderedChanges, writeRendered } from "../lib/flux/renderedFolder";
import { whenKnown } from "./program";

/** What of an artifact is rendered. */
interface RenderedArtifact {
  readonly digest: pulumi.Input<string>;
  readonly policies: pulumi.Input<DeliveryFacts>;
}

/** Writes the files of `cluster` once all of it is known; returns the digest that they name. `folder` is relative to the project. */
export function renderInto(
  parent: pulumi.Resource,
  cluster: string,
  folder: string,
  plain: Omit<DeliveryArgs, "digest">,
  { digest, policies }: RenderedArtifact,
): pulumi.Output<string> {
  const written = async (known: string, { patches, healthCheckExprs }: DeliveryFacts) => {
    const objects = deliveryObjects({ ...plain, digest: known }, { patches, healthCheckExprs });
    const files = renderedFiles(cluster, objects);
    const isPreview = pulumi.runtime.isDryRun();
    const changes = await (isPreview ? renderedChanges : writeRendered)(folder, files, process.cwd());
    if (changes.length > 0) {
      const list = changes.map(({ file, change }) => (change === "remove" ? `${file} (removed)` : file)).join(", ");
      await pulumi.log.info(`${folder}: ${isPreview ? "would change" : "changed"} ${list}`, parent);
    }
    return known;
  };
  return whenKnown(digest, (known) => whenKnown(policies, (facts) => written(known, facts)));
}
