// Everything that the comparison runs on: registry, file server and counting proxy, the checkout, and a release by either side
// as a CI job makes it: on a Docker engine that was started for it, with an empty data folder.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { exec } from "../../lib/exec";
import { RegistryClient } from "../../lib/oci/client";
import { parsePinned, parseRepository } from "../../lib/oci/reference";
import { catalogue } from "../../lib/pins/catalogue";
import { offeredVersions, pushAptBase } from "../../test/support/aptBase";
import { startDockerEngine, type TestEngine } from "../../test/support/dockerEngine";
import { createProject, expectSuccess } from "../../test/support/project";
import { startRegistry } from "../../test/support/registry";
import { startCountingProxy, uploads } from "../countingProxy";
import { timed } from "../figure";
import { configurationOf, pulumiImage, releaseByPulumi } from "./byPulumi";
import { releaseByScript, scriptedImage } from "./byScript";
import { startReleaseServer } from "./releases";
import type { Run } from "./results";
import type { Sources } from "./scenarios";
import { countBlobs, weigh } from "./weigh";
import { repositoryNames, type World } from "./world";

export interface Stand extends Sources {
  readonly world: World;
  /** Releases what the world is now. `changed`: the policy repositories that are not what they were at the last release. */
  byScript(changed: readonly string[]): Promise<Run>;
  byPulumi(): Promise<Run>;
  stop(): Promise<void>;
}

/** Where one part does not start, those before it are ended. */
export async function startStand(): Promise<Stand> {
  const ends: (() => unknown)[] = [];
  const stop = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    return { ...(await start((end) => ends.push(end))), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** `atEnd` is told of each part, as soon as it is there, how it is ended. */
async function start(atEnd: (end: () => unknown) => void): Promise<Omit<Stand, "stop">> {
  const client = new RegistryClient();
  const registry = await startRegistry({ onDisk: true });
  atEnd(() => registry.stop());
  const releases = await startReleaseServer();
  atEnd(() => releases.stop());
  const { host, take, stop: stopProxy } = await startCountingProxy(registry.host, releases.host);
  atEnd(stopProxy);
  let bases = 0;
  const nextBase = async () => {
    // A Debian image has the folder; its packages only make it as they are configured.
    const files = { "etc/base-release": `${++bases}\n`, "usr/local/bin/.keep": "" };
    const { digest } = parsePinned(await pushAptBase(client, `${registry.host}/upstream/debian`, { files }));
    return `${host.replace("127.0.0.1", "localhost")}/upstream/debian@${digest}`;
  };
  const packages = await offeredVersions("bash", "curl");
  const first = { host, base: await nextBase(), packages, tools: releases.tools };
  const project = await createProject(configurationOf({ ...first, policies: "" }), { timeout: 900_000 });
  atEnd(() => project.remove());
  const world: World = { ...first, policies: join(project.dir, "policies") };
  // The script runs no tests of policies: without these, neither does the gate.
  for (const name of repositoryNames) rmSync(join(world.policies, name, "tests"), { recursive: true, force: true });
  const toolFiles = Object.keys(world.tools).map((name) => catalogue[name]!.path);

  /** What `release` costs on an engine of its own. */
  const run = async (image: string, release: (engine: TestEngine) => Promise<void>): Promise<Run> => {
    const engine = await startDockerEngine({ own: true });
    take();
    const seconds = await timed(() => release(engine)).finally(() => engine.stop());
    const { requests, uploaded, downloaded } = take();
    const released = { ...parseRepository(image), registry: registry.host };
    return {
      up: uploaded,
      down: downloaded,
      seconds,
      ...(await weigh(client, released, "latest")),
      blobs: await countBlobs(client, registry.host, uploads(requests), toolFiles),
    };
  };
  let scripted = 0;
  const repositories: Record<string, string> = Object.fromEntries(repositoryNames.map((name) => [name, "none"]));
  return {
    world,
    releases,
    nextBase,
    byScript: (changed) => {
      const version = `1.0.${scripted++}`;
      for (const name of changed) repositories[name] = version;
      const release = { version, commit: `${scripted}`.padStart(12, "0"), changed, repositories };
      return run(scriptedImage(world), (engine) => releaseByScript(engine, world, release));
    },
    byPulumi: async () => {
      project.configure((config) => Object.assign(config, configurationOf(world)));
      const { stdout } = await expectSuccess(exec("git", ["status", "--porcelain"], { cwd: project.dir }));
      if (stdout !== "") await project.commit("Change");
      return run(pulumiImage(world), (engine) => releaseByPulumi(engine, project));
    },
  };
}
