// Whether each environment's artifact holds the policies that the gate has seen: made here as the release makes it, unpacked again
// as a cluster does, and held against what `kyverno apply` ran.
import { messageOf, PlatformError } from "../errors";
import { type FluxArtifact, fluxArtifact } from "../flux/artifact";
import { artifactFiles } from "../flux/content";
import { keepMade } from "../flux/madeArtifacts";
import { compareParity, type Parity, type PolicyDifference } from "../flux/parity";
import { listedDocuments, unpackLayer } from "../flux/unpacked";
import type { Digest } from "../oci/digest";
import { type Check, counted, failed, listed, passed } from "./check";
import type { SeenDelivery } from "./delivery";

/** An artifact that holds what the gate has seen, and nothing else. */
export interface GatedArtifact {
  /** Of its manifest. */
  readonly digest: Digest;
  /** Of its layer. */
  readonly revision: Digest;
  /** Of what its charts were rendered from; absent where it has none. */
  readonly render?: Digest;
}

/** What an artifact is made of, beside what helm rendered. */
export interface ParitySources {
  /** Policy repositories by name: path in the repository → content, as their layer images have it. */
  readonly repositories: Readonly<Record<string, ReadonlyMap<string, Uint8Array>>>;
  readonly allow: readonly string[];
  /** The version that is pinned. */
  readonly kyverno?: string;
  /** Digest of what an environment's charts were rendered from; undefined where it has none. */
  readonly render: (environment: string) => Digest | undefined;
}

/** What came of all environments. */
export interface ParityResult {
  /** One for each environment, `parity: <environment>`. */
  readonly checks: readonly Check[];
  /** By environment, of those that passed. */
  readonly artifacts: Readonly<Record<string, GatedArtifact>>;
}

/** Name of the check of one environment. */
export const parityCheck = (environment: string) => `parity: ${environment}`;

export async function checkParity(
  seen: ReadonlyMap<string, SeenDelivery>,
  sources: ParitySources,
): Promise<ParityResult> {
  const checks: Check[] = [];
  const artifacts: Record<string, GatedArtifact> = {};
  for (const [environment, delivery] of seen) {
    const { check, artifact } = await checkOne(environment, delivery, sources);
    checks.push(check);
    if (artifact) artifacts[environment] = artifact;
  }
  return { checks, artifacts };
}

async function checkOne(
  environment: string,
  { policies, charts }: SeenDelivery,
  { repositories, allow, kyverno, render }: ParitySources,
): Promise<{ readonly check: Check; readonly artifact?: GatedArtifact }> {
  const name = parityCheck(environment);
  if (charts.failure !== undefined) return { check: failed(name, `there is no artifact: ${charts.failure}`) };
  let artifact: FluxArtifact;
  let parity: Parity;
  const rendered = render(environment);
  try {
    const { files } = artifactFiles({ repositories, rendered: charts.files, allow, kyverno });
    artifact = fluxArtifact(files, { render: rendered });
    parity = compareParity(policies, listedDocuments(await unpackLayer(artifact.layer)));
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    return { check: failed(name, `there is no artifact: ${messageOf(error)}`) };
  }
  if (parity.differences.length > 0) return { check: failed(name, differ(parity), report(parity)) };
  keepMade(artifact);
  const { digest, revision } = artifact;
  return {
    check: passed(name, agree(parity, artifact, charts.leftOut)),
    artifact: { digest, revision, ...(rendered !== undefined && { render: rendered }) },
  };
}

/** The good news, with everything that it does not cover by name. */
function agree({ policies, rules, unchecked, carried }: Parity, { digest }: FluxArtifact, leftOut: readonly string[]) {
  const all = (names: readonly string[]) => listed(names, names.length);
  return [
    `${counted(policies, "policy", "policies")} with ${counted(rules, "written rule")} are what kyverno apply ran, in artifact ${digest}`,
    ...(unchecked.length > 0 ? [`the same, and not checked here: ${all(unchecked)}`] : []),
    ...(carried.length > 0 ? [`the same, and not for kyverno apply: ${all(carried)}`] : []),
    ...(leftOut.length > 0 ? [`rendered by charts and not delivered: ${listed(leftOut)}`] : []),
  ].join("; ");
}

function differ({ differences, policies }: Parity): string {
  return `clusters would not get what was checked: ${listed(differences.map(sentenceOf), 5)}; ${counted(policies, "policy is", "policies are")} the same`;
}

/** Every difference, a line each. */
function report({ differences }: Parity): string {
  return differences.map(sentenceOf).join("\n");
}

const meanings: Readonly<Record<PolicyDifference["kind"], string>> = {
  onlyImage: "was checked and is not in the artifact",
  onlyArtifact: "is in the artifact and was not checked",
  differs: "is another one in the artifact",
  missed: "is in the artifact and was not applied by kyverno",
};

/** `ClusterPolicy a (team/a.yaml; rules one, two) is in the artifact and was not checked`. */
export function sentenceOf({ policy, kind, path, rules }: PolicyDifference): string {
  const named = rules.length === 0 ? "" : `; ${rules.length === 1 ? "rule" : "rules"} ${listed(rules, 3)}`;
  return `${policy} (${path}${named}) ${meanings[kind]}`;
}
