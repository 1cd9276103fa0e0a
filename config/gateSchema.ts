// The keys of the gate: bounds of its checks, cases of charts under policies, and what the image may weigh.
import { z } from "zod";
import * as amounts from "./amountGrammar";
import * as grammar from "./grammar";
import { repositoryPath } from "./pathGrammar";
import { named, text } from "./schemaParts";

const paths = (description: string, example: readonly string[]) =>
  z
    .array(text(repositoryPath, "One path"))
    .max(20)
    .meta({ description, rule: "paths are a list of at most 20 texts", examples: [example] });

const spectral = z
  .strictObject({
    ruleset: text(repositoryPath, "The ruleset, below `/repos`", "backend-applications/.spectral.yaml"),
    files: paths("Files that are looked at, below `/repos`; default: the chart's values.yaml and `values`", [
      "backend-applications/charts/app/values.yaml",
    ])
      .min(1)
      .optional(),
  })
  .meta({
    description: "Looks at values files with spectral; what it calls an error fails the case",
    rule: "spectral is a map of ruleset and files",
  });

const integrationCase = z
  .strictObject({
    chart: text(repositoryPath, "Folder of the chart, below `/repos`"),
    values: paths("Values files on top of the chart's own, below `/repos`; the last one wins", [
      "backend-applications/cd/production/values.yaml",
    ]).default([]),
    environment: text(
      grammar.entryName,
      "Environment with whose values (`cd/<environment>/values.yaml`) policies in charts are rendered",
      "production",
    ).optional(),
    policies: paths("Names of policy repositories, or paths in them below `/repos`", [
      "security-policy",
      "devops-policy/charts/workload-standards",
    ]).min(1),
    expect: z
      .enum(["pass", "refused"])
      .default("pass")
      .meta({
        description: "What must come of it: no rule refuses, or exactly the rules under `by` do",
        rule: "a case is expected to pass or to be refused",
        examples: ["refused"],
      }),
    by: z
      .array(text(grammar.policyRule, "One rule"))
      .max(50)
      .default([])
      .meta({
        description: "Rules that must refuse, and no other, as `policy/rule`",
        rule: "by is a list of at most 50 rules",
        examples: [["disallow-latest-tag/image-tag"]],
      }),
    kubernetes: text(
      grammar.kubernetesVersion,
      "Version of Kubernetes that the chart is for: an API that it deprecates or no longer has fails the case",
    ).optional(),
    spectral: spectral.optional(),
  })
  .meta({
    description: "One case: `helm template` of a chart under `kyverno apply`, with pluto and spectral where it says so",
    rule: "a case is a map with chart and policies",
  });

/** Below `gate.integration`. */
const gateIntegration = named(
  integrationCase,
  "Charts that are tried under policies, by name. The programs of the image do it, without a network",
);

/** Below `gate.size`. */
const gateSize = z
  .strictObject({
    compressed: text(amounts.imageSize, "What is pulled, in all").optional(),
    unpacked: text(amounts.imageSize, "What it is on a disk, in all", "1Gi").optional(),
  })
  .meta({
    description: "What the image may weigh; the weight is shown whether or not there is a budget",
    rule: "size is a map of compressed and unpacked",
  });

/** Key `gate`. */
export const gate = z
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
  .meta({ description: "The checks between build and release", rule: "a gate is a map of checks" });
