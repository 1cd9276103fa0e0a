// policy-platform render flux: the objects by which clusters get the last release, as YAML that others commit.
import { join, resolve } from "node:path";
import type { ClusterSettings } from "../config/clusterSettings";
import { fromStackFile } from "../config/load";
import { parseSettings } from "../config/parse";
import { PlatformError } from "../lib/errors";
import { deliveryFacts, deliveryObjects } from "../lib/flux/delivery";
import { readArtifact } from "../lib/flux/read";
import { onlyEnvironment, type ReleasedVersion, releasedArtifact, releasedVersion } from "../lib/flux/released";
import { manifestsOf, renderedStream } from "../lib/flux/render";
import { writeRendered } from "../lib/flux/renderedFolder";
import type { RegistryClient } from "../lib/oci/client";
import { parseRepository } from "../lib/oci/reference";
import { type RepositoryNames, repositoryNames } from "../lib/registry/names";
import { stackClient } from "../lib/registry/stackClient";
import type { Place } from "./place";
import { answer, exitCodes, narrate, type Output } from "./screen";

/** The options as they were typed. */
export interface RenderFluxOptions {
  readonly cluster?: string;
  readonly to?: string;
}

type Clusters = Readonly<Record<string, ClusterSettings>>;

export async function renderFlux(place: Place, options: RenderFluxOptions, output: Output): Promise<number> {
  const { stack, projectDir, stackFile } = place;
  const settings = parseSettings(fromStackFile(stackFile, stack).raw, { stack, projectDir });
  const clusters = chosen(settings.clusters, options.cluster, stack);
  const names = repositoryNames(settings.registry);
  const client = stackClient(settings.registry);
  narrate("doing", `reading ${names.releases(settings.image.name)}`);
  const query = { image: settings.image.name, names, stack };
  const release = await releasedVersion(client, { ...query, wanted: settings.promotion?.version });
  const artifact = artifactsOf({ client, names, release });
  const rendered = await Promise.all(
    Object.entries(clusters).map(async ([name, cluster]) => {
      const environment = cluster.environment ?? onlyEnvironment(name, release.environments);
      const { repository, digest, documents } = await artifact(environment);
      const objects = deliveryObjects({ ...cluster, repository, digest }, deliveryFacts(documents, cluster));
      return { cluster: name, version: release.version, digest, files: manifestsOf(name, objects) };
    }),
  );
  // Nothing is written unless all can be.
  const changed = [];
  for (const { cluster, files } of options.to === undefined ? [] : rendered) {
    const folder = options.cluster === undefined ? join(options.to!, cluster) : options.to!;
    const changes = await writeRendered(resolve(folder), files);
    narrate("done", `${folder}: ${changes.length} of ${files.size} files changed`);
    changed.push({ cluster, folder, changes });
  }
  const data = rendered.map((one) => ({ ...one, files: Object.fromEntries(one.files) }));
  const streams = rendered.map(({ files }) => renderedStream(files).trimEnd());
  answer(output, { clusters: data, changed }, options.to === undefined ? streams : []);
  narrate("done", `${Object.keys(clusters).join(", ")}: ${release.version}`);
  return exitCodes.ok;
}

interface Released {
  readonly client: RegistryClient;
  readonly names: RepositoryNames;
  readonly release: ReleasedVersion;
}

/** The artifact of an environment and what it holds, each read once however many clusters get it. */
function artifactsOf({ client, names, release }: Released) {
  const read = async (environment: string) => {
    const repository = names.artifacts(environment);
    const digest = await releasedArtifact(client, names, release, environment);
    const { documents } = await readArtifact(client, parseRepository(repository), digest);
    return { repository, digest, documents };
  };
  const found = new Map<string, ReturnType<typeof read>>();
  return (environment: string) => {
    const artifact = found.get(environment) ?? read(environment);
    found.set(environment, artifact);
    return artifact;
  };
}

/** The clusters of the stack, or the one that is named; none with a secret in the stack's file. */
function chosen(clusters: Clusters, name: string | undefined, stack: string): Clusters {
  const known = Object.keys(clusters).sort();
  if (known.length === 0 || (name !== undefined && !known.includes(name))) {
    throw new PlatformError("cluster-unknown", {
      what:
        name === undefined ? `stack ${stack} has no clusters` : `stack ${stack} has no cluster ${JSON.stringify(name)}`,
      rule: known.length > 0 ? `its clusters are ${known.join(", ")}` : "what is rendered are clusters of a stack",
      fix:
        known.length > 0
          ? "name one of them with --cluster"
          : `pulumi config set --path 'policy-platform:clusters.dev.enforcement' audit --stack ${stack}`,
    });
  }
  const wanted = Object.fromEntries(known.filter((one) => (name ?? one) === one).map((one) => [one, clusters[one]!]));
  const secret = Object.keys(wanted).find((one) => wanted[one]!.pullSecret !== undefined);
  if (secret === undefined) return wanted;
  throw new PlatformError("render-secret", {
    what: `cluster ${secret} has a pullSecret`,
    rule: "no secret is ever written into a file that others commit",
    fix: `make the Secret in the cluster (kubectl create secret docker-registry), name it by policy-platform:clusters.${secret}.secretRef, and take pullSecret away`,
  });
}
