// What a stack's own state says of its gate.
import { type Digest, isDigest } from "../oci/digest";
import { resourcesOfType } from "../stateResources";

/**
 * Digests of the artifacts that the gate found equal to an image, by environment; undefined where it did not look at that image.
 * `resources`: those of the state, by URN.
 */
export function recordedArtifacts(resources: unknown, image: Digest): Readonly<Record<string, Digest>> | undefined {
  const [run] = resourcesOfType(resources, "policychain:index:GateRun").filter(
    ({ outputs }) => outputs.digest === image,
  );
  const artifacts = run?.outputs.artifacts;
  if (typeof artifacts !== "object" || artifacts === null) return undefined;
  return Object.fromEntries(
    Object.entries(artifacts as Readonly<Record<string, { digest?: unknown } | null>>).flatMap(([name, one]) =>
      typeof one?.digest === "string" && isDigest(one.digest) ? [[name, one.digest]] : [],
    ),
  );
}
