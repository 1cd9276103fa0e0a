// Charts on their way into an artifact: whether there are any, and what is known of them without a run of helm.
import type { RegistryClient } from "../oci/client";
import type { Digest } from "../oci/digest";
import type { Repository } from "../oci/reference";
import { renderDigest } from "./charts";
import { kustomizationFile, plainPaths } from "./content";
import { artifactHead } from "./head";
import { readArtifact } from "./read";
import { recallRendered, rememberRendered } from "./renderCache";

/** What ships of policy repositories, by name: path in the repository → content. */
export type RepositoryFiles = Readonly<Record<string, ReadonlyMap<string, Uint8Array>>>;

export interface RenderRequest {
  readonly environment: string;
  /** Names of the repositories whose charts give the environment something. */
  readonly charts: readonly string[];
  /** Layer image digests of all repositories by name. */
  readonly digests: Readonly<Record<string, Digest>>;
  /** Layer image of helm. */
  readonly helm: Digest;
  readonly allow: readonly string[];
}

/** Of everything that the rendered files of an environment depend on. */
export function renderOf({ environment, charts, digests, helm, allow }: RenderRequest): Digest {
  const repositories = Object.fromEntries(charts.map((name) => [name, digests[name]!]));
  return renderDigest({ environment, repositories, helm, allow });
}

/** Where the files may be known from. */
export interface RenderedBefore {
  readonly render: Digest;
  /** Names of the repositories whose charts give the environment something. */
  readonly charts: readonly string[];
  readonly repositories: RepositoryFiles;
  /** Where artifacts of the environment are. */
  readonly home: Repository;
  /** The artifact that the gate found equal last. Names in a registry are written by others too, and say nothing of what was checked. */
  readonly gated?: { readonly digest: Digest; readonly render?: Digest };
}

/** What was rendered of equal inputs: on this machine, or for an artifact that the gate has seen; undefined where nobody did. */
export async function renderedBefore(
  client: RegistryClient,
  { render, charts, repositories, home, gated }: RenderedBefore,
): Promise<ReadonlyMap<string, Buffer> | undefined> {
  const remembered = await recallRendered(render);
  if (remembered) return remembered;
  if (gated?.render !== render || !(await artifactHead(client, home, gated.digest))) return undefined;
  const { files } = await readArtifact(client, home, gated.digest);
  // Equal inputs have equal files beside the rendered ones: what is none of those was rendered.
  const plain = new Set(charts.flatMap((name) => plainPaths(repositories[name]!).map((path) => `${name}/${path}`)));
  const rendered = [...files].filter(
    ([path]) => path !== kustomizationFile && charts.includes(path.split("/")[0]!) && !plain.has(path),
  );
  const found = new Map(rendered);
  await rememberRendered(render, found);
  return found;
}
