// An image held against the artifact of one environment, both as a registry has them: without helm, so that of charts it is said what
// the artifact was rendered from, and without kyverno, so that it is said what is the same and not what was checked.
import type { Digest } from "../oci/digest";
import { chartRepositories, policyCharts, renderDigest } from "./charts";
import type { PolicyDocument } from "./content";
import { plainPolicies } from "./imagePolicies";
import { compareParity, type Parity, ParityStanding } from "./parity";

/** An image, as far as artifacts are made of it. */
export interface ImageContent {
  /** What ships of its policy repositories, by name: path in the repository → content. */
  readonly repositories: Readonly<Record<string, ReadonlyMap<string, Buffer>>>;
  /** Layer images of the same, by name. */
  readonly digests: Readonly<Record<string, Digest>>;
  /** Layer image of helm, where it has one. */
  readonly helm?: Digest;
  /** Kinds that are delivered beside policies. */
  readonly allow: readonly string[];
}

/** An artifact of it. */
export interface ArtifactSide {
  readonly documents: readonly PolicyDocument[];
  /** Digest of what it says that its charts were rendered from. */
  readonly render?: Digest;
}

/** What a comparison of both found. */
export interface ImageArtifact {
  /** Of everything but what charts rendered. */
  readonly files: Parity;
  /** Absent where neither side has charts for the environment. */
  readonly charts?: ChartComparison;
}

/** What can be said of charts without helm. */
export interface ChartComparison {
  /** Policies of the artifact that charts rendered. */
  readonly policies: number;
  readonly rules: number;
  /** The artifact says that it was rendered from the very charts, values, helm and kinds of the image. */
  readonly sameInputs: boolean;
}

/** Compares what can be compared. */
export function compareImage(image: ImageContent, artifact: ArtifactSide, environment: string): ImageArtifact {
  const { repositories, digests, helm, allow } = image;
  const names = chartRepositories(repositories, environment);
  const folders = names.flatMap((name) =>
    policyCharts(repositories[name]!).flatMap((chart) =>
      ["templates/", "charts/"].map((inside) => [name, chart, inside].filter(Boolean).join("/")),
    ),
  );
  // What was checked is not known here: every policy that is the same counts.
  const plain = Object.entries(repositories)
    .flatMap(([name, files]) => plainPolicies(name, files, () => true))
    .map((policy) => ({ ...policy, standing: ParityStanding.applied }));
  const plainPaths = new Set(plain.map(({ path }) => path));
  const isRendered = ({ path }: PolicyDocument) =>
    !plainPaths.has(path) && folders.some((folder) => path.startsWith(folder));
  const rendered = artifact.documents.filter(isRendered);
  const files = compareParity(
    plain,
    artifact.documents.filter((document) => !isRendered(document)),
  );
  if (names.length === 0 && artifact.render === undefined) return { files };
  const inputs = { environment, repositories: pickAll(digests, names), allow };
  const expected = names.length > 0 && helm !== undefined ? renderDigest({ ...inputs, helm }) : undefined;
  return {
    files,
    charts: {
      policies: rendered.length,
      rules: rendered.reduce((sum, { rules }) => sum + rules.length, 0),
      sameInputs: expected !== undefined && artifact.render === expected,
    },
  };
}

function pickAll(digests: Readonly<Record<string, Digest>>, names: readonly string[]): Record<string, Digest> {
  return Object.fromEntries(names.map((name) => [name, digests[name]!]));
}
