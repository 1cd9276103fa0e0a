// The one place that says which keys there are, what they mean and what they default to.
// docs/configuration.md is generated from it.
import { z } from "zod";
import type { PackageManager } from "../lib/base/packages";
import * as addresses from "./addresses";
import { clusterMap } from "./clusterSchema";
import { gate } from "./gateSchema";
import * as grammar from "./grammar";
import { packageGrammars } from "./packageGrammar";
import { policyRepository } from "./policySchema";
import { promotion } from "./promotionSchema";
import { registry } from "./registrySchema";
import { named, text } from "./schemaParts";
import { tool } from "./toolSchema";

/** Each one has the charts of policies rendered once more. */
const maxEnvironments = 20;
/** More than that beside policies is no policy repository any more. */
const maxKinds = 50;

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
  gate: gate,
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
      allow: z
        .array(text(grammar.objectKind, "One kind"))
        .max(maxKinds)
        .default([])
        .meta({
          description:
            "Kinds that clusters get beside policies; an object of any other kind among the policies is refused",
          rule: `what is allowed beside policies is a list of at most ${maxKinds} kinds, each once`,
          examples: [["ConfigMap"]],
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
  clusters: clusterMap.default({}),
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
  clusters: schema.shape.clusters,
  promotion,
});

/** What the schema of a build lets through, defaults filled in. */
export type ParsedConfiguration = z.output<typeof buildSchema>;
