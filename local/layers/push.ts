// Pushes what the local stack makes itself into its registry: the base, the tools, and a probe for the Docker engine.
// A layer that is remembered and still there is not read again.
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { RegistryClient } from "../../lib/oci/client";
import { type Digest, sha256 } from "../../lib/oci/digest";
import { fileLayerImage, type LayerImage, layerImage, pushLayerImage } from "../../lib/oci/layer";
import { formatReference, parseRepository } from "../../lib/oci/reference";
import { repositoryNames } from "../../lib/registry/names";
import type { Layout } from "../layout";
import { readMemory, remember } from "../memory";
import type { Step } from "../steps";
import type { PrivateApt } from "../toolchain/debian";
import { programOf } from "../toolchain/programs";
import { type Base, baseFolder, makeBase, readBase } from "./base";

/** The tools of the image that are built here. */
export const toolNames = ["kyverno", "yq", "pluto", "helm", "spectral"] as const;
export type ToolName = (typeof toolNames)[number];

const manifestType = "application/vnd.oci.image.manifest.v1+json";

/** Pushes one small file for an engine to look at; resolves with its reference by digest. */
export async function pushProbe(layout: Layout, address: string): Promise<{ reference: string }> {
  const text = Buffer.from("reachable\n");
  const image = await layerImage([{ path: "/probe", executable: false, size: text.length, open: () => text }]);
  return {
    reference: await pushOnce(layout, { repository: `${address}/layers/probe`, source: "1" }, async () => image),
  };
}

/** Pushes a tool's binary as a layer image; resolves with its pin. */
export async function pushTool(
  name: ToolName,
  { layout, address, folder, step }: { layout: Layout; address: string; folder: string; step: Step },
): Promise<{ reference: string; version: string }> {
  const file = join(folder, name);
  const { size, mtimeMs } = await stat(file);
  const repository = repositoryNames({ address, separator: "/" }).tool(name);
  const target = { repository, source: `${file} ${size} ${mtimeMs}`, step };
  const reference = await pushOnce(layout, target, () =>
    fileLayerImage(file, { at: `/usr/local/bin/${name}`, executable: true }),
  );
  return { reference, version: programOf(name).version };
}

export interface PushBaseOptions {
  readonly layout: Layout;
  readonly apt: PrivateApt;
  readonly address: string;
  readonly step: Step;
  /** The base is made while the registry starts. */
  readonly registry: Promise<unknown>;
}

/** Makes the base unless it is in the cache and pushes it, gzipped as it is; resolves with its pin. */
export async function pushBase({ layout, apt, address, step, registry }: PushBaseOptions): Promise<string> {
  const folder = baseFolder(layout);
  const cached = await readBase(folder);
  if (!cached) step.progress("packages");
  const base = cached ?? (await makeBase(layout, apt));
  await registry;
  const repository = repositoryNames({ address, separator: "/" }).base();
  const reference = await remembered(layout, { repository, source: folder }, () => putBase(repository, base));
  step.outcome(
    `${cached ? "there already" : "made"} from ${Object.keys(base.packages).length} packages, bash ${base.packages.bash}`,
  );
  return reference;
}

interface Target {
  readonly repository: string;
  /** Changes when the content may have changed. */
  readonly source: string;
  readonly step?: Step;
}

async function pushOnce(layout: Layout, target: Target, make: () => Promise<LayerImage>): Promise<string> {
  let pushed = false;
  const reference = await remembered(layout, target, async () => {
    pushed = true;
    return pushLayerImage(new RegistryClient(), parseRepository(target.repository), await make());
  });
  target.step?.outcome(pushed ? "pushed" : "there already");
  return reference;
}

/** The remembered digest while its source is unchanged and the registry still has it, else what `push` puts there. */
async function remembered(
  layout: Layout,
  { repository, source }: Target,
  push: () => Promise<Digest>,
): Promise<string> {
  const known = readMemory(layout.memoryFile).layers[repository];
  const place = parseRepository(repository);
  if (known?.source === source && (await new RegistryClient().resolve(place, known.digest))) {
    return formatReference({ ...place, digest: known.digest as Digest });
  }
  const digest = await push();
  remember(layout.memoryFile, {
    layers: { ...readMemory(layout.memoryFile).layers, [repository]: { source, digest } },
  });
  return formatReference({ ...place, digest });
}

async function putBase(repository: string, base: Base): Promise<Digest> {
  const client = new RegistryClient();
  const place = parseRepository(repository);
  const [config, manifest] = await Promise.all([readFile(base.config), readFile(base.manifest)]);
  const { layers } = JSON.parse(manifest.toString()) as { layers: { digest: Digest; size: number }[] };
  await client.pushBlob(place, layers[0]!, { file: base.layer });
  await client.pushBlob(place, { digest: sha256(config), size: config.length }, { bytes: config });
  return client.putManifest(place, sha256(manifest), manifest, manifestType);
}
