// Artifacts that this process has made, by digest: the gate makes those that are published behind it, and environments may share one.
import type { Digest } from "../oci/digest";
import type { FluxArtifact } from "./artifact";

const made = new Map<Digest, Promise<FluxArtifact>>();

export function keepMade(artifact: FluxArtifact): void {
  made.set(artifact.digest, Promise.resolve(artifact));
}

/** The artifact of this digest. `make` is asked where nobody has made it here; what has another digest by then is not kept. */
export function madeOnce(digest: Digest, make: () => Promise<FluxArtifact>): Promise<FluxArtifact> {
  const known = made.get(digest);
  if (known) return known;
  const making = make();
  made.set(digest, making);
  const forget = () => made.delete(digest);
  making.then((artifact) => artifact.digest === digest || forget(), forget);
  return making;
}
