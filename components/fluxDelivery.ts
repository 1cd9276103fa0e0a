// FluxDelivery: one cluster and the policies that it gets through Flux.
import { CustomResource } from "@pulumi/kubernetes/apiextensions/customResource";
import { Namespace } from "@pulumi/kubernetes/core/v1/namespace";
import { Secret } from "@pulumi/kubernetes/core/v1/secret";
import { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import { type DeliveryFacts, deliveryObjects, sourceName } from "../lib/flux/delivery";
import { ownerAnnotation } from "../lib/flux/owners";
import { dockerConfigJson, pullSecretName } from "../lib/flux/pullSecret";
import {
  DeliveredPolicies,
  type DeliveredPoliciesArgs,
  type DeliveredPolicy,
} from "../provider/resources/deliveredPolicies";
import { DeliveryCheck } from "../provider/resources/deliveryCheck";
import { type DeliveryPolicies, type FluxDeliveryArgs, factsOf, type PlainArgs, plainArgs } from "./fluxDeliveryArgs";
import { Kyverno } from "./kyverno";
import { whenKnown } from "./program";

/**
 * Delivers an artifact to a cluster. Order: a look whether the cluster can take it (with a Kyverno that Flux
 * installs: behind that), namespace, pull secret, Kyverno, a source of its own for each digest, then the Kustomization: it turns to
 * that source and to the patches for its content in one write.
 *
 * @example new FluxDelivery("dev", { repository: names.artifacts("dev"), digest: artifact.digest, policies, context: "dev", enforcement: "audit" })
 */
export class FluxDelivery extends pulumi.ComponentResource {
  /** What Flux applied; unknown in previews. */
  readonly revision: pulumi.Output<string>;
  /** True once all policies are ready; unknown in previews. */
  readonly ready: pulumi.Output<boolean>;
  /** What the cluster has taken, and what each policy does there; unknown in previews. */
  readonly policies: pulumi.Output<readonly DeliveredPolicy[]>;

  constructor(name: string, args: FluxDeliveryArgs, opts?: pulumi.ComponentResourceOptions) {
    super("policychain:index:FluxDelivery", name, {}, opts);
    const delivered = this.delivered(name, args);
    this.revision = delivered.revision;
    this.ready = delivered.ready;
    this.policies = delivered.delivered;
    this.registerOutputs({ revision: this.revision, ready: this.ready, policies: this.policies });
  }

  private delivered(name: string, args: FluxDeliveryArgs): DeliveredPolicies {
    const { kubeconfig, context, pullSecret } = args;
    const plain = plainArgs(args, pullSecret === undefined ? undefined : pullSecretName(args.name ?? "policies"));
    // Objects of somebody else are refused when they are created; a field of ours that somebody changed is taken back; a new
    // pull secret takes the place of the old one without a moment in which there is none.
    const settings = { kubeconfig, context, enablePatchForce: true, enableSecretMutable: true };
    const provider = new Provider(`${name}-cluster`, settings, { parent: this });
    const options = { parent: this, provider };
    const before: pulumi.Resource[] = [];
    const looked = lookedAt(name, args, plain, provider.id);
    // A Kyverno that is yet to be installed serves its kinds only then.
    if (!args.kyverno) before.push(this.checked(name, looked, []));
    const objects = deliveryObjects({ ...plain, digest: "" }, none);
    if (objects.namespace)
      before.push(
        new Namespace(
          `${name}-namespace`,
          { metadata: { name: plain.namespace } },
          { ...options, dependsOn: [...before] },
        ),
      );
    const login =
      pullSecret !== undefined && this.loginSecret(name, plain, pullSecret, { ...options, dependsOn: [...before] });
    if (login) before.push(login);
    if (args.kyverno) {
      const { namespace, interval, retryInterval } = plain;
      const from = { ...args.kyverno, namespace, interval, retryInterval };
      before.push(
        new Kyverno(`${name}-kyverno`, from, { parent: this, providers: [provider], dependsOn: [...before] }),
      );
      before.push(this.checked(name, looked, before));
    }
    const { spec, metadata, ...source } = structuredClone(objects.source);
    const ref = args.follow === undefined ? { digest: args.digest } : { semver: args.follow };
    const pulls = new CustomResource(
      `${name}-source`,
      { ...source, metadata: { ...metadata, name: sourceOf(args, plain) }, spec: { ...spec, ref } },
      // After a run that failed, a new one may go back to the old digest: its source must not be one that is yet to be deleted.
      { ...options, dependsOn: [...before], deleteBeforeReplace: true },
    );
    const { spec: _, metadata: named, ...kustomization } = structuredClone(objects.kustomization);
    const annotations = { [ownerAnnotation]: looked.owner };
    const kustomizationSpec = whenKnown(args.digest, (digest) =>
      whenKnown(args.policies, (facts) => deliveryObjects({ ...plain, digest }, factsOf(facts)).kustomization.spec),
    );
    const applies = new CustomResource(
      `${name}-kustomization`,
      { ...kustomization, metadata: { ...named, annotations }, spec: kustomizationSpec },
      { ...options, dependsOn: [...before, pulls] },
    );
    const changing = {
      policies: args.policies,
      objects: identitiesOf({ source: pulls, kustomization: applies, login }),
    };
    const { timeoutSeconds } = args;
    return this.awaited(name, { ...looked, source: sourceOf(args, plain), timeoutSeconds }, changing, applies);
  }

  /** The one that refuses what the cluster could not take, before Flux is told of it. */
  private checked(name: string, inputs: Looked, dependsOn: readonly pulumi.Resource[]) {
    return new DeliveryCheck(`${name}-check`, inputs, { parent: this, dependsOn: [...dependsOn] });
  }

  /** The one that waits for all of it, and looks at it in a refresh. */
  private awaited(
    name: string,
    looked: Looked & { readonly source: pulumi.Input<string>; readonly timeoutSeconds: number | undefined },
    {
      policies: facts,
      objects,
    }: { policies: pulumi.Input<DeliveryPolicies>; objects: DeliveredPoliciesArgs["objects"] },
    last: pulumi.Resource,
  ) {
    const policies = whenKnown(facts, ({ names }) => Object.fromEntries(names.map((one) => [one, "as delivered"])));
    return new DeliveredPolicies(
      `${name}-policies`,
      { ...looked, policies, objects },
      { parent: this, dependsOn: [last] },
    );
  }

  private loginSecret(
    name: string,
    { name: object, namespace, repository }: PlainArgs,
    pullSecret: pulumi.Input<string>,
    options: pulumi.CustomResourceOptions,
  ): Secret {
    const config = pulumi
      .secret(pullSecret)
      .apply((text) => Buffer.from(dockerConfigJson(text, repository)).toString("base64"));
    const metadata = { name: pullSecretName(object), namespace };
    const type = "kubernetes.io/dockerconfigjson";
    return new Secret(`${name}-pull-secret`, { metadata, type, data: { ".dockerconfigjson": config } }, options);
  }
}

const none: DeliveryFacts = { patches: [], healthCheckExprs: [] };

/** Name of the OCIRepository, known with the digest. */
function sourceOf({ digest, follow }: FluxDeliveryArgs, plain: PlainArgs): pulumi.Input<string> {
  return follow === undefined ? whenKnown(digest, (its) => sourceName({ ...plain, digest: its })) : plain.name;
}

type Looked = ReturnType<typeof lookedAt>;

/** What both looks at a cluster are told. */
function lookedAt(delivery: string, args: FluxDeliveryArgs, plain: PlainArgs, cluster: pulumi.Input<string>) {
  const { kubeconfig, context, enforcement = "asAuthored", exceptions = [], insecure } = args;
  const { name, namespace, repository, path } = plain;
  const digest = args.follow === undefined ? args.digest : undefined;
  const owner = [pulumi.getProject(), pulumi.getStack(), delivery].join("/");
  const where = { kubeconfig, context, cluster, namespace, kustomization: name, owner };
  const what = { repository, digest, path, enforcement, exceptions: [...exceptions] };
  return { ...where, ...what, insecure: insecure ? true : undefined };
}

/** By kind, what changes whenever the object does: a Secret has no generation. */
function identitiesOf({
  source,
  kustomization,
  login,
}: {
  source: CustomResource;
  kustomization: CustomResource;
  login: Secret | false;
}) {
  const generation = ({ metadata }: CustomResource) => metadata.apply((its) => `${its.uid} ${its.generation}`);
  return {
    OCIRepository: generation(source),
    Kustomization: generation(kustomization),
    ...(login && { Secret: login.metadata.apply((its) => `${its.uid} ${its.resourceVersion}`) }),
  };
}
