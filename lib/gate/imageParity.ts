// Parity of an image with the artifacts that are made of its repositories, whose layer images are read from the registry as
// whoever publishes the artifacts reads them. What helm rendered is left for them on this machine.
import { PlatformError } from "../errors";
import { chartRepositories } from "../flux/charts";
import { rememberRendered } from "../flux/renderCache";
import { type RepositoryFiles, renderOf } from "../flux/rendered";
import type { Digest } from "../oci/digest";
import { mapRecord } from "../record";
import { failed, skipped } from "./check";
import type { GateInputs } from "./inputs";
import { checkParity, type ParityResult, parityCheck } from "./parity";
import type { GateResult } from "./run";

/** What was found before. */
export interface ParityScene {
  readonly run: GateResult;
  /** Reads what can matter to an artifact out of the layer images of the repositories, by name: path in the repository → content. */
  readonly read: () => Promise<RepositoryFiles>;
  /** Of helm's layer image; undefined where the image does not name it. */
  readonly helm?: Digest;
}

/** A check for each environment. Errors: those of the registry. */
export async function gateParity(inputs: GateInputs, { run, read, helm }: ParityScene): Promise<ParityResult> {
  const { environments, tools, allow = [] } = inputs;
  if (environments.length === 0) return { checks: [], artifacts: {} };
  if (!run.seen) return { checks: environments.map((name) => unseen(name, inputs)), artifacts: {} };
  let repositories: RepositoryFiles;
  try {
    repositories = await read();
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== "artifact-entry") throw error;
    return { checks: environments.map((name) => failed(parityCheck(name), error.message)), artifacts: {} };
  }
  const render = (environment: string) => {
    const names = chartRepositories(repositories, environment);
    if (names.length === 0 || helm === undefined) return undefined;
    const digests = mapRecord(inputs.repositories, ({ digest }) => digest);
    return renderOf({ environment, charts: names, digests, helm, allow });
  };
  const result = await checkParity(run.seen, { repositories, allow, kyverno: tools.kyverno?.version, render });
  for (const [environment, { render: inputsOf }] of Object.entries(result.artifacts))
    if (inputsOf !== undefined) await rememberRendered(inputsOf, new Map(run.seen.get(environment)!.charts.files));
  return result;
}

function unseen(environment: string, { tools }: GateInputs) {
  const name = parityCheck(environment);
  return Object.hasOwn(tools, "kyverno")
    ? skipped(name, "not looked at: the image does not start as it must")
    : failed(
        name,
        "the image has no tool kyverno, so nothing that clusters would get was checked; pin kyverno, or take the environment out of policy-platform:artifacts.environments",
      );
}
