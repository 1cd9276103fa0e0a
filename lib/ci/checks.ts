// The checks of one application's chart with the tools and policies of the released image, as command lines: what a CI file runs.

import type { Digest } from "../oci/digest";
import { formatReference, type Reference } from "../oci/reference";
import { checkoutPath, imagePath, shellLine, wrong } from "./shell";

/** How the CI host logs in to the image's registry. */
export const RegistryLogin = { none: "none", password: "password", github: "github" } as const;
export type RegistryLogin = (typeof RegistryLogin)[keyof typeof RegistryLogin];

/** What an application team asks for, as it was typed. */
export interface ConsumerRequest {
  /** By digest, without a tag. */
  readonly image: Reference & { readonly digest: Digest };
  /** The version that the digest was released under, where one is known. */
  readonly version?: string;
  /** The image as it was asked for; absent when it is the last release. */
  readonly named?: string;
  /** Folder of the chart in the checkout. */
  readonly chart: string;
  /** Values files in the checkout, in order. */
  readonly values: readonly string[];
  /** Repositories of the image, or paths in them; `<repository>/charts/<chart>` is a chart of policies. */
  readonly policies: readonly string[];
  /** Charts of policies are rendered with the repository's `cd/<environment>/values.yaml`; default: the charts' own values. */
  readonly environment?: string;
  /** Version of Kubernetes that the chart is for: `1.31`. */
  readonly kubernetes?: string;
  /** Spectral's rules: a file in the checkout, or below `/repos/` in the image. */
  readonly ruleset: string;
  readonly registryLogin: RegistryLogin;
}

/** The command lines of the checks; each reads the rendered chart from where `rendered` says. */
export interface Checks {
  readonly image: string;
  readonly version?: string;
  readonly registry: string;
  readonly registryLogin: RegistryLogin;
  /** Prints the chart's resources. */
  readonly template: string;
  /** One for each source of policies, as kyverno drops a source that it cannot read without a word; they read the rendered chart from standard input. */
  readonly kyverno: readonly { readonly name: string; readonly command: string }[];
  /** Reads the rendered chart from standard input. */
  readonly pluto: string;
  readonly spectral: string;
  readonly named: boolean;
  /** The command that makes this file again. */
  readonly command: readonly string[];
}

/** Error: `ci-option`, the first thing that cannot be used. */
export function checksOf(consumer: string, request: ConsumerRequest): Checks {
  const { image, version, kubernetes, registryLogin } = request;
  if (kubernetes !== undefined && !/^1\.\d{1,3}(\.\d{1,3})?$/.test(kubernetes))
    throw wrong("--kubernetes", kubernetes, "it is a version such as 1.31 or 1.31.2");
  const [major, minor, patch = "0"] = (kubernetes ?? "").split(".");
  const chart = checkoutPath("--chart", request.chart);
  const values = request.values.map((file) => checkoutPath("--values", file));
  const policies = request.policies.map((path) => imagePath("--policies", path));
  const { environment } = request;
  if (environment !== undefined && !/^[a-z0-9][a-z0-9-]*$/.test(environment))
    throw wrong("--environment", environment, "it is the name of a folder in the repository's cd/");
  const ruleset = request.ruleset.startsWith("/repos/")
    ? imagePath("--ruleset", request.ruleset)
    : checkoutPath("--ruleset", request.ruleset);
  return {
    image: formatReference(image),
    ...(version === undefined ? {} : { version }),
    registry: image.registry,
    registryLogin,
    named: request.named !== undefined,
    template: shellLine([
      ...["helm", "template", "app", chart],
      ...values.flatMap((file) => ["--values", file]),
      ...(kubernetes === undefined ? [] : ["--kube-version", kubernetes]),
    ]),
    kyverno: policies.map((path) => ({ name: `kyverno apply ${path}`, command: kyvernoLine(path, environment) })),
    pluto: shellLine([
      ...["pluto", "detect", "-", "--output", "wide", "--no-footer"],
      ...(kubernetes === undefined ? [] : ["--target-versions", `k8s=v${major}.${minor}.${patch}`]),
    ]),
    spectral: shellLine(["spectral", "lint", ...lintedFiles(chart, values), "--ruleset", ruleset]),
    command: [
      ...["policy-platform", "render", "ci", "--consumer", consumer, "--chart", request.chart],
      ...request.values.flatMap((file) => ["--values", file]),
      ...request.policies.flatMap((path) => ["--policies", path]),
      ...(environment === undefined ? [] : ["--environment", environment]),
      ...(kubernetes === undefined ? [] : ["--kubernetes", kubernetes]),
      ...["--ruleset", request.ruleset, "--registry-login", registryLogin],
      ...(request.named === undefined ? [] : ["--image", request.named]),
    ],
  };
}

/** What people write themselves: the chart's own values and those that are put over them. Spectral reads `*` and `{` as patterns. */
function lintedFiles(chart: string, values: readonly string[]): string[] {
  return [`${chart}/values.yaml`, ...values].map((file) => file.replace(/[*?[\]{}()!]/g, "\\$&"));
}

/** `/repos/<repository>/charts/<chart>`: its templates are no policies before helm has rendered them. */
const policyChart = /^(\/repos\/[^/]+)\/charts\/([^/]+)$/;
const renderedPolicies = "/tmp/policies.yaml";

/** One command: for a chart of policies a shell, which renders them first. */
function kyvernoLine(path: string, environment: string | undefined): string {
  const [, repository, chart] = policyChart.exec(path) ?? [];
  const apply = (source: string) => shellLine(["kyverno", "apply", source, "--resource", "-", "--remove-color"]);
  if (chart === undefined) return apply(path);
  const values = environment === undefined ? [] : ["--values", `${repository}/cd/${environment}/values.yaml`];
  const render = shellLine(["helm", "template", chart, path, ...values]);
  return shellLine(["bash", "-c", `${render} > ${renderedPolicies} && ${apply(renderedPolicies)}`]);
}
