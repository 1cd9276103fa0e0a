// kubectl at one cluster, as people use it.
import { join } from "node:path";
import { PlatformError } from "../../lib/errors";
import { type ExecResult, exec } from "../../lib/exec";
import { printable } from "../../lib/printable";

export interface KubectlOptions {
  /** The folder with the program. */
  readonly folder: string;
  readonly kubeconfig: string;
  /** Default: the kubeconfig's current one. */
  readonly context?: string;
  readonly signal?: AbortSignal;
}

/** Runs `kubectl ARGS` and resolves with what it prints. Error: `kubectl-failed`. */
export type Kubectl = (...args: readonly string[]) => Promise<string>;

export function kubectlOf(options: KubectlOptions): Kubectl {
  return async (...args) => {
    const { code, stdout, stderr } = await runKubectl(options, args);
    if (code === 0) return stdout;
    throw new PlatformError("kubectl-failed", {
      what: `kubectl ${args[0]} failed: ${printable(stderr, 600)}`,
      rule: "the local cluster is set up through kubectl",
      fix: "mend what it says; `npm run local:status` says what runs",
    });
  };
}

/** The same whatever it ends with; `input` is what `--filename=-` reads. */
export function runKubectl(
  { folder, kubeconfig, context, signal }: KubectlOptions,
  args: readonly string[],
  input?: string,
): Promise<ExecResult> {
  const chosen = context === undefined ? [] : [`--context=${context}`];
  return exec(join(folder, "kubectl"), [`--kubeconfig=${kubeconfig}`, ...chosen, ...args], {
    timeout: 120_000,
    signal,
    input,
  });
}
