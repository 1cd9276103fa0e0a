// The keys of one cluster: whose policies it gets, how Flux pulls them there, and whether it enforces them.
import { z } from "zod";
import * as clusters from "./clusterGrammar";
import * as grammar from "./grammar";
import { innerFolder } from "./pathGrammar";
import { Secret } from "./problems";
import { named, text } from "./schemaParts";

const flag = (name: string, fallback: boolean, description: string) =>
  z
    .boolean()
    .default(fallback)
    .meta({ description, rule: `${name} is true or false`, examples: [String(!fallback)] });

/** The one value of the configuration that is a secret: in the stack's file it stands encrypted, or not at all. */
const pullSecret = z
  .unknown()
  .superRefine((value, context) => {
    if (value instanceof Secret) return;
    const refusal = { code: "secret-plain", wrong: "stands there in clear" };
    context.addIssue({ code: "custom", params: refusal });
  })
  .transform((value) => value as Secret)
  .meta({
    description:
      "The registry login that becomes a Secret in the cluster: a docker config as JSON, or `user:password`. Set it with `pulumi config set --secret`; no login of this machine is ever copied into a cluster",
    rule: "a pull secret is a secret value, a docker config as JSON or user:password",
    examples: ["{secure: …}"],
  });

const kyvernoGit = z
  .strictObject({
    url: text(clusters.fluxGitUrl, "Where Flux clones Kyverno from"),
    commit: text(grammar.pinnedCommit, "The commit; a tag can move"),
    path: text(innerFolder, "The folder with its manifests", "config/release"),
  })
  .meta({ description: "Kyverno's manifests at a commit", rule: "git is a map of url, commit and path" });

const kyverno = z
  .strictObject({
    kind: z
      .enum(["existing", "flux"])
      .default("existing")
      .meta({
        description:
          "`existing`: Kyverno is there already, and only what it serves is checked. `flux`: Flux installs it, of exactly one of `chart` and `git`",
        rule: "kyverno's kind is existing or flux",
        examples: ["flux"],
      }),
    chart: text(clusters.pinnedChart, "Kyverno's chart as an OCI artifact, by digest").optional(),
    git: kyvernoGit.optional(),
  })
  .prefault({})
  .meta({ description: "Where Kyverno comes from", rule: "kyverno is a map of kind, and chart or git" });

/** An entry of `clusters`. */
const cluster = z
  .strictObject({
    environment: text(
      grammar.entryName,
      "Whose artifact it gets; default: the only environment of the stack",
      "dev",
    ).optional(),
    kubeconfig: text(
      clusters.kubeconfigPath,
      "File with the cluster's address and login, relative to the project; default: `KUBECONFIG`, then `~/.kube/config`",
    ).optional(),
    context: text(clusters.contextName, "Its context; default: the current one").optional(),
    namespace: text(grammar.entryName, "Where Flux's objects are", "flux-system").default("flux-system"),
    createNamespace: flag("createNamespace", false, "Declare the namespace too"),
    name: text(
      grammar.entryName,
      "Name of the Kustomization, and how that of the OCIRepository begins",
      "policies",
    ).default("policies"),
    enforcement: z
      .enum(["asAuthored", "audit", "enforce"])
      .default("asAuthored")
      .meta({
        description:
          "What a violation does: what each policy says, only a report (`audit`), or a refusal (`enforce`). A patch of the Kustomization, never another content",
        rule: "enforcement is asAuthored, audit or enforce",
        examples: ["audit"],
      }),
    exceptions: z
      .array(text(clusters.objectName, "One policy", "require-replicas"))
      .max(200)
      .default([])
      .meta({
        description: "Names of policies that keep auditing where the cluster enforces",
        rule: "exceptions are a list of at most 200 names, each once",
        examples: [["require-replicas"]],
      }),
    follow: text(
      clusters.semverRange,
      "Range of versions in place of the digest: the cluster takes new releases by itself",
    ).optional(),
    secretRef: text(
      clusters.objectName,
      "Secret of type dockerconfigjson that is there, with the login to pull by",
    ).optional(),
    provider: z
      .enum(["aws", "azure", "gcp"])
      .optional()
      .meta({
        description: "Cloud whose workload identity logs in to the registry",
        rule: "a provider is aws, azure or gcp",
        examples: ["gcp"],
      }),
    pullSecret: pullSecret.optional(),
    certSecretRef: text(
      clusters.objectName,
      "Secret that is there with the registry's authority (`ca.crt`) or a client certificate",
      "registry-ca",
    ).optional(),
    interval: text(clusters.interval, "How often Flux compares what runs with what is declared").default("10m"),
    retryInterval: text(clusters.interval, "How soon it tries again what failed", "30s").default("30s"),
    timeout: text(clusters.wait, "How long applying and becoming ready may take").default("2m"),
    path: text(clusters.artifactPath, "Folder of the artifact that is applied").default("./"),
    prune: flag("prune", true, "Delete policies that are no longer in the artifact"),
    dependsOn: z
      .array(text(grammar.entryName, "One Kustomization", "kyverno"))
      .max(20)
      .default([])
      .meta({
        description: "Kustomizations of the same namespace that must be ready before",
        rule: "dependsOn is a list of at most 20 names, each once",
        examples: [["kyverno"]],
      }),
    serviceAccount: text(clusters.objectName, "Service account that Flux applies as", "policies").optional(),
    kyverno,
    render: text(
      clusters.renderFolder,
      "Folder of the project that YAML is written into for others to commit; no cluster is spoken to then",
    ).optional(),
  })
  .prefault({})
  .meta({ description: "One cluster", rule: "a cluster is a map" });

/** Key `clusters`. */
export const clusterMap = named(
  cluster,
  "Clusters by name: each gets the policies of one environment through Flux, and is waited for",
);
