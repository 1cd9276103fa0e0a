// An artifact published beside `tar` and `crane append`, for the same folder: one, twenty at once, and an equal one again.
// `flux push artifact` itself cannot be built from its Go module, which lacks the manifests that it embeds.
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../lib/exec";
import { fluxArtifact } from "../lib/flux/artifact";
import { artifactFiles } from "../lib/flux/content";
import { layerFiles } from "../lib/flux/layerFiles";
import { RegistryClient } from "../lib/oci/client";
import { folderLayerImage, pushLayerImage } from "../lib/oci/layer";
import { parseRepository } from "../lib/oci/reference";
import { expectSuccess } from "../test/support/project";
import { startRegistry } from "../test/support/registry";
import { startCountingProxy, uploads } from "./countingProxy";
import { crane } from "./crane";
import { bytes, type Figure, median, seconds, timed } from "./figure";
import { PluginSession, pluginPrograms } from "./pluginSession";

const rounds = 7;
const atOnce = 20;
const allowedRatio = 1;
const allowedRatioAtOnce = 0.5;
const folder = join(__dirname, "..", "policies", "security-policy");
const repository = "security-policy";

export async function measure(): Promise<Figure[]> {
  const append = await crane();
  const registry = await startRegistry({ onDisk: true });
  const proxy = await startCountingProxy(registry.host);
  const scratch = mkdtempSync(join(tmpdir(), "artifact-bench-"));
  cpSync(join(folder, "policies"), join(scratch, "policies"), { recursive: true });
  try {
    const layers = `${proxy.host}/layers/${repository}`;
    const image = await folderLayerImage(folder, { at: `/repos/${repository}` });
    const digest = await pushLayerImage(new RegistryClient(), parseRepository(layers), image);
    const files = await layerFiles(new RegistryClient(), parseRepository(layers), { name: repository, digest });
    const { digest: gated } = fluxArtifact(artifactFiles({ repositories: { [repository]: files } }).files);
    const inputs = (to: string) => ({
      gated,
      repository: `${proxy.host}/${to}`,
      environment: "dev",
      repositories: { [repository]: { digest, layers } },
      image: { repository: `${proxy.host}/none`, digest },
    });
    const byCrane = async (to: string) => {
      const archive = join(scratch, `${to.replaceAll("/", "-")}.tar.gz`);
      await expectSuccess(exec("tar", ["-czf", archive, "-C", scratch, "policies"]));
      await append("append", "--new_layer", archive, "--new_tag", `${proxy.host}/${to}:v1.0.0`);
    };
    const session = await PluginSession.start(pluginPrograms.policychain);
    await session.ready();
    // As in a run: the gate, by the same plugin, has made the artifact that it compared.
    await session.create("Artifact", inputs("gate/one"));
    const [ours, theirs, oursAtOnce, theirsAtOnce]: [number[], number[], number[], number[]] = [[], [], [], []];
    const places = (side: string, round: number) =>
      Array.from({ length: atOnce }, (_, index) => `${side}-${round}/at-once-${index}`);
    for (let round = 1; round <= rounds; round++) {
      ours.push(await timed(() => session.create("Artifact", inputs(`ours-${round}/one`))));
      theirs.push(await timed(() => byCrane(`theirs-${round}/one`)));
      const all = places("ours", round).map(inputs);
      oursAtOnce.push(await timed(() => Promise.all(all.map((its) => session.create("Artifact", its)))));
      theirsAtOnce.push(
        await timed(async () => {
          for (const place of places("theirs", round)) await byCrane(place);
        }),
      );
    }
    proxy.take();
    await session.create("Artifact", inputs("ours-1/one"));
    const again = uploads(proxy.take().requests).reduce((sum, upload) => sum + upload.bytes, 0);
    await session.cancel();
    return [
      beside("an artifact of 12 policies", ours, theirs, allowedRatio),
      beside(`${atOnce} of them at once, beside one after the other`, oursAtOnce, theirsAtOnce, allowedRatioAtOnce),
      { what: "an equal artifact again", goal: "0 bytes of blobs", measured: bytes(again), met: again === 0 },
    ];
  } finally {
    rmSync(scratch, { recursive: true });
    await proxy.stop();
    await registry.stop();
  }
}

function beside(what: string, ours: readonly number[], theirs: readonly number[], allowed: number): Figure {
  const ratio = median(ours) / median(theirs);
  return {
    what: `${what}: published, beside tar and crane append`,
    goal: `≤ ${allowed} ×`,
    measured: `${ratio.toFixed(2)} ×: ${seconds(ours)} beside ${seconds(theirs)}, ${ours.length} rounds in turns`,
    met: ratio <= allowed,
  };
}
