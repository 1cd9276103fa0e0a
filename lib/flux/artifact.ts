// Flux artifacts, format 1: one tar+gzip layer, a config, a manifest; their bytes are a function of the files alone, so that equal
// content is the same artifact on every machine. Frozen: golden digests stand in the tests.
import { gzipSync } from "fflate";
import { canonicalJson } from "../canonicalJson";
import { type Digest, sha256 } from "../oci/digest";
import { parentFolders } from "../oci/layerPath";
import { manifestType } from "../oci/mediaTypes";
import { tarEnd, tarHeader, tarPadding } from "../oci/tar";
import { requireDeliverable } from "./limits";
import { fluxConfigType, fluxLayerType, renderAnnotation, revisionAnnotation } from "./mediaTypes";

/** An artifact, ready to be pushed. */
export interface FluxArtifact {
  /** Of the manifest: what clusters, pins and outputs name. */
  readonly digest: Digest;
  /** Of the layer; stands in the manifest as its revision. */
  readonly revision: Digest;
  readonly manifest: Buffer;
  readonly config: Buffer;
  readonly layer: Buffer;
}

const epoch = "1970-01-01T00:00:00Z";

/**
 * Packs files, by path without a slash in front. `render`: digest of what some of them were rendered from, where that is so.
 * Errors: those of `requireDeliverable`, `layer-collision`.
 */
export function fluxArtifact(
  files: ReadonlyMap<string, Uint8Array>,
  { render }: { readonly render?: Digest } = {},
): FluxArtifact {
  requireDeliverable(files);
  const tar = tarOf(files);
  // An encoder of our own choice: the bytes of zlib differ between builds of Node.
  const layer = Buffer.from(gzipSync(tar, { level: 9, mem: 8, mtime: 0 }));
  const revision = sha256(layer);
  const config = Buffer.from(
    canonicalJson({
      architecture: "",
      config: {},
      created: epoch,
      os: "",
      rootfs: { diff_ids: [sha256(tar)], type: "layers" },
    }),
  );
  const manifest = Buffer.from(
    canonicalJson({
      annotations: {
        [renderAnnotation]: render,
        "org.opencontainers.image.created": epoch,
        [revisionAnnotation]: revision,
        "org.opencontainers.image.source": "policy-platform",
      },
      config: { digest: sha256(config), mediaType: fluxConfigType, size: config.length },
      layers: [{ digest: revision, mediaType: fluxLayerType, size: layer.length }],
      mediaType: manifestType,
      schemaVersion: 2,
    }),
  );
  return { digest: sha256(manifest), revision, manifest, config, layer };
}

/** The root first, then everything in the order in which a walk meets it: names compared folder by folder. */
function tarOf(files: ReadonlyMap<string, Uint8Array>): Buffer {
  const folders = parentFolders([...files.keys()].map((path) => `/${path}`)).map((path) => path.slice(1));
  const parts: readonly (readonly [path: string, parts: readonly Uint8Array[]])[] = [
    ...folders.map((path) => [path, [folderHeader(`${path}/`)]] as const),
    ...[...files].map(
      ([path, content]) => [path, [fileHeader(path, content.length), content, tarPadding(content.length)]] as const,
    ),
  ];
  const key = (path: string) => Buffer.from(path.replaceAll("/", "\0"));
  const inOrder = [...parts].sort(([a], [b]) => Buffer.compare(key(a), key(b)));
  return Buffer.concat([folderHeader("./"), ...inOrder.flatMap(([, blocks]) => blocks), tarEnd]);
}

function fileHeader(name: string, size: number): Buffer {
  return tarHeader({ name, type: "file", executable: false, size });
}

function folderHeader(name: string): Buffer {
  return tarHeader({ name, type: "folder", executable: true, size: 0 });
}
