// The output `artifacts`, of the same shape whether they were made or taken.
import type { PolicyArtifact } from "../components/policyArtifact";
import { mapRecord } from "../lib/record";

/** By environment. */
export function artifactOutputs(
  artifacts: { readonly [environment: string]: PolicyArtifact },
  home: (environment: string) => string,
) {
  return mapRecord(artifacts, ({ digest, reference, tags, revision }, environment) => ({
    repository: home(environment),
    digest,
    reference,
    tags,
    revision,
  }));
}
