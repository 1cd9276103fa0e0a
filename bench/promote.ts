// A promotion beside `crane copy`, and beside docker pull, tag and push: within one registry, and to another one.
// What is measured of ours is what the plugin does in an update, asked as the engine asks it; its start, and the engine's, are in
// the figures of `preview` and `plugin`.
import { exec } from "../lib/exec";
import { startDockerEngine } from "../test/support/dockerEngine";
import { createProject, expectSuccess, wholePins } from "../test/support/project";
import { startRegistry } from "../test/support/registry";
import { type CountingProxy, startCountingProxy, type Upload, uploads } from "./countingProxy";
import { crane } from "./crane";
import { bytes, type Figure, median, seconds, timed } from "./figure";
import { PluginSession, pluginPrograms } from "./pluginSession";

const rounds = 7;
const dockerRounds = 3;
const allowedRatio = 1.2;
const allowedDockerRatio = 1 / 20;
/** Part of the first copy's growth that a second copy of as many bytes may add: memory does not follow what passes. */
const allowedGrowth = 0.1;

/** A release with five tools, as the stack's output `image` names it. */
interface Released {
  /** `host/path` */
  readonly repository: string;
  /** `host/path@sha256:…` */
  readonly reference: string;
  readonly digest: string;
  readonly inputDigest: string;
  /** Commit, version, latest. */
  readonly tags: readonly [string, string, string];
}

interface Sides {
  /** Seconds of each round. */
  readonly copy: number[];
  readonly whole: number[];
  readonly crane: number[];
  readonly docker: number[];
  /** Of each round of ours. */
  readonly uploaded: (readonly Upload[])[];
  /** Seconds of a second copy by the same plugin. */
  readonly again: number[];
  /** Bytes of memory that the plugin grew by at most, in the first copy and in both. */
  readonly grown: (readonly [number, number])[];
}

export async function measure(): Promise<Figure[]> {
  const copyByCrane = await crane();
  const ends: (() => unknown)[] = [];
  const startProxy = async () => {
    const registry = await startRegistry({ onDisk: true });
    ends.push(() => registry.stop());
    const proxy = await startCountingProxy(registry.host);
    ends.push(() => proxy.stop());
    return proxy;
  };
  try {
    const here = await startProxy();
    const there = await startProxy();
    const configuration = { ...wholePins(), "policy-platform:registry": { kind: "existing", address: here.host } };
    const project = await createProject(configuration, { timeout: 900_000 });
    ends.push(() => project.remove());
    await project.up();
    const released = (await project.outputs()).image as Released;
    const within = await compare(released, here, copyByCrane);
    const across = await compare(released, there, copyByCrane);
    return [
      blobsWithin(within),
      besideCrane("within one registry", within),
      besideDocker(within),
      blobsAcross(across),
      memoryAcross(across),
    ];
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

/** Each round copies into repositories that are not there yet; the sides take turns. */
async function compare(
  released: Released,
  target: CountingProxy,
  copyByCrane: (...args: string[]) => Promise<unknown>,
): Promise<Sides> {
  const sides: Sides = { copy: [], whole: [], crane: [], docker: [], again: [], uploaded: [], grown: [] };
  for (let round = 1; round <= rounds; round++) {
    const to = (side: string) => `${target.host}/${side}-${round}/policy-platform`;
    target.take();
    const { uploaded, copy, whole, again, grown } = await promote(released, to, target);
    sides.uploaded.push(uploaded);
    sides.copy.push(copy);
    sides.whole.push(whole);
    sides.again.push(again);
    sides.grown.push(grown);
    sides.crane.push(await timed(() => copyByCrane("copy", released.reference, `${to("crane")}:${released.tags[1]}`)));
    if (round <= dockerRounds) sides.docker.push(await byDocker(released, to("docker")));
  }
  return sides;
}

/** One round of ours. */
interface Promoted {
  readonly uploaded: readonly Upload[];
  readonly copy: number;
  readonly whole: number;
  readonly again: number;
  readonly grown: readonly [number, number];
}

/** The whole graph, then the three names in order, by a plugin that was started for it; then a second copy by the same plugin. */
async function promote(released: Released, target: (side: string) => string, proxy: CountingProxy): Promise<Promoted> {
  const { repository: from, digest, inputDigest, tags } = released;
  const to = target("promoted");
  const session = await PluginSession.start(pluginPrograms.policychain);
  await session.ready();
  const before = session.resident("now");
  const copy = await timed(() => session.create("Copy", { from, to, digest, promoted: true }));
  const first = session.resident("most") - before;
  const uploaded = uploads(proxy.take().requests);
  const named = await timed(async () => {
    for (const [index, role] of ["commit", "version", "latest"].entries())
      await session.create("Tag", { repository: to, role, tag: tags[index]!, digest, inputDigest, promotedFrom: from });
  });
  const again = await timed(() => session.create("Copy", { from, to: target("again"), digest, promoted: true }));
  const both = session.resident("most") - before;
  await session.cancel();
  return { uploaded, copy, whole: copy + named, again, grown: [first, both] };
}

/** On an engine that has no image yet, as a CI job's. */
async function byDocker({ reference, tags }: Released, to: string): Promise<number> {
  const { host, stop } = await startDockerEngine({ own: true });
  const docker = (...args: string[]) =>
    expectSuccess(exec("docker", args, { env: { DOCKER_HOST: host }, timeout: 300_000 }));
  try {
    return await timed(async () => {
      await docker("pull", reference);
      for (const tag of tags) await docker("tag", reference, `${to}:${tag}`);
      for (const tag of tags) await docker("push", `${to}:${tag}`);
    });
  } finally {
    await stop();
  }
}

function blobsWithin({ uploaded }: Sides): Figure {
  const most = Math.max(...uploaded.map((blobs) => blobs.reduce((sum, blob) => sum + blob.bytes, 0)));
  return {
    what: "promotion within one registry: blob bytes uploaded",
    goal: "0",
    measured: `${bytes(most)} at most, ${rounds} rounds`,
    met: most === 0,
  };
}

function besideCrane(where: string, { copy, again, crane: theirs }: Sides): Figure {
  const ratio = median(copy) / median(theirs);
  return {
    what: `promotion ${where}: the copy, beside crane copy`,
    goal: `≤ ${allowedRatio} ×`,
    measured: `${ratio.toFixed(2)} × (${seconds(copy)} beside ${seconds(theirs)}; a second one by the same plugin ${seconds(again)}), ${rounds} rounds`,
    met: ratio <= allowedRatio,
  };
}

function besideDocker({ whole, docker }: Sides): Figure {
  const ratio = median(whole) / median(docker);
  return {
    what: "promotion within one registry: the copy and its three tags, beside docker pull, tag and push",
    goal: `≤ 1/${1 / allowedDockerRatio}`,
    measured: `1/${(1 / ratio).toFixed(0)} (${seconds(whole)} beside ${seconds(docker)}, ${dockerRounds} rounds)`,
    met: ratio <= allowedDockerRatio,
  };
}

function blobsAcross({ uploaded, copy, crane: theirs, docker, whole }: Sides): Figure {
  const repeated = uploaded.filter((blobs) => new Set(blobs.map(({ digest }) => digest)).size < blobs.length).length;
  const beside = `${seconds(copy)}, crane copy ${seconds(theirs)}; with its tags ${seconds(whole)}, docker ${seconds(docker)}`;
  return {
    what: "promotion to another registry: uploads of each blob",
    goal: "1",
    measured: `${repeated === 0 ? "1" : `more in ${repeated} rounds`} of ${uploaded[0]!.length} blobs; ${beside}`,
    met: repeated === 0 && uploaded.every((blobs) => blobs.length > 0),
  };
}

function memoryAcross({ uploaded, grown }: Sides): Figure {
  const moved = uploaded[0]!.reduce((sum, blob) => sum + blob.bytes, 0);
  const first = median(grown.map(([once]) => once));
  const more = median(grown.map(([once, twice]) => (twice - once) / once));
  return {
    what: `promotion to another registry: memory that a second copy of ${bytes(moved)} adds to what the first took`,
    goal: `≤ ${100 * allowedGrowth} %`,
    measured: `${(100 * more).toFixed(0)} % of ${bytes(first)}, ${rounds} rounds`,
    met: more <= allowedGrowth,
  };
}
