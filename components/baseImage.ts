// BaseImage: the image that everything is composed onto, named by digest, or built once of one and pinned packages.
import { Image } from "@pulumi/docker/image";
import { BuilderVersion } from "@pulumi/docker/types/enums";
import * as pulumi from "@pulumi/pulumi";
import { baseKey } from "../lib/base/packages";
import { writeContext } from "../lib/dockerfile/context";
import { renderBase } from "../lib/dockerfile/renderBase";
import { registryDigest } from "./program";

/** Exact versions by package name, of one package manager. */
export interface BasePackages {
  /** Alpine's, with their revision: `{bash: "5.2.37-r0"}`. */
  apk?: { [name: string]: string };
  /** Debian's, as `apt-cache madison` prints them: `{bash: "5.2.15-2+b7"}`. */
  apt?: { [name: string]: string };
}

export interface BaseImageArgs {
  /**
   * The base, `host/path@sha256:…`. Push it gzipped: its layers are kept as they are.
   * Another digest is another input digest, so the image is built again.
   */
  image: pulumi.Input<string>;
  /** What is installed on it. Default: nothing, and then nothing is built. Other pins are another base, under another tag. */
  packages?: BasePackages;
  /** Where a base with packages is pushed: `host/path`; its tag is the key of its pins. Needed with `packages`. */
  repository?: pulumi.Input<string>;
  /** USER of `image`, which the base with packages has too. Default: none, which is root. */
  user?: pulumi.Input<string>;
  /** Digest of the base with these packages, where it was built before. Default: not known. */
  digest?: string;
  /** Whether the build is declared: false with a `digest` that another stack has built. Default true. */
  build?: boolean;
}

/**
 * A base. Packages are installed by the only RUN there is, with the engine's own network; a base that is there is not built again,
 * whatever plugin serves the build.
 *
 * @example new BaseImage("base", { image: "127.0.0.1:5000/layers/debian@sha256:…", packages: { apt: { tree: "2.1.0-1" } }, repository: names.base() })
 */
export class BaseImage extends pulumi.ComponentResource {
  /** `host/path@sha256:…`; unknown while a build is still to come. */
  readonly reference: pulumi.Output<string>;

  constructor(name: string, args: BaseImageArgs, opts?: pulumi.ComponentResourceOptions) {
    super("policychain:index:BaseImage", name, {}, opts);
    this.reference =
      args.packages === undefined ? pulumi.output(args.image) : this.withPackages(name, args, args.packages);
    this.registerOutputs({ reference: this.reference });
  }

  private withPackages(name: string, args: BaseImageArgs, packages: BasePackages): pulumi.Output<string> {
    const { repository, digest, build = true } = args;
    if (repository === undefined)
      throw new pulumi.InputPropertyError({ propertyPath: "repository", reason: "is needed with packages" });
    if (!build && digest === undefined)
      throw new pulumi.InputPropertyError({ propertyPath: "digest", reason: "is needed where nothing is built" });
    const found = build ? registryDigest(this.built(name, args, repository, packages)) : digest;
    return pulumi.interpolate`${repository}@${found}`;
  }

  private built(name: string, args: BaseImageArgs, repository: pulumi.Input<string>, packages: BasePackages): Image {
    const plan = pulumi.output({ image: args.image, user: args.user ?? "" }).apply(({ image, user }) => ({
      tag: baseKey({ image, packages }),
      context: writeContext(renderBase({ image, packages }, user)),
    }));
    return new Image(
      `${name}-build`,
      {
        imageName: pulumi.interpolate`${repository}:${plan.tag}`,
        build: {
          context: plan.context,
          dockerfile: pulumi.interpolate`${plan.context}/Dockerfile`,
          platform: "linux/amd64",
          builderVersion: BuilderVersion.BuilderBuildKit,
          network: "host",
        },
      },
      // What is there already stays, also where another plugin has other defaults.
      { parent: this, replaceOnChanges: ["imageName"], ignoreChanges: args.digest === undefined ? [] : ["build"] },
    );
  }
}
