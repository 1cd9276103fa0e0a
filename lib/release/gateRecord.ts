// What a stack's own state says of its gate.
import { type Digest, isDigest } from "../oci/digest";
import { mapRecord } from "../record";
import { resourcesOfType } from "../stateResources";

/** Artifacts that the gate found equal to an image, by environment. */
export type GatedArtifacts = Readonly<Record<string, { readonly digest: Digest; readonly render?: Digest }>>;

/**
 * Digests of the artifacts that the gate found equal to an image, by environment; undefined where it did not look at that image.
 * `resources`: those of the state, by URN.
 */
export function recordedArtifacts(resources: unknown, image: Digest): Readonly<Record<string, Digest>> | undefined {
  const record = recordOf(resources, (outputs) => outputs.digest === image);
  return record && mapRecord(record, ({ digest }) => digest);
}

/** The artifacts that the gate found equal last, to whatever image it looked at for the releases of `repository`, `host/path`. */
export function gatedArtifacts(resources: unknown, repository: string): GatedArtifacts {
  return recordOf(resources, (outputs) => outputs.release === repository) ?? {};
}

function recordOf(
  resources: unknown,
  isWanted: (outputs: Readonly<Record<string, unknown>>) => boolean,
): GatedArtifacts | undefined {
  const [run] = resourcesOfType(resources, "policychain:index:GateRun").filter(({ outputs }) => isWanted(outputs));
  const artifacts = run?.outputs.artifacts;
  if (typeof artifacts !== "object" || artifacts === null) return undefined;
  return Object.fromEntries(
    Object.entries(artifacts as Readonly<Record<string, { digest?: unknown; render?: unknown } | null>>).flatMap(
      ([name, one]) => {
        const [digest, render] = [digestIn(one?.digest), digestIn(one?.render)];
        return digest ? [[name, { digest, ...(render && { render }) }]] : [];
      },
    ),
  );
}

function digestIn(value: unknown): Digest | undefined {
  return typeof value === "string" && isDigest(value) ? value : undefined;
}
