// A release as a build leaves it, without a build: labels, history and layers of a platform image over real layer images.
import { randomUUID } from "node:crypto";
import type { RegistryClient } from "../../lib/oci/client";
import { type Digest, sha256 } from "../../lib/oci/digest";
import { layerImage } from "../../lib/oci/layer";
import { configType, manifestType, tarLayerType } from "../../lib/oci/mediaTypes";
import type { Repository } from "../../lib/oci/reference";
import type { Inputs } from "../../lib/pins/model";
import { labelsFor } from "../unit/release/memoryRegistry";

/** A layer as it lies in the registry: its bytes, or what the repository holds already. */
export type Layer = ({ readonly bytes: Buffer } | { readonly digest: Digest; readonly size: number }) & {
  readonly mediaType?: string;
};

export interface ImageContent {
  /** Tool → version. */
  readonly tools?: Readonly<Record<string, string>>;
  /** Policy repository → its files by path. */
  readonly policies?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Layers that are not what the pin of the tool or repository says. */
  readonly forged?: Readonly<Record<string, Layer>>;
  /** The history of the image; default: as BuildKit writes that of the rendered Dockerfile. */
  readonly history?: unknown;
  /** That the image names as those it has artifacts for. */
  readonly environments?: readonly string[];
  /** False: an image that does not name its inputs. */
  readonly labelled?: boolean;
}

export interface WholeRelease {
  readonly digest: Digest;
  readonly inputs: Inputs;
  /** Layers by name of tool or repository, and the base. */
  readonly layers: ReadonlyMap<string, Digest>;
}

/** Pushes the image and puts it under `tags`, or under none. */
export async function pushWholeRelease(
  client: RegistryClient,
  releases: Repository,
  { tools = {}, policies = {}, forged = {}, history, environments = [], labelled = true }: ImageContent,
  ...tags: string[]
): Promise<WholeRelease> {
  const base = await layerOf({ "/etc/os-release": "ID=test" });
  const toolLayers = await all(tools, (version, name) => layerOf({ [`/usr/local/bin/${name}`]: version }));
  const policyLayers = await all(policies, (files, name) => layerOf(files, `/repos/${name}/`));
  const inputs: Inputs = {
    ...(environments.length > 0 && { artifacts: { environments } }),
    base: base.image,
    format: 1,
    image: { user: "65532:65532" },
    repositories: record(policyLayers, ({ image }) => ({ digest: image })),
    tools: record(toolLayers, ({ image }, name) => ({ digest: image, version: tools[name]! })),
  };
  // In the order of the Dockerfile: base, tools, policies.
  const placed: [string, Layer][] = [
    ["base", base],
    ...[...toolLayers, ...policyLayers].map(([name, layer]): [string, Layer] => [
      name,
      (Object.hasOwn(forged, name) ? forged[name] : undefined) ?? layer,
    ]),
  ];
  const layers: { mediaType: string; digest: Digest; size: number }[] = [];
  for (const [, { mediaType = tarLayerType, ...layer }] of placed) {
    const descriptor =
      "bytes" in layer
        ? { digest: sha256(layer.bytes), size: layer.bytes.length }
        : { digest: layer.digest, size: layer.size };
    if ("bytes" in layer) await client.pushBlob(releases, descriptor, { bytes: layer.bytes });
    layers.push({ mediaType, ...descriptor });
  }
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      // No two images without labels are equal.
      config: { User: inputs.image.user, Labels: labelled ? labelsFor(inputs) : { maintainer: randomUUID() } },
      rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) }, // none is packed
      history: history ?? [
        { created_by: "ADD rootfs.tar / # buildkit" },
        ...placed.slice(1).map(() => ({ created_by: "COPY / / # buildkit" })),
        { created_by: 'CMD ["/bin/bash"]', empty_layer: true },
      ],
    }),
  );
  const described = { mediaType: configType, digest: sha256(config), size: config.length };
  await client.pushBlob(releases, described, { bytes: config });
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: described, layers }),
  );
  const digest = sha256(manifest);
  for (const tag of [digest, ...tags]) await client.putManifest(releases, tag, manifest, manifestType);
  return { digest, inputs, layers: new Map(placed.map(([name], index) => [name, layers[index]!.digest])) };
}

/** Puts what is there under one more tag. */
export async function tagAs(client: RegistryClient, place: Repository, digest: Digest, ...tags: string[]) {
  const found = await client.manifest(place, digest);
  for (const tag of tags) await client.putManifest(place, tag, found!.bytes, found!.mediaType);
}

/** A layer image and its one layer's bytes. */
async function layerOf(files: Readonly<Record<string, string>>, root = "") {
  const entries = Object.entries(files).map(([path, text]) => {
    const content = Buffer.from(text);
    return { path: `${root}${path}`, executable: false, size: content.length, open: () => content };
  });
  const image = await layerImage(entries);
  return { image: image.digest, bytes: Buffer.concat(await image.open().toArray()) };
}

type Named<T> = [name: string, value: T][];

async function all<T, R>(
  items: Readonly<Record<string, T>>,
  make: (item: T, name: string) => Promise<R>,
): Promise<Named<R>> {
  const found: Named<R> = [];
  for (const name of Object.keys(items).sort()) found.push([name, await make(items[name]!, name)]);
  return found;
}

function record<T, R>(items: Named<T>, make: (item: T, name: string) => R): Record<string, R> {
  return Object.fromEntries(items.map(([name, item]) => [name, make(item, name)]));
}
