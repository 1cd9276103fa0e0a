// The keys of `registry`. Which of them a kind has is a rule of its own (registryRules.ts): a key's rule and example are then the
// same whatever kind is written.
import { z } from "zod";
import * as addresses from "./addresses";
import * as grammar from "./registryGrammar";
import { text } from "./schemaParts";

/** Members of one role; Google Cloud allows more, and groups are how. */
const maxMembers = 100;

const members = (description: string) =>
  z
    .array(text(grammar.member, "One member"))
    .max(maxMembers)
    .default([])
    .meta({
      description,
      rule: `members are a list of at most ${maxMembers} texts, each once`,
      examples: [[grammar.member.example]],
    });

/** Of candidates alone: no key of it names a repository, a package or a tag, so no rule can reach what is kept. */
const cleanup = z
  .strictObject({
    olderThan: text(grammar.age, "Candidates that are older may be deleted"),
    keep: z
      .int()
      .min(1)
      .max(1000)
      .default(10)
      .meta({
        description: "Newest candidates of each image that stay, however old",
        rule: "keep is a whole number from 1 to 1000",
        examples: [10],
      }),
    dryRun: z
      .boolean()
      .default(true)
      .meta({
        description: "Delete nothing, and log what would be deleted; set it to false once that log is as expected",
        rule: "dryRun is true or false",
        examples: ["false"],
      }),
  })
  .meta({
    description:
      "Clean-up of candidates, the images that were built and not released; nothing else is ever cleaned up. Without it, nothing is",
    rule: "a clean-up is a map of olderThan, keep and dryRun",
  });

/** Below `registry`. The address is the first key, so that what mends an absent registry sets it. */
export const registry = z
  .strictObject({
    address: text(
      addresses.registryAddress,
      "The registry's host, with a path where it asks for one. Of `artifactRegistry` the override of `<location>-docker.pkg.dev/<project>`: everything is pushed there instead",
    ).optional(),
    kind: z
      .enum(["existing", "artifactRegistry"])
      .default("existing")
      .meta({
        description:
          "`existing`: a registry that is there already, with the keys `address` (required), `separator` and `insecure`. `artifactRegistry`: repositories of Google Artifact Registry that the stack declares, with all other keys",
        rule: "a registry's kind is existing or artifactRegistry",
        examples: ["artifactRegistry"],
      }),
    separator: z
      .enum(["/", "-"])
      .default("/")
      .meta({
        description: 'What joins the levels of a repository\'s name; "-" for registries that allow two levels only',
        rule: 'a separator is "/" or "-"',
        examples: ["-"],
      }),
    insecure: z
      .boolean()
      .default(false)
      .meta({
        description: "Speak http to this registry; loopback addresses always do",
        rule: "insecure is true or false",
        examples: ["true"],
      }),
    project: text(grammar.projectId, "The project that the repositories are in; required").optional(),
    location: text(grammar.location, "The region or multi-region that they are in; required").optional(),
    prefix: text(
      grammar.repositoryPrefix,
      "What their names begin with: `<prefix>-candidates`, `<prefix>-layers`, `<prefix>-releases`",
    ).default("policy"),
    labels: z
      .record(z.string(), text(grammar.labelValue, "Value of a label"))
      .default({})
      .meta({ description: "Labels of the repositories, by key", rule: grammar.labelKey.rule }),
    immutableTags: z
      .boolean()
      .default(false)
      .meta({
        description:
          "No tag of `<prefix>-releases` can be moved any more. `latest` is a tag that moves: what would write it is refused from then on, so this freezes what is released",
        rule: "immutableTags is true or false",
        examples: ["true"],
      }),
    protect: z
      .boolean()
      .default(true)
      .meta({
        description:
          "Layers and releases are never deleted by Pulumi: a destroy that would is refused, and what leaves the stack must be unprotected first, and stays in the project",
        rule: "protect is true or false",
        examples: ["false"],
      }),
    cleanup: cleanup.optional(),
    readers: members("Who may pull layers and releases: clusters, CI of application teams, reviewers"),
    writers: members("Who may push to all three repositories: the CI that runs this stack"),
  })
  .meta({ description: "The registry that everything is pushed to", rule: "a registry is a map with an address" });
