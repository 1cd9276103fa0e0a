// What the gate is asked about, and the key under which what it found is remembered.
import { canonicalJson, type Json } from "../canonicalJson";
import { type Digest, sha256 } from "../oci/digest";
import { mapRecord } from "../record";
import type { TestSource } from "../sources/testSource";
import type { IntegrationCase } from "./integrationCase";
import { judge } from "./judge";
import type { GateLimits } from "./limits";
import type { SizeBudget } from "./size";
import type { ToolSmoke } from "./smoke";

/** Where a policy repository's layer image is, and where its tests are. */
export interface GatedRepository {
  /** Of its layer image. */
  readonly digest: Digest;
  /** `host/path` of its layer image. */
  readonly layers: string;
  /** Absent for one that is given as an image. */
  readonly tests?: TestSource;
}

/** Everything that can change a verdict. */
export interface GateInputs {
  readonly digest: Digest;
  readonly inputDigest: Digest;
  readonly tools: Readonly<Record<string, ToolSmoke>>;
  readonly repositories: Readonly<Record<string, GatedRepository>>;
  readonly policyTests: "optional" | "required";
  readonly limits: GateLimits;
  /** For each of which the policies in charts are rendered. */
  readonly environments: readonly string[];
  /** Kinds that clusters get beside policies. Default: none. */
  readonly allow?: readonly string[];
  /** Integration cases by name. */
  readonly integration: Readonly<Record<string, IntegrationCase>>;
  readonly size: SizeBudget;
}

/** What two runs must have in common for one to stand for the other. */
export function gateKey({
  digest,
  inputDigest,
  tools,
  repositories,
  policyTests,
  limits,
  environments,
  allow = [],
  integration,
  size,
}: GateInputs): Digest {
  const about = {
    judge: judge(),
    digest,
    inputDigest,
    tools,
    repositories: mapRecord(repositories, (one) => ({ digest: one.digest, tests: one.tests?.digest })),
    policyTests,
    limits,
    environments: [...environments].sort(),
    allow: [...allow].sort(),
    integration,
    size,
  };
  // Everything here came as JSON, or could have.
  return sha256(canonicalJson(JSON.parse(JSON.stringify(about)) as Json));
}
