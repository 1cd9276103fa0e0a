// The clusters of a stack as everything after the configuration sees them.
import type { z } from "zod";
import type { Enforcement } from "../lib/flux/enforcement";
import type { KyvernoSource } from "../lib/flux/kyverno";
import { mapRecord } from "../lib/record";
import type { clusterMap } from "./clusterSchema";
import type { Secret } from "./problems";
import { parseDuration } from "./units";

/** One cluster, defaults filled in. Times are as Flux takes them: `10m`. */
export interface ClusterSettings {
  /** Absent where only the release that is promoted tells: then it has exactly one. */
  readonly environment?: string;
  /** Path as it was written, relative to the project. */
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace: string;
  readonly createNamespace: boolean;
  /** Of the Kustomization, and how that of the OCIRepository begins. */
  readonly name: string;
  readonly enforcement: Enforcement;
  readonly exceptions: readonly string[];
  /** Range of versions in place of a digest. */
  readonly follow?: string;
  readonly secretRef?: string;
  readonly provider?: "aws" | "azure" | "gcp";
  /** Docker config as JSON, or `user:password`; known in the program alone. */
  readonly pullSecret?: Secret;
  readonly certSecretRef?: string;
  readonly interval: string;
  readonly retryInterval: string;
  readonly timeout: string;
  /** What this program waits: `timeout`, and a minute more in which Flux says what came of it. */
  readonly timeoutSeconds: number;
  readonly path: string;
  readonly prune: boolean;
  readonly dependsOn: readonly string[];
  readonly serviceAccount?: string;
  /** Absent where Kyverno is there already. */
  readonly kyverno?: KyvernoSource;
  /** Folder that YAML is written into, relative to the project, instead of speaking to a cluster. */
  readonly render?: string;
}

/** Of a configuration whose rules hold. `environments`: those of the stack, where the configuration knows them. */
export function clusterSettings(
  parsed: z.output<typeof clusterMap>,
  environments: readonly string[] = [],
): Readonly<Record<string, ClusterSettings>> {
  const [only, ...others] = environments;
  const fallback = others.length === 0 && only !== undefined ? { environment: only } : {};
  return mapRecord(parsed, ({ kyverno, ...rest }) => ({
    ...fallback,
    ...rest,
    timeoutSeconds: parseDuration(rest.timeout)! + 60,
    ...(kyverno.kind === "flux" && {
      kyverno: kyverno.git ? { git: kyverno.git } : { chart: kyverno.chart! },
    }),
  }));
}
