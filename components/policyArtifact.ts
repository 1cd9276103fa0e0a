// PolicyArtifact: the policies of one environment as a Flux artifact, and its names. It is made of the policy repositories that an image
// was tested with, or taken from where that image was released.
import * as pulumi from "@pulumi/pulumi";
import { parsePinned } from "../lib/oci/reference";
import { mapRecord } from "../lib/record";
import { Artifact } from "../provider/resources/artifact";
import { Copy } from "../provider/resources/copy";
import { Tag, type TagImage, TagRole } from "../provider/resources/tag";

/** An artifact that is made of policy repositories. */
export interface MadeArtifact {
  /** Whose policies it holds. */
  environment: string;
  /** Layer images of the policy repositories by name, `host/path@sha256:…`. */
  repositories: { [name: string]: pulumi.Input<string> };
  /** Digest of the artifact, where it is known before the gate has run; another one than `gated` is refused. */
  digest?: pulumi.Input<string>;
  /** Digest that the gate found equal to what it has seen: take it from there, so that nothing else can be published. */
  gated: pulumi.Input<string>;
  /** Digest of its layer, where it is known. */
  revision?: pulumi.Input<string>;
  /** Digest of what the files of charts are rendered from, where there are any. */
  render?: pulumi.Input<string>;
  /** Absolute path of helm in the image. Default `/usr/local/bin/helm`. */
  helm?: string;
  /** Kinds that are delivered beside policies. Default: none. */
  allow?: readonly string[];
  /** Version of Kyverno that the policies are for. */
  kyverno?: string;
}

/** An artifact of another stack's release. */
export interface TakenArtifact {
  /** Repository that has it, `host/path`: needed only while `repository` lacks it. */
  source: pulumi.Input<string>;
  digest: pulumi.Input<string>;
  /** Digest of its layer. */
  revision: pulumi.Input<string>;
}

/** What an artifact holds, and where it goes. */
export interface ArtifactContentArgs {
  /** Repository of the artifacts of one environment, `host/path`. */
  repository: pulumi.Input<string>;
  /** Made here; excludes `taken`. */
  made?: MadeArtifact;
  /** Taken from another release. */
  taken?: TakenArtifact;
}

export interface PolicyArtifactArgs extends ArtifactContentArgs {
  /** The image that it is released with; it was tested with these very policies. */
  image: TagImage;
  /** `vX.Y.Z`. Moves only while the image has no tag of that name. */
  version: pulumi.Input<string>;
  /** `sha-…`. */
  commitTag: pulumi.Input<string>;
  /** Allow plain http to a registry that is not on loopback. Default false. */
  insecure?: boolean;
}

/**
 * One artifact. Order: its content by digest, `sha-…`, `vX.Y.Z`. There is no `latest`: a cluster is told a digest.
 * What `dependsOn` names comes before all of it; deleting this component deletes nothing in the registry.
 *
 * @example new PolicyArtifact("dev", { repository: names.artifacts("dev"), made: { environment: "dev", repositories, gated: gate.artifacts.apply(({ dev }) => dev!.digest) }, image: { repository: releases, digest: gate.digest }, version: "v1.0.0", commitTag: "sha-0123456789ab" })
 */
export class PolicyArtifact extends pulumi.ComponentResource {
  readonly digest: pulumi.Output<string>;
  /** `host/path@sha256:…`. */
  readonly reference: pulumi.Output<string>;
  /** Digest of its layer. */
  readonly revision: pulumi.Output<string>;
  /** In the order in which they were written. */
  readonly tags: pulumi.Output<string[]>;

  constructor(name: string, args: PolicyArtifactArgs, opts?: pulumi.ComponentResourceOptions) {
    super("policychain:index:PolicyArtifact", name, {}, opts);
    const { repository, image, insecure, taken } = args;
    const content = taken ? copied(name, args, taken, this) : made(name, args, this);
    const { digest, revision } = content;
    const tag = (role: TagRole, value: pulumi.Input<string>, after: pulumi.Resource) =>
      new Tag(
        `${name}-${role}`,
        { repository, role, tag: value, digest, revision, beside: image, insecure },
        { parent: this, dependsOn: [after] },
      );
    const commit = tag(TagRole.commit, args.commitTag, content.resource);
    const version = tag(TagRole.version, args.version, commit);

    this.digest = digest;
    this.reference = content.reference;
    this.revision = pulumi.output(revision);
    this.tags = pulumi.all([commit.tag, version.tag]);
    this.registerOutputs({ reference: this.reference, tags: this.tags });
  }
}

interface Content {
  readonly resource: pulumi.Resource;
  readonly digest: pulumi.Output<string>;
  readonly reference: pulumi.Output<string>;
  readonly revision: pulumi.Input<string>;
}

function made(
  name: string,
  { repository, image, insecure, made }: PolicyArtifactArgs,
  parent: pulumi.Resource,
): Content {
  const { repositories, allow, ...args } = made!;
  const layers = pulumi.output(repositories).apply((references) => mapRecord(references, layerOf));
  const resource = new Artifact(
    `${name}-artifact`,
    { repository, ...args, repositories: layers, ...(allow?.length && { allow: [...allow] }), image, insecure },
    { parent },
  );
  const { digest, reference, revision } = resource;
  return { resource, digest, reference, revision };
}

function copied(
  name: string,
  { repository, insecure }: PolicyArtifactArgs,
  { source, digest, revision }: TakenArtifact,
  parent: pulumi.Resource,
): Content {
  const resource = new Copy(
    `${name}-copy`,
    { from: source, to: repository, digest, promoted: true, insecure },
    { parent },
  );
  return { resource, digest: resource.digest, reference: resource.reference, revision };
}

function layerOf(reference: string) {
  const { registry, path, digest } = parsePinned(reference);
  return { digest, layers: `${registry}/${path}` };
}
