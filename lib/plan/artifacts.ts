// Which artifacts a run is going to publish, as far as that can be known before anything is built: their digests, or that helm has to
// render a part of them first. What was computed once of equal content is remembered, so that an unchanged stack reads nothing.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson } from "../canonicalJson";
import { PlatformError } from "../errors";
import { fluxArtifact } from "../flux/artifact";
import { chartRepositories } from "../flux/charts";
import { type ArtifactContent, artifactFiles, mayMatter } from "../flux/content";
import type { PolicyDocument } from "../flux/documents";
import { type RepositoryFiles, renderedBefore, renderOf } from "../flux/rendered";
import type { RegistryClient } from "../oci/client";
import { type Digest, sha256 } from "../oci/digest";
import { parseRepository } from "../oci/reference";
import { type Inputs, pick } from "../pins/model";
import { mapRecord } from "../record";
import type { GatedArtifacts } from "../release/gateRecord";
import type { ShippedRepository } from "../sources/shippedPolicies";
import { type PlannedArtifact, recallArtifact, rememberArtifact } from "./artifactMemory";

export interface ArtifactPlan {
  /** By environment. */
  readonly artifacts: Readonly<Record<string, PlannedArtifact>>;
  /** For people: what is not known here, and why. */
  readonly lines: readonly string[];
  /** What an artifact holds, made when it is asked for; undefined for one without a digest. */
  readonly documents: (environment: string) => Promise<readonly PolicyDocument[] | undefined>;
}

export interface ArtifactScene {
  readonly inputs: Inputs;
  readonly repositories: readonly ShippedRepository[];
  /** Where artifacts of an environment are, `host/path`. */
  readonly home: (environment: string) => string;
  /** Artifacts that the stack's gate found equal last, by environment. */
  readonly gated: () => Promise<GatedArtifacts>;
  readonly projectDir: string;
}

/** Errors: those of `artifactFiles` and `fluxArtifact`; `artifact-without-helm`. */
export async function planArtifacts(client: RegistryClient, scene: ArtifactScene): Promise<ArtifactPlan> {
  const { inputs, repositories } = scene;
  const environments = inputs.artifacts?.environments ?? [];
  // Without a layer image that is gone nothing can be built: whoever needs it says so.
  const isWhole = repositories.length === Object.keys(inputs.repositories).length;
  if (!isWhole) {
    const artifacts = Object.fromEntries(environments.map((name) => [name, {}]));
    return { artifacts, lines: [], documents: async () => undefined };
  }
  let read: Promise<RepositoryFiles> | undefined;
  const made = new Map<string, ReturnType<typeof contentOf>>();
  const content = async (environment: string) => {
    read ??= readAll(repositories);
    const known = made.get(environment) ?? contentOf(client, scene, environment, await read);
    made.set(environment, known);
    return known;
  };
  const artifacts: Record<string, PlannedArtifact> = {};
  for (const environment of environments) {
    const key = keyOf(inputs, environment);
    const known = await recallArtifact(scene.projectDir, environment, key);
    const artifact = known ?? planned(await content(environment));
    artifacts[environment] = artifact;
    if (!known && artifact.digest) await rememberArtifact(scene.projectDir, environment, { key, artifact });
  }
  const unknown = Object.keys(artifacts).filter((name) => artifacts[name]!.digest === undefined);
  const lines = unknown.map(
    (name) => `artifact ${name}: its digest is unknown here, as helm has not rendered its charts yet`,
  );
  const documents = async (environment: string) =>
    artifacts[environment]?.digest && (await content(environment)).content?.documents;
  return { artifacts, lines, documents };
}

function planned({ content, ...render }: MadeContent): PlannedArtifact {
  if (!content) return render;
  const { digest, revision } = fluxArtifact(content.files, render);
  return { digest, revision, ...render };
}

/** Without a content where helm has to render a part of it first. */
interface MadeContent {
  readonly render?: Digest;
  readonly content?: ArtifactContent;
}

async function contentOf(
  client: RegistryClient,
  { inputs, home, gated }: ArtifactScene,
  environment: string,
  repositories: RepositoryFiles,
): Promise<MadeContent> {
  const charts = chartRepositories(repositories, environment);
  const allow = inputs.artifacts?.allow ?? [];
  const helm = pick(inputs.tools, "helm")?.digest;
  if (charts.length > 0 && !helm) throw withoutHelm(environment, charts);
  const digests = mapRecord(inputs.repositories, ({ digest }) => digest);
  const render = charts.length === 0 ? undefined : renderOf({ environment, charts, digests, helm: helm!, allow });
  const place = { charts, repositories, home: parseRepository(home(environment)) };
  const rendered = render && (await renderedBefore(client, { render, ...place, gated: (await gated())[environment] }));
  if (render && !rendered) return { render };
  const kyverno = pick(inputs.tools, "kyverno")?.version;
  return { ...(render && { render }), content: artifactFiles({ repositories, rendered, allow, kyverno }) };
}

async function readAll(repositories: readonly ShippedRepository[]): Promise<RepositoryFiles> {
  const read = repositories.map(async ({ name, files, source }) => {
    const paths = Object.keys(files).filter(mayMatter);
    const contents = await Promise.all(
      paths.map(async (path) => {
        const bytes = typeof source === "string" ? await readFile(join(source, path)) : await source(path);
        return bytes ? [[path, bytes] as const] : [];
      }),
    );
    return [name, new Map(contents.flat())] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

/** What is remembered is of use only to the same maker. */
const format = 1;

/** Of everything that an artifact depends on, and that could refuse it. */
function keyOf({ artifacts, repositories, tools }: Inputs, environment: string): Digest {
  const allow = [...(artifacts?.allow ?? [])].sort();
  const [helm, kyverno] = [pick(tools, "helm")?.digest, pick(tools, "kyverno")?.version];
  const digests = mapRecord(repositories, ({ digest }) => digest);
  return sha256(canonicalJson({ allow, environment, format, helm, kyverno, repositories: digests }));
}

function withoutHelm(environment: string, charts: readonly string[]): PlatformError {
  return new PlatformError("artifact-without-helm", {
    what: `the artifact of ${environment} holds policies of charts (${charts.join(", ")}), and the image has no tool helm`,
    rule: "charts are rendered by the helm of the image",
    fix: "add the tool helm, or take cd/<environment>/values.yaml out of those repositories",
  });
}
