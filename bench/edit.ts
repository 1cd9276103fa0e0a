// One policy edited, on an engine that has never built anything: what is uploaded, how long until the release is tagged, and
// how large the released image of the real tools is beside what it is made of.
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { createGunzip } from "node:zlib";
import { RegistryClient } from "../lib/oci/client";
import { imageManifest } from "../lib/oci/imageConfig";
import { folderLayerImage } from "../lib/oci/layer";
import { parsePinned } from "../lib/oci/reference";
import { startDockerEngine } from "../test/support/dockerEngine";
import { createProject, expectSuccess, wholePins } from "../test/support/project";
import { startRegistry } from "../test/support/registry";
import { startCountingProxy } from "./countingProxy";
import { bytes, type Figure, median, seconds, timed } from "./figure";

const rounds = 3;
const allowedSeconds = 20;
const allowedOverhead = 64 * 1024;
const allowedRatio = 1.02;
const repository = "policies/security-policy";

export async function measure(): Promise<Figure[]> {
  const registry = await startRegistry({ onDisk: true });
  const proxy = await startCountingProxy(registry.host);
  const project = await createProject(proxy.host);
  project.configure((config) => Object.assign(config, wholePins()));
  const times: number[] = [];
  const uploads: number[] = [];
  try {
    await project.up();
    for (let round = 1; round <= rounds; round++) {
      const engine = await startDockerEngine({ own: true });
      try {
        proxy.take();
        const edit = `# reviewed ${round} times\n`;
        appendFileSync(join(project.dir, repository, "policies/disallow-latest-tag.yaml"), edit);
        const { pulumi } = project.with({ DOCKER_HOST: engine.host });
        times.push(await timed(() => expectSuccess(pulumi("up", "--yes"))));
        uploads.push(proxy.take().uploaded);
      } finally {
        await engine.stop();
      }
      const { version } = await project.outputs();
      if (version !== `v1.0.${round}`) throw new Error(`round ${round} released ${version}`);
    }
    const { layer } = await folderLayerImage(join(project.dir, repository), { at: "/repos/security-policy" });
    const allowed = allowedOverhead + layer.size;
    const most = Math.max(...uploads);
    const image = await unpackedBytes((await project.outputs()).image.reference);
    const parts = (await Promise.all(composedOf().map(unpackedBytes))).reduce((sum, size) => sum + size, 0);
    return [
      {
        what: "one policy edited, engine without any cache: uploaded",
        goal: `≤ ${bytes(allowed)} (64 KiB + the repository's tar)`,
        measured: `${bytes(median(uploads))} (at most ${bytes(most)}), ${rounds} rounds`,
        met: most <= allowed,
      },
      {
        what: "one policy edited, engine without any cache: pulumi up --yes until the release is tagged",
        goal: `≤ ${allowedSeconds} s`,
        measured: `${seconds(times)}, ${rounds} rounds`,
        met: median(times) <= allowedSeconds,
      },
      {
        what: "the released image, unpacked, beside base and tools",
        goal: `≤ ${allowedRatio} ×`,
        measured: `${(image / parts).toFixed(4)} × (${bytes(image)} of ${bytes(parts)})`,
        met: image <= allowedRatio * parts,
      },
    ];
  } finally {
    project.remove();
    await proxy.stop();
    await registry.stop();
  }
}

/** Base and tools of the prepared stack, by digest. */
function composedOf(): string[] {
  const pins = wholePins();
  const tools = Object.values(pins["policy-platform:tools"]) as { image: string }[];
  return [pins["policy-platform:base"].image, ...tools.map(({ image }) => image)];
}

async function unpackedBytes(reference: string): Promise<number> {
  const client = new RegistryClient();
  const { digest, ...repository } = parsePinned(reference);
  let size = 0;
  for (const layer of (await imageManifest(client, repository, digest)).layers) {
    const { stream } = await client.blobStream(repository, layer.digest);
    for await (const chunk of layer.mediaType.endsWith("gzip") ? stream.pipe(createGunzip()) : stream)
      size += chunk.length;
  }
  return size;
}
