// PlatformImage: composes base, tools and policy repositories into one image, built by docker.Image.
import { Image } from "@pulumi/docker/image";
import { BuilderVersion } from "@pulumi/docker/types/enums";
import * as pulumi from "@pulumi/pulumi";
import { contextFolder, writeContext } from "../lib/dockerfile/context";
import { type Addresses, render, sourceDateEpoch } from "../lib/dockerfile/render";
import { shortDigest } from "../lib/oci/digest";
import { parsePinned } from "../lib/oci/reference";
import { type Inputs, inputDigest } from "../lib/pins/model";
import { mapRecord } from "../lib/record";
import { registryDigest } from "./program";

/** One tool as it goes into the image. */
export interface PlatformImageTool {
  /** The version its smoke check must find. */
  version: pulumi.Input<string>;
  /** Its layer image, `host/path@sha256:…`. */
  reference: pulumi.Input<string>;
}

/** One OPA bundle as the image's label names it. */
export interface PlatformImageBundle {
  /** Names of the policy repositories that it is made of. */
  repositories: readonly string[];
}

export interface PlatformImageArgs {
  /** Where the build is pushed before it is tested: `host/path`. May be cleaned at any time. */
  candidates: pulumi.Input<string>;
  /** `host/path@sha256:…`. */
  base: pulumi.Input<string>;
  /** Tools by name. */
  tools: { [name: string]: PlatformImageTool };
  /** Layer images of the policy repositories by name, `host/path@sha256:…`. */
  repositories: { [name: string]: pulumi.Input<string> };
  /** `uid:gid` that containers run as. Default `65532:65532`; CI hosts that write into a mounted workspace need `0:0`. */
  user?: pulumi.Input<string>;
  /** Environments that policies are delivered to; they stand in the image's label alone. Default: none. */
  environments?: readonly string[];
  /** Kinds that clusters get beside policies; recorded in the image. Default: none. */
  allow?: readonly string[];
  /** OPA bundles by name; they stand in the image's label alone. Default: none. */
  bundles?: { readonly [name: string]: PlatformImageBundle };
  /** Image of the same base and tools to build from, `host/path@sha256:…`; it changes no byte of what is built. Default: none. */
  stem?: string;
  /** Folder of the context that this very image was built from, if it was: it stays as it was built. Default: not known. */
  built?: string;
}

/**
 * The candidate: built and pushed, not yet tested. Its name carries the input digest, so equal inputs build nothing;
 * any other input replaces the build (never the image that is there).
 *
 * @example new PlatformImage("image", { candidates, base: base.reference, tools: { yq: { version, reference } }, repositories: {} })
 */
export class PlatformImage extends pulumi.ComponentResource {
  /** Digest of everything that can change the image's bytes. */
  readonly inputDigest: pulumi.Output<string>;
  /** Manifest digest of what was built; unknown while a build is still to come. */
  readonly digest: pulumi.Output<string>;
  /** URN of the build, for the error that tells how to build again. */
  readonly buildUrn: pulumi.Output<string>;

  constructor(name: string, args: PlatformImageArgs, opts?: pulumi.ComponentResourceOptions) {
    super("policychain:index:PlatformImage", name, {}, opts);
    const parts = pulumi.output({
      base: args.base,
      tools: args.tools,
      repositories: args.repositories,
      user: args.user ?? "65532:65532",
      environments: args.environments ?? [],
      allow: args.allow ?? [],
      bundles: args.bundles ?? {},
    });
    const plan = parts.apply((known) => planImage(known, args));
    const image = new Image(
      `${name}-build`,
      {
        imageName: pulumi.interpolate`${args.candidates}:${plan.tag}`,
        build: {
          context: plan.context,
          dockerfile: pulumi.interpolate`${plan.context}/Dockerfile`,
          platform: "linux/amd64",
          builderVersion: BuilderVersion.BuilderBuildKit,
          args: { SOURCE_DATE_EPOCH: sourceDateEpoch },
        },
      },
      { parent: this, replaceOnChanges: ["imageName"] },
    );
    this.inputDigest = plan.inputDigest;
    this.digest = registryDigest(image);
    this.buildUrn = image.urn;
    this.registerOutputs({ inputDigest: this.inputDigest, digest: this.digest });
  }
}

/** {@link PlatformImageArgs} once they are known. */
interface ImageParts {
  readonly base: string;
  readonly tools: Readonly<Record<string, { readonly version: string; readonly reference: string }>>;
  readonly repositories: Readonly<Record<string, string>>;
  readonly user: string;
  readonly environments: readonly string[];
  readonly allow: readonly string[];
  readonly bundles: Readonly<Record<string, { readonly repositories: readonly string[] }>>;
}

/** The inputs' digest, the candidate's tag, and the folder with the rendered Dockerfile. */
function planImage(parts: ImageParts, { stem, built }: Pick<PlatformImageArgs, "stem" | "built">) {
  const { inputs, addresses } = splitReferences(parts);
  const digest = inputDigest(inputs);
  const anew = render(inputs, addresses);
  const ways = stem === undefined ? [anew] : [render(inputs, addresses, stem), anew];
  const asBefore = ways.find((dockerfile) => contextFolder(dockerfile) === built);
  return {
    inputDigest: digest as string,
    tag: shortDigest(digest),
    context: writeContext(asBefore ?? (built === undefined ? ways[0]! : anew)),
  };
}

/** Splits every reference into what can change the bytes (the digest) and what cannot (the address). */
function splitReferences(parts: ImageParts): { inputs: Inputs; addresses: Addresses } {
  const { base, tools, repositories, user, environments, allow, bundles } = parts;
  const split = (reference: string) => {
    const { registry, path, digest } = parsePinned(reference);
    return { address: `${registry}/${path}`, digest };
  };
  return {
    inputs: {
      format: 1,
      artifacts: { environments, allow },
      bundles,
      base: split(base).digest,
      image: { user },
      tools: mapRecord(tools, ({ version, reference }) => ({ version, digest: split(reference).digest })),
      repositories: mapRecord(repositories, (reference) => ({ digest: split(reference).digest })),
    },
    addresses: {
      base: split(base).address,
      tools: mapRecord(tools, ({ reference }) => split(reference).address),
      repositories: mapRecord(repositories, (reference) => split(reference).address),
    },
  };
}
