// A release as it is made by hand today: an image for each policy repository, a multi-stage Dockerfile that installs packages
// and tools in RUN steps, docker run lines as tests, three tags, three pushes. Each layer is made anew wherever no cache is.
import { join } from "node:path";
import { exec } from "../../lib/exec";
import { folderEntries } from "../../lib/oci/folder";
import { layerImage } from "../../lib/oci/layer";
import { catalogue } from "../../lib/pins/catalogue";
import { dockerfileContext, type TestEngine, textFile } from "../../test/support/dockerEngine";
import { expectSuccess } from "../../test/support/project";
import { repositoryNames, type World } from "./world";

const patience = 900_000;

export interface ScriptedRelease {
  /** `1.0.2`: what stands in a VERSION file. */
  readonly version: string;
  /** For the tag `sha-…`. */
  readonly commit: string;
  /** Policy repositories whose own images are built and pushed first. */
  readonly changed: readonly string[];
  /** Tags of the policy repositories' images. */
  readonly repositories: Readonly<Record<string, string>>;
}

/** `host/path` of the platform image. */
export const scriptedImage = ({ host }: World) => `${host}/by-script/policy-platform`;
const repositoryImage = ({ host }: World, name: string) => `${host}/by-script/${name}`;

export async function releaseByScript(
  { engine, host: dockerHost }: TestEngine,
  world: World,
  release: ScriptedRelease,
): Promise<void> {
  const docker = (...args: string[]) =>
    expectSuccess(exec("docker", args, { env: { DOCKER_HOST: dockerHost }, cwd: world.policies, timeout: patience }));
  for (const name of release.changed) {
    const reference = `${repositoryImage(world, name)}:${release.repositories[name]}`;
    await engine.build({ contextTar: await repositoryContext(world, name), tags: [reference] });
    await docker("push", reference);
  }
  const image = scriptedImage(world);
  const built = `${image}:build`;
  const contextTar = dockerfileContext(platformDockerfile(world, release.repositories));
  await engine.build({ contextTar, tags: [built], network: "host" });

  // The engine that was started for it has no network to join.
  const run = (...args: string[]) => docker("run", "--rm", "--network", "none", ...args);
  for (const tool of ["kyverno", "pluto", "helm"]) await run(built, tool, "version");
  await run(built, "ls", "-R", "/repos/");
  const chart = "/repos/backend-applications/charts/app";
  const line = `helm template app ${chart} -f ${chart}/values.yaml | kyverno apply /repos/security-policy/ --resource -`;
  await run("-v", `${world.policies}:/workspace`, built, "bash", "-c", line);

  const tags = [`v${release.version}`, `sha-${release.commit}`, "latest"].map((tag) => `${image}:${tag}`);
  for (const tag of tags) await docker("tag", built, tag);
  for (const tag of tags) await docker("push", tag);
}

/** The policies of a repository below `/repos/<name>/` and nothing else: the same files that our layer image has. */
async function repositoryContext({ policies }: World, name: string): Promise<Buffer> {
  const dockerfile = textFile("/Dockerfile", `FROM scratch\nCOPY ${name}/ /repos/${name}/\nCMD ["none"]\n`);
  const image = await layerImage([dockerfile, ...folderEntries(join(policies, name), `/${name}`)]);
  const chunks: Buffer[] = [];
  for await (const chunk of image.open()) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** One step for each tool, packages first, policies last; neither downloads nor the index of packages are left in the image. */
export function platformDockerfile(world: World, repositories: Readonly<Record<string, string>>): string[] {
  const stage = (name: string) => name.replaceAll("-", "_");
  return [
    ...repositoryNames.map((name) => `FROM ${repositoryImage(world, name)}:${repositories[name]} AS ${stage(name)}`),
    `FROM ${world.base}`,
    `RUN apt-get update && apt-get install -y --no-install-recommends ${Object.keys(world.packages).join(" ")} && apt-get clean && rm -rf /var/lib/apt/lists/*`,
    ...Object.entries(world.tools).map(([name, { path }]) => `RUN ${install(name, `http://${world.host}${path}`)}`),
    ...repositoryNames.map((name) => `COPY --from=${stage(name)} /repos/${name}/ /repos/${name}/`),
    "WORKDIR /repos",
    'CMD ["/bin/bash"]',
  ];
}

function install(name: string, url: string): string {
  const { member, path } = catalogue[name]!;
  if (member === undefined) return `curl -fsSL ${url} -o ${path} && chmod +x ${path}`;
  const folders = member.split("/").length - 1;
  const strip = folders > 0 ? ` --strip-components=${folders}` : "";
  return `curl -fsSL ${url} | tar -xz -C /usr/local/bin${strip} ${member}`;
}
