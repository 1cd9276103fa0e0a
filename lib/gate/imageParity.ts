// Parity of an image with the artifacts that are made of its repositories, whose layer images are read from the registry as
// whoever publishes the artifacts reads them. What helm rendered is left for them on this machine.
import { chartRepositories, renderDigest } from "../flux/charts";
import { rememberRendered } from "../flux/renderCache";
import type { Digest } from "../oci/digest";
import { mapRecord } from "../record";
import { failed, skipped } from "./check";
import type { GateInputs } from "./inputs";
import { checkParity, type ParityResult, parityCheck } from "./parity";
import type { GateResult } from "./run";

/** What was found before. */
export interface ParityScene {
  readonly run: GateResult;
  /** Layer images of the repositories by name: path in the image, `repos/<name>/…` → content. */
  readonly contents: Readonly<Record<string, ReadonlyMap<string, Buffer>>>;
  /** Of helm's layer image; undefined where the image does not name it. */
  readonly helm?: Digest;
}

/** A check for each environment. Error: none that is a user's to mend. */
export async function gateParity(inputs: GateInputs, { run, contents, helm }: ParityScene): Promise<ParityResult> {
  const { environments, tools, allow = [] } = inputs;
  if (environments.length === 0) return { checks: [], artifacts: {} };
  if (!run.seen) return { checks: environments.map((name) => unseen(name, inputs)), artifacts: {} };
  const repositories = mapRecord(contents, (files, name) => inRepository(files, name));
  const render = (environment: string) => {
    const names = chartRepositories(repositories, environment);
    if (names.length === 0 || helm === undefined) return undefined;
    const digests = Object.fromEntries(names.map((name) => [name, inputs.repositories[name]!.digest]));
    return renderDigest({ environment, repositories: digests, helm, allow });
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

function inRepository(files: ReadonlyMap<string, Buffer>, name: string): ReadonlyMap<string, Buffer> {
  const folder = `repos/${name}/`;
  return new Map(
    [...files].flatMap(([path, content]) => (path.startsWith(folder) ? [[path.slice(folder.length), content]] : [])),
  );
}
