// Release: copies a digest to where releases are, and what clusters get beside it, then gives all of it its names; the image's version
// tag is the commit point. A release of what
// was built and a promotion of what another stack released are one mechanism: they differ in where the digest comes from.
import * as pulumi from "@pulumi/pulumi";
import { mapRecord } from "../lib/record";
import { Copy } from "../provider/resources/copy";
import { Tag, TagRole } from "../provider/resources/tag";
import { type ArtifactContentArgs, PolicyArtifact } from "./policyArtifact";

/** Where a digest comes from. `candidate`: it was built and tested here; `release`: another stack released it. */
export const ReleaseSource = { candidate: "candidate", release: "release" } as const;
export type ReleaseSource = (typeof ReleaseSource)[keyof typeof ReleaseSource];

export interface ReleaseArgs {
  /** What the repository below holds. Default `candidate`. It decides what an error advises, never what is done. */
  from?: ReleaseSource;
  /** Repository that has the digest, `host/path`: needed only while `to` lacks it. */
  source: pulumi.Input<string>;
  /** Repository of the releases, `host/path`. */
  to: pulumi.Input<string>;
  /** The digest to release; take it from the gate, or from a release, so that nothing untested can come here. */
  digest: pulumi.Input<string>;
  /** What the image's label must say right before each tag is written. */
  inputDigest: pulumi.Input<string>;
  /** `vX.Y.Z`. Never moves once written. */
  version: pulumi.Input<string>;
  /** `sha-…`. Keeps its name while the digest is unchanged. */
  commitTag: pulumi.Input<string>;
  /** Artifacts that are released with it, by environment. Default: none. */
  artifacts?: { [environment: string]: ArtifactContentArgs };
  /** URN of the build, named when the digest is gone from `source`. */
  buildUrn?: pulumi.Input<string>;
  /** Allow plain http to a registry that is not on loopback. Default false. */
  insecure?: boolean;
}

/**
 * One release. Order: everything by digest, the artifacts' tags, then the image's `sha-…`, `vX.Y.Z` (the commit point), `latest`.
 * A version exists if and only if its tag does; deleting this component deletes nothing in the registry.
 *
 * @example new Release("release", { source: candidates, to: releases, digest: gate.digest, inputDigest: image.inputDigest, version: "v1.0.0", commitTag: "sha-0123456789ab" })
 */
export class Release extends pulumi.ComponentResource {
  /** `host/path@sha256:…`. */
  readonly reference: pulumi.Output<string>;
  readonly digest: pulumi.Output<string>;
  /** In the order in which they were written. */
  readonly tags: pulumi.Output<string[]>;
  /** By environment. */
  readonly artifacts: { readonly [environment: string]: PolicyArtifact };

  constructor(name: string, args: ReleaseArgs, opts?: pulumi.ComponentResourceOptions) {
    super("policychain:index:Release", name, {}, opts);
    const { insecure, from = ReleaseSource.candidate } = args;
    const promoted = from === ReleaseSource.release ? true : undefined;
    const promotedFrom = promoted && args.source;
    const copy = new Copy(
      `${name}-copy`,
      { from: args.source, to: args.to, digest: args.digest, rebuild: args.buildUrn, promoted, insecure },
      { parent: this },
    );
    const { version: releaseVersion, commitTag } = args;
    this.artifacts = mapRecord(
      args.artifacts ?? {},
      (content, environment) =>
        new PolicyArtifact(
          `${name}-${environment}`,
          {
            ...content,
            image: { repository: args.to, digest: copy.digest },
            version: releaseVersion,
            commitTag,
            insecure,
          },
          { parent: this },
        ),
    );
    const tag = (role: TagRole, value: pulumi.Input<string>, ...after: pulumi.Resource[]) =>
      new Tag(
        `${name}-${role}`,
        {
          repository: args.to,
          role,
          tag: value,
          digest: copy.digest,
          inputDigest: args.inputDigest,
          promotedFrom,
          insecure,
        },
        { parent: this, dependsOn: after },
      );
    const commit = tag(TagRole.commit, commitTag, copy, ...Object.values(this.artifacts));
    const version = tag(TagRole.version, releaseVersion, commit);
    const latest = tag(TagRole.latest, "latest", version);

    this.reference = copy.reference;
    this.digest = copy.digest;
    this.tags = pulumi.all([commit.tag, version.tag, latest.tag]);
    this.registerOutputs({ reference: this.reference, tags: this.tags });
  }
}
