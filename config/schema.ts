// The one place that says which keys there are, what they mean and what they default to.
// docs/configuration.md is generated from it.
import { z } from "zod";
import type { PackageManager } from "../lib/base/packages";
import * as addresses from "./addresses";
import * as amounts from "./amountGrammar";
import { gateIntegration, gateSize } from "./gateSchema";
import * as grammar from "./grammar";
import { packageGrammars } from "./packageGrammar";
import * as paths from "./pathGrammar";
import { promotion } from "./promotionSchema";
import { registry } from "./registrySchema";
import { named, text } from "./schemaParts";

const toolImage = z
  .strictObject({
    reference: text(addresses.pinnedImage, "The image, by digest"),
    member: text(
      paths.memberPath,
      "The tool's file in a foreign image, which is repacked; absent for a layer image",
    ).optional(),
    digest: text(
      addresses.digest,
      "Digest of the layer image that a foreign image is repacked to; `pin` fills it in",
    ).optional(),
  })
  .meta({
    description: "The tool as an image. A text is short for `{reference: …}`, a layer image",
    rule: "an image is a reference by digest, or a map of reference, member and digest",
  });

const toolRelease = z
  .strictObject({
    url: text(addresses.downloadUrl, "Where the release is downloaded; `pin` knows it for the tools of the catalogue"),
    sha256: text(addresses.checksum, "Checksum of the download; `pin` fills it in"),
    digest: text(
      addresses.digest,
      "Digest of the layer image that the release becomes; without it a preview cannot know the image. `pin` fills it in",
    ).optional(),
    member: text(paths.memberPath, "The tool's file in the archive; the catalogue knows it for its tools").optional(),
  })
  .meta({
    description:
      "The tool as a download: a zip, tar, tar.gz, tar.xz or the program itself, checked against its checksum",
    rule: "a release is a map of url, sha256, digest and member",
  });

const toolSmoke = z
  .strictObject({
    args: z
      .array(text(grammar.argument, "One argument"))
      .max(20)
      .meta({
        description: "What the tool is given so that it prints its version; the gate starts it by its own `path`",
        rule: grammar.argument.rule,
        examples: [["version"]],
      }),
    expect: text(
      grammar.expectation,
      "How the version is found in what is printed: group 1 is the version; without a group, what matches must hold it",
    ),
  })
  .meta({
    description: "How the gate asks the tool for its version; the catalogue knows it for its tools",
    rule: "a smoke check is a map of args and expect",
  });

const tool = z
  .strictObject({
    version: text(grammar.toolVersion, "The version, which the tool must print in the gate"),
    path: text(paths.imagePath, "Where the tool stands in the image; default `/usr/local/bin/<name>`").optional(),
    image: toolImage.optional(),
    release: toolRelease.optional(),
    smoke: toolSmoke.optional(),
  })
  .meta({
    description: "One tool; it has exactly one of `image` and `release`",
    rule: "a tool is a map of version and one of image and release",
  });

const gitSource = z
  .strictObject({
    url: text(addresses.gitUrl, "Where the repository is; git finds credentials itself, outside of this file"),
    commit: text(grammar.pinnedCommit, "The commit; `pin NAME BRANCH` writes that of a branch or a tag"),
    path: text(paths.innerFolder, "The folder of it that holds the policies; default: the whole repository").optional(),
    digest: text(
      addresses.digest,
      "Digest of the layer image that the folder becomes; without it a preview may not know the image. `pin` fills it in",
    ).optional(),
  })
  .meta({
    description:
      "A commit of a git repository; its files are taken as they are in git, without filters or line ends changed",
    rule: "a git source is a map of url, commit, path and digest",
  });

const policyRepository = z
  .strictObject({
    folder: text(
      paths.folderPath,
      "A folder, relative to the project; `.git`, `tests/` and what `.policyignore` names stay out of the image",
    ).optional(),
    image: text(
      addresses.pinnedImage,
      "An image by digest: a layer image that `policy-platform repository push` made, or any image together with `path`",
    ).optional(),
    path: text(
      paths.imageFolder,
      "The folder of a foreign image, which is repacked; absent for a layer image",
    ).optional(),
    digest: text(
      addresses.digest,
      "Digest of the layer image that the folder of a foreign image becomes; `pin` fills it in",
    ).optional(),
    git: gitSource.optional(),
  })
  .meta({
    description:
      "One policy repository, found under `/repos/<name>` in the image; it has exactly one of `folder`, `image` and `git`",
    rule: "a policy repository is a map of one of folder, image and git",
  });

/** Each one has the charts of policies rendered once more. */
const maxEnvironments = 20;

/** Packages of one package manager. */
function packagesOf(manager: PackageManager) {
  const { name, version } = packageGrammars[manager];
  return z.record(z.string(), text(version, `Version of a package that \`${manager}\` installs`)).meta({
    description: `Packages by name, which \`${manager}\` installs`,
    rule: name.rule,
  });
}

const basePackages = z.strictObject({ apk: packagesOf("apk").optional(), apt: packagesOf("apt").optional() }).meta({
  description: "Packages that are installed on the image, once for all stacks; of the one package manager that it has",
  rule: "packages are a map of apk or of apt",
});

/** Keys below `policy-platform:`. */
export const schema = z.strictObject({
  version: text(
    grammar.releaseVersion,
    'The version to release. "auto" is the last release\'s version while nothing changed, else the next one that the changes require',
  ).default("auto"),
  registry,
  promotion: promotion.optional(),
  image: z
    .strictObject({
      name: text(grammar.entryName, "Last level of the image's repository", "policy-platform").default(
        "policy-platform",
      ),
      user: text(
        grammar.imageUser,
        'User and group that commands in the image run as. "0:0" for CI hosts that run steps as root',
      ).default("65532:65532"),
    })
    .prefault({})
    .meta({ description: "The image that is built", rule: "an image is a map of name and user" }),
  base: z
    .strictObject({
      image: text(
        addresses.pinnedImage,
        "The image that everything is laid upon, by digest: it brings the shell and the CA certificates",
      ),
      packages: basePackages.optional(),
    })
    .meta({ description: "The base of the image", rule: "a base is a map of image and packages" }),
  tools: named(tool, "Tools by name").default({}),
  policies: named(policyRepository, "Policy repositories by name; at least one"),
  gate: z
    .strictObject({
      smoke: z
        .strictObject({
          timeout: text(amounts.timeout, "Time for each command").default("60s"),
          memory: text(amounts.memory, "Memory of the container that they run in").default("512Mi"),
        })
        .prefault({})
        .meta({
          description: "Bounds of the smoke check: each tool prints its version, each repository is there",
          rule: "smoke is a map of timeout and memory",
        }),
      checks: z
        .strictObject({
          timeout: text(amounts.timeout, "Time for each program").default("10m"),
          memory: text(amounts.memory, "Memory of the container from then on").default("2Gi"),
        })
        .prefault({})
        .meta({
          description: "Bounds of all checks but the smoke check",
          rule: "checks is a map of timeout and memory",
        }),
      policyTests: z.enum(["optional", "required"]).default("optional").meta({
        description:
          "Whether each policy repository must have tests: without, it is shown as skipped, or fails (required). One that is given as an image has none here, its publisher runs them: it is shown as skipped, under required too. So are all without the tool kyverno",
        rule: "policyTests is optional or required",
      }),
      size: gateSize.prefault({}),
      integration: gateIntegration.default({}),
    })
    .prefault({})
    .meta({ description: "The checks between build and release", rule: "a gate is a map of checks" }),
  artifacts: z
    .strictObject({
      environments: z
        .array(text(grammar.entryName, "One environment", "production"))
        .max(maxEnvironments)
        .default([])
        .meta({
          description:
            "Environments that policies are delivered to: the gate renders the charts of policies with the values of each one, and the list is part of what has a version",
          rule: `environments are a list of at most ${maxEnvironments} names, each once`,
          examples: [["dev", "production"]],
        }),
    })
    .prefault({})
    .meta({ description: "What clusters get of the policies", rule: "artifacts are a map of environments" }),
  bundles: named(
    z
      .strictObject({
        repositories: z
          .array(text(grammar.entryName, "One policy repository"))
          .min(1)
          .max(100)
          .meta({
            description: "Names of the policy repositories that the bundle is made of",
            rule: "a bundle is made of at least one policy repository, each named once",
            examples: [["security-policy"]],
          }),
      })
      .meta({ description: "One bundle", rule: "a bundle is a map with repositories" }),
    "OPA bundles by name. They are not published yet; what they are made of is part of what has a version",
  ).default({}),
  source: text(grammar.commit, "The commit that is released, where the project is no git checkout").optional(),
  mirrors: z
    .record(z.string(), text(addresses.mirrorUrl, "The URL that downloads from this host take instead"))
    .default({})
    .meta({ description: "Mirrors of download hosts, by host", rule: addresses.hostName.rule }),
});

/** A stack that builds. */
export const buildSchema = schema.omit({ promotion: true });

/** A stack that promotes. */
export const promotionSchema = z.strictObject({
  registry: schema.shape.registry,
  image: schema.shape.image,
  promotion,
});

/** What the schema of a build lets through, defaults filled in. */
export type ParsedConfiguration = z.output<typeof buildSchema>;
