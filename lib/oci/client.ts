// A client for registries of the OCI distribution specification, over fetch.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md
import type { Readable } from "node:stream";
import { PlatformError } from "../errors";
import { blobReader } from "./blobRead";
import { type BlobSource, type PushOptions, type PushResult, pushBlob } from "./blobUpload";
import { repositoryScope } from "./challenge";
import { type Digest, isDigest, sha256 } from "./digest";
import { badAnswer } from "./failures";
import { type Descriptor, ownMediaType } from "./manifest";
import { acceptedManifests, isIndexType, isManifestType } from "./mediaTypes";
import { formatReference, isTag, type Repository } from "./reference";
import { type ClientOptions, createSession, type Session } from "./session";
import { listTags } from "./tagList";
import type { Answer } from "./transport";

export type { Descriptor } from "./manifest";
export type { ClientOptions } from "./session";

/** A manifest's bytes, checked against their digest. */
export interface ManifestAnswer {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/**
 * Speaks with any number of registries; keeps tokens in memory for its own life time. Every operation is repeated within
 * `limits` where its fault may pass, and everything read or written is checked against its digest. Errors:
 * `registry-unauthorized` (401), `-forbidden` (403), `-throttled` (429), `-unavailable` (5xx, no answer), `-read-only` (405 to
 * a write), `-full` (507, no space), `-conflict` (409, 412), `-answer` (anything against the protocol, a wrong digest).
 */
export class RegistryClient {
  readonly #session: Session;

  constructor(options: ClientOptions = {}) {
    this.#session = createSession(options);
  }

  /** The bounds in force. */
  get limits(): Session["limits"] {
    return this.#session.limits;
  }

  /** Succeeds when an OCI registry answers there and lets us in. */
  ping(registry: string): Promise<void> {
    const { address, attempt, exchange } = this.#session;
    return attempt(async () => {
      const answer = await exchange({ method: "GET", registry, url: address(registry, ""), scopes: [], expect: [200] });
      if (/^text\/html/i.test(answer.headers.get("content-type") ?? "")) {
        await answer.discard();
        throw badAnswer(answer, "a web page instead of an OCI registry");
      }
      await answer.discard();
    });
  }

  /** What a tag or digest stands for now; undefined when the registry does not know it (404), and only then. */
  resolve(repository: Repository, reference: string): Promise<Descriptor | undefined> {
    return this.#session.attempt(async () => {
      const answer = await this.#askManifest("HEAD", repository, reference, [200, 404, 405]);
      if (answer.status === 404) return undefined;
      const digest = answer.headers.get("docker-content-digest") ?? "";
      const size = Number(answer.headers.get("content-length") ?? Number.NaN);
      const mediaType = typeOf(answer);
      if (answer.status === 405 || !isDigest(digest) || !Number.isSafeInteger(size) || mediaType === "") {
        const read = await this.#readManifest(repository, reference);
        return read === undefined
          ? undefined
          : { mediaType: read.mediaType, digest: read.digest, size: read.bytes.length };
      }
      if (isDigest(reference) && digest !== reference) throw badAnswer(answer, `digest ${digest} for ${reference}`);
      return { mediaType, digest, size };
    });
  }

  /** The manifest that a tag or digest stands for; undefined when there is none (404). */
  manifest(repository: Repository, reference: string): Promise<ManifestAnswer | undefined> {
    return this.#session.attempt(() => this.#readManifest(repository, reference));
  }

  /**
   * Puts a manifest under a tag or its own digest, and compares the digest that the registry then names. What it refers to
   * must be there: else `manifest-blob-unknown`, also for blobs that the registry had called present.
   */
  putManifest(repository: Repository, reference: string, bytes: Uint8Array, mediaType: string): Promise<Digest> {
    const { address, attempt, exchange } = this.#session;
    const digest = sha256(bytes);
    if (isDigest(reference) ? reference !== digest : !isTag(reference))
      throw new TypeError(`a manifest of digest ${digest} is not put as ${reference}`);
    return attempt(async () => {
      const answer = await exchange({
        method: "PUT",
        registry: repository.registry,
        url: address(repository.registry, `${repository.path}/manifests/${reference}`),
        scopes: [repositoryScope(repository.path, "push")],
        headers: { "content-type": mediaType },
        body: () => ({ bytes }),
        expect: [200, 201, 202, 400, 404],
      });
      if (answer.status === 400 || answer.status === 404) throw await this.#manifestRefused(answer, repository);
      await answer.discard();
      const named = answer.headers.get("docker-content-digest");
      const stored =
        named ?? (await this.#askManifest("HEAD", repository, reference, [200])).headers.get("docker-content-digest");
      if (stored !== null && stored !== digest)
        throw badAnswer(answer, `the manifest of ${digest} was stored as ${stored}`);
      return digest;
    });
  }

  hasBlob(repository: Repository, digest: Digest): Promise<boolean> {
    return this.#session.attempt(async () => {
      const answer = await this.#askBlob("HEAD", repository, digest);
      await answer.discard();
      return answer.status === 200;
    });
  }

  /** A blob in memory, at most `maxBytes` (default `limits.blobBytes`). Errors beside the usual: `blob-missing`. */
  blob(repository: Repository, digest: Digest, maxBytes: number = this.limits.blobBytes): Promise<Buffer> {
    return this.#session.attempt(async () => {
      const answer = await this.#askBlob("GET", repository, digest);
      if (answer.status === 404) throw await blobMissing(answer, repository, digest);
      const bytes = await answer.bytes(maxBytes);
      if (sha256(bytes) !== digest) throw badAnswer(answer, `its bytes have the digest ${sha256(bytes)}`);
      return bytes;
    });
  }

  /**
   * A blob as a stream that fails, before its last chunk, when the bytes do not match the digest. A connection that breaks is
   * taken up again where it broke. `expectedSize`: where a manifest states it. Errors beside the usual: `blob-missing`.
   */
  blobStream(
    repository: Repository,
    digest: Digest,
    expectedSize?: number,
  ): Promise<{ readonly size: number; readonly stream: Readable }> {
    const ask = async (start: number) => {
      const answer = await this.#askBlob("GET", repository, digest, "pull", start);
      if (answer.status === 404) throw await blobMissing(answer, repository, digest);
      return answer;
    };
    return this.#session.attempt(async () => {
      const answer = await ask(0);
      const size = Number(answer.headers.get("content-length") ?? Number.NaN);
      if (!Number.isSafeInteger(size) || (expectedSize ?? size) !== size) {
        await answer.discard();
        throw badAnswer(
          answer,
          Number.isNaN(size) ? "a blob without its size" : `${size} bytes instead of ${expectedSize}`,
        );
      }
      return { size, stream: blobReader(this.#session, answer, { digest, size }, ask) };
    });
  }

  /** The last `count` bytes of a blob, which no digest can check; undefined where the registry sends no parts of blobs. */
  blobEnd(
    repository: Repository,
    { digest, size }: Pick<Descriptor, "digest" | "size">,
    count: number,
  ): Promise<Buffer | undefined> {
    const start = size - count;
    return this.#session.attempt(async () => {
      const answer = await this.#askBlob("GET", repository, digest, "pull", start);
      if (answer.status === 404) throw await blobMissing(answer, repository, digest);
      if (answer.status === 206 && answer.headers.get("content-range")?.startsWith(`bytes ${start}-`))
        return answer.bytes(count);
      await answer.discard();
      return undefined;
    });
  }

  /** Makes sure that the repository holds a blob: found, mounted from another repository of the registry, or uploaded. */
  pushBlob(
    repository: Repository,
    descriptor: Pick<Descriptor, "digest" | "size">,
    source: BlobSource,
    options: PushOptions = {},
  ): Promise<PushResult> {
    const present = async () => {
      const answer = await this.#askBlob("HEAD", repository, descriptor.digest, "push");
      await answer.discard();
      return answer.status === 200;
    };
    return this.#session.attempt(() => pushBlob(this.#session, repository, descriptor, source, options, present));
  }

  /** All tags of a repository in the registry's order; none when it does not exist yet (404). */
  tags(repository: Repository): Promise<string[]> {
    return listTags(this.#session, repository);
  }

  #askManifest(
    method: "GET" | "HEAD",
    { registry, path }: Repository,
    reference: string,
    expect: readonly number[],
  ): Promise<Answer> {
    if (!isDigest(reference) && !isTag(reference))
      throw new TypeError(`${JSON.stringify(reference)} is neither tag nor digest`);
    const url = this.#session.address(registry, `${path}/manifests/${reference}`);
    return this.#session.exchange({
      method,
      registry,
      url,
      scopes: [repositoryScope(path, "pull")],
      headers: { accept: acceptedManifests },
      expect,
    });
  }

  /** `start`: the first byte that is wanted, for a GET that goes on. */
  #askBlob(
    method: "GET" | "HEAD",
    { registry, path }: Repository,
    digest: Digest,
    access: "pull" | "push" = "pull",
    start = 0,
  ): Promise<Answer> {
    const url = this.#session.address(registry, `${path}/blobs/${digest}`);
    const headers: Record<string, string> = start === 0 ? {} : { range: `bytes=${start}-` };
    const expect = start === 0 ? [200, 404] : [200, 206, 404];
    return this.#session.exchange({ method, registry, url, scopes: [repositoryScope(path, access)], headers, expect });
  }

  async #readManifest(repository: Repository, reference: string): Promise<ManifestAnswer | undefined> {
    const answer = await this.#askManifest("GET", repository, reference, [200, 404]);
    if (answer.status === 404) {
      await answer.discard();
      return undefined;
    }
    const bytes = await answer.bytes(this.limits.manifestBytes);
    const digest = sha256(bytes);
    const expected = isDigest(reference) ? reference : answer.headers.get("docker-content-digest");
    if (expected !== null && expected !== digest)
      throw badAnswer(answer, `its bytes have the digest ${digest}, not ${expected}`);
    const sent = typeOf(answer);
    const own = ownMediaType(bytes);
    const known = isManifestType(sent) || isIndexType(sent);
    if (known && own !== undefined && own !== sent)
      throw badAnswer(answer, `a document of type ${own} sent as ${sent}`);
    if (!known && own === undefined) throw badAnswer(answer, `${sent || "nothing"} instead of a manifest`);
    return { digest, bytes, mediaType: known ? sent : own! };
  }

  async #manifestRefused(answer: Answer, repository: Repository): Promise<PlatformError> {
    const text = await answer.beginning(this.limits.errorBytes);
    const why = text === "" ? `status ${answer.status}` : text;
    if (!/"(?:MANIFEST_)?BLOB_UNKNOWN"|"MANIFEST_UNKNOWN"/.test(text)) return badAnswer(answer, why);
    return new PlatformError("manifest-blob-unknown", {
      what: `registry refused a manifest for ${formatReference(repository)}: ${why.slice(0, 300)}`,
      rule: "what a manifest refers to must be there before it",
      fix: "run again; if it stays, look at the registry's storage",
    });
  }
}

async function blobMissing(answer: Answer, repository: Repository, digest: Digest): Promise<PlatformError> {
  await answer.discard();
  return new PlatformError("blob-missing", {
    what: `blob ${digest} is gone from ${formatReference(repository)}`,
    rule: "a registry keeps what its manifests refer to",
    fix: "push the image again, or look at the registry's clean-up rules",
  });
}

function typeOf(answer: Answer): string {
  return (answer.headers.get("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
}
