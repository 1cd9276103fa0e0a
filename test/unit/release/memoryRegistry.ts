// A registry in memory for the preflight: what it reads, counted, and what a registry can do wrong while it is read.
import { Readable } from "node:stream";
import { PlatformError } from "../../../lib/errors";
import type { RegistryClient } from "../../../lib/oci/client";
import { type Digest, sha256 } from "../../../lib/oci/digest";
import type { LayerImage } from "../../../lib/oci/layer";
import { configType, manifestType } from "../../../lib/oci/mediaTypes";
import type { Repository } from "../../../lib/oci/reference";
import { type Inputs, inputDigest, inputDigestLabel, inputsDocument, inputsLabel } from "../../../lib/pins/model";

/** The labels that an image of these pins carries. */
export function labelsFor(inputs: Inputs): Record<string, string> {
  return { [inputsLabel]: inputsDocument(inputs), [inputDigestLabel]: inputDigest(inputs) };
}

export class MemoryRegistry {
  readonly tags = new Map<string, Digest>();
  readonly #content = new Map<Digest, Buffer>();
  /** `tags`, `manifest v1.0.0`, `blob sha256:…`, in order. */
  readonly requests: string[] = [];
  /** Code of the error that every read throws. */
  refuses?: string;

  /** An image with these labels, not tagged; `salt` gives equal labels other bytes. */
  push(labels: Record<string, unknown>, salt = ""): Digest {
    const config = this.#put(JSON.stringify({ config: { Labels: labels }, salt }));
    const descriptor = { mediaType: configType, digest: config.digest, size: config.bytes.length };
    return this.put(JSON.stringify({ schemaVersion: 2, config: descriptor, layers: [] }));
  }

  /** Any manifest. */
  put(manifest: string): Digest {
    return this.#put(manifest).digest;
  }

  /** A layer image, to be read back by its digest. */
  async pushLayer({ manifest, config, open }: LayerImage): Promise<void> {
    for (const bytes of [manifest, config, Buffer.concat(await open().toArray())])
      this.#content.set(sha256(bytes), bytes);
  }

  /** Releases pins under a version. */
  release(version: string, inputs: Inputs, salt?: string): Digest {
    const digest = this.push(labelsFor(inputs), salt);
    this.tags.set(version, digest);
    return digest;
  }

  /** Loses what a digest names, tags and all. */
  lose(digest: Digest): void {
    this.#content.delete(digest);
  }

  configOf(digest: Digest): Digest {
    return JSON.parse(this.#content.get(digest)!.toString()).config.digest;
  }

  client(): RegistryClient {
    const read = <T>(request: string, answer: () => T): Promise<T> => {
      this.requests.push(request);
      if (this.refuses) return Promise.reject(problem(this.refuses));
      return new Promise((resolve, reject) => {
        try {
          resolve(answer());
        } catch (error) {
          reject(error);
        }
      });
    };
    return {
      tags: (_repository: Repository) => read("tags", () => ["latest", "sha-0123456789ab", ...this.tags.keys()]),
      manifest: (_repository: Repository, reference: string) =>
        read(`manifest ${reference}`, () => {
          const digest = this.tags.get(reference) ?? (reference as Digest);
          const bytes = this.#content.get(digest);
          return bytes && { digest, mediaType: manifestType, bytes };
        }),
      blob: (_repository: Repository, digest: Digest) =>
        read(`blob ${digest}`, () => {
          const bytes = this.#content.get(digest);
          if (!bytes) throw problem("blob-missing");
          return bytes;
        }),
      blobStream: (_repository: Repository, digest: Digest) =>
        read(`blob ${digest}`, () => {
          const bytes = this.#content.get(digest);
          if (!bytes) throw problem("blob-missing");
          return { size: bytes.length, stream: Readable.from([bytes]) };
        }),
      resolve: (_: Repository, reference: string) =>
        read(`head ${reference}`, () => {
          const digest = this.tags.get(reference) ?? (reference as Digest);
          const bytes = this.#content.get(digest);
          return bytes && { digest, mediaType: manifestType, size: bytes.length };
        }),
    } as unknown as RegistryClient;
  }

  #put(text: string): { digest: Digest; bytes: Buffer } {
    const bytes = Buffer.from(text);
    this.#content.set(sha256(bytes), bytes);
    return { digest: sha256(bytes), bytes };
  }
}

function problem(code: string): PlatformError {
  return new PlatformError(code, { what: "a", rule: "b", fix: "c" });
}
