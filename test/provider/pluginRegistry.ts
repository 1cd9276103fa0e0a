// What the plugin's tests put into a registry, and a proxy before it that records, holds and refuses requests.

import { rmSync } from "node:fs";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { RegistryClient } from "../../lib/oci/client";
import { type Digest, sha256 } from "../../lib/oci/digest";
import { layerImage } from "../../lib/oci/layer";
import type { LayerEntry } from "../../lib/oci/layerEntry";
import { configType, manifestType, tarLayerType } from "../../lib/oci/mediaTypes";
import { parseRepository } from "../../lib/oci/reference";
import { inputDigestLabel } from "../../lib/pins/model";

/** The input digest of the inputs called `name`. */
export const inputsOf = (name: string): Digest => sha256(`inputs ${name}`);

/**
 * Pushes an image that says it was built from `inputsOf(name)`; every name gives another digest. Its one layer holds `files`,
 * or nothing, and its command is a shell.
 */
export async function pushImage(repository: string, name: string, files: readonly LayerEntry[] = []): Promise<Digest> {
  const client = new RegistryClient();
  const target = parseRepository(repository);
  const layer = files.length > 0 ? await layerImage(files) : undefined;
  const bytes = layer ? await buffer(layer.open()) : Buffer.alloc(1024);
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: {
        Cmd: ["/bin/bash"],
        Env: ["PATH=/usr/local/bin:/bin"],
        User: "65532:65532",
        Labels: { [inputDigestLabel]: inputsOf(name) },
      },
      rootfs: { type: "layers", diff_ids: [sha256(bytes)] },
    }),
  );
  for (const blob of [bytes, config]) {
    await client.pushBlob(target, { digest: sha256(blob), size: blob.length }, { bytes: blob });
  }
  const descriptor = (mediaType: string, blob: Buffer) => ({ mediaType, digest: sha256(blob), size: blob.length });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: descriptor(configType, config),
      layers: [descriptor(tarLayerType, bytes)],
    }),
  );
  return client.putManifest(target, sha256(manifest), manifest, manifestType);
}

/** Points a tag at a digest of the same repository, as somebody would by hand. */
export async function moveTag(repository: string, tag: string, digest: Digest): Promise<void> {
  const client = new RegistryClient();
  const target = parseRepository(repository);
  const { bytes, mediaType } = (await client.manifest(target, digest))!;
  await client.putManifest(target, tag, bytes, mediaType);
}

/** What a tag names; undefined when there is none. */
export async function tagged(repository: string, tag: string): Promise<Digest | undefined> {
  return (await new RegistryClient().resolve(parseRepository(repository), tag))?.digest;
}

/** Removes a tag (the registry has no request for that) from its storage in `dir`. */
export function removeTag(dir: string, path: string, tag: string): void {
  rmSync(join(dir, "storage/docker/registry/v2/repositories", path, "_manifests/tags", tag), { recursive: true });
}

/** Removes a manifest, or a blob's link, of one repository. */
export async function remove(repository: string, kind: "manifests" | "blobs", digest: string): Promise<void> {
  const { registry, path } = parseRepository(repository);
  const answer = await fetch(`http://${registry}/v2/${path}/${kind}/${digest}`, { method: "DELETE" });
  if (answer.status !== 202) throw new Error(`DELETE ${kind}/${digest}: ${answer.status}`);
}

export interface RegistryProxy {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** `METHOD /path` of every request since the last `clear`. */
  readonly requests: string[];
  /** Those that could write. */
  writes(): string[];
  clear(): void;
  /** Called before a request is passed on: a promise holds it, a number is answered instead. Default: all pass. */
  intercept: (request: string) => Promise<void> | number | undefined;
  stop(): Promise<void>;
}

/** Passes everything on to the registry at `target`. */
export async function startProxy(target: string): Promise<RegistryProxy> {
  const pass = async (incoming: IncomingMessage, answer: ServerResponse) => {
    const line = `${incoming.method} ${incoming.url}`;
    proxy.requests.push(line);
    const verdict = proxy.intercept(line);
    if (typeof verdict === "number") {
      incoming.resume();
      answer.writeHead(verdict).end();
      return;
    }
    await verdict;
    if (incoming.socket.destroyed) return; // held until its client was gone
    const outgoing = request(
      {
        host: "127.0.0.1",
        port: target.split(":")[1],
        method: incoming.method,
        path: incoming.url,
        headers: incoming.headers,
      },
      (response) => {
        answer.writeHead(response.statusCode!, response.headers);
        response.pipe(answer);
      },
    );
    outgoing.on("error", () => answer.destroy());
    incoming.on("aborted", () => outgoing.destroy());
    incoming.pipe(outgoing);
  };
  const server = createServer((incoming, answer) => void pass(incoming, answer));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy: RegistryProxy = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    writes: () => proxy.requests.filter((line) => !/^(GET|HEAD) /.test(line)),
    clear: () => proxy.requests.splice(0),
    intercept: () => undefined,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return proxy;
}
