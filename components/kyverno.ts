// Kyverno: the admission controller of one cluster, there already or installed by Flux.
import { CustomResource } from "@pulumi/kubernetes/apiextensions/customResource";
import * as pulumi from "@pulumi/pulumi";
import { kyvernoObjects } from "../lib/flux/kyverno";

/** Manifests of Kyverno at a commit. */
export interface KyvernoGitArgs {
  /** `https://…` or `ssh://…`, without a password. */
  url: string;
  /** The whole hash. */
  commit: string;
  /** Folder of the manifests. Example: `config/release`. */
  path: string;
}

export interface KyvernoArgs {
  /** Kyverno's chart, `oci://host/path@sha256:…`. With neither this nor `git` Kyverno is there already, and nothing is declared. */
  chart?: string;
  /** Its manifests at a commit, in place of the chart. */
  git?: KyvernoGitArgs;
  /** Namespace of Flux's objects. Default `flux-system`; another one replaces them. */
  namespace?: string;
  /** How often Flux compares what runs with what is declared. Default `10m`. */
  interval?: string;
  /** How soon Flux tries again what failed. Default `30s`. */
  retryInterval?: string;
}

/**
 * Installs Kyverno through Flux, and is done when Flux says that this very chart or commit is ready, its webhooks with it: an upgrade is
 * waited for like an installation. Whether a Kyverno that is there
 * serves the kinds of an artifact is looked at where that is delivered. What Flux installs has been rendered and declared, never run.
 *
 * @example new Kyverno("kyverno", { chart: "oci://registry.example.com/charts/kyverno@sha256:…" }, { providers: { kubernetes } })
 */
export class Kyverno extends pulumi.ComponentResource {
  constructor(name: string, args: KyvernoArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super("policychain:index:Kyverno", name, {}, opts);
    const { chart, git, namespace = "flux-system", interval = "10m", retryInterval = "30s" } = args;
    if (chart !== undefined && git !== undefined)
      throw new pulumi.InputPropertyError({ propertyPath: "chart", reason: "give chart or git, not both" });
    if (chart !== undefined || git !== undefined) {
      const objects = kyvernoObjects({ chart, git, namespace, interval, retryInterval });
      const source = new CustomResource(`${name}-source`, structuredClone(objects.source), { parent: this });
      const { metadata, ...install } = structuredClone(objects.install);
      const annotations = { "pulumi.com/waitFor": JSON.stringify(objects.installed) };
      new CustomResource(
        `${name}-install`,
        { ...install, metadata: { ...metadata, annotations } },
        { parent: this, dependsOn: [source] },
      );
    }
    this.registerOutputs({});
  }
}
