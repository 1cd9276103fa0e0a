// Images between the engine's store and registries: push, pull, look at, remove.
import { PlatformError } from "../errors";
import { type Digest, isDigest } from "../oci/digest";
import { parseReference } from "../oci/reference";
import { type RegistryAuth, registryAuthHeader } from "./auth";
import { registryFix } from "./build";
import { jsonLines, type ProgressLine } from "./jsonLines";
import { EngineAnswerError, type EngineTransport } from "./transport";

export interface TransferOptions {
  readonly auth?: RegistryAuth;
  readonly onProgress?: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** What the engine knows of an image in its store. */
export interface ImageDetails {
  readonly id: string;
  /** `repository@digest` names it is known by. */
  readonly repoDigests: readonly string[];
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly architecture: string;
}

/** Milliseconds without a progress line after which a transfer counts as stalled. */
const transferIdle = 5 * 60_000;

/** Pushes `host/path:tag` and returns the digest that the registry gave, as the engine reports it. Throws `push-failed`. */
export async function push(transport: EngineTransport, reference: string, options: TransferOptions): Promise<Digest> {
  const { registry, path, tag = "latest" } = parseReference(reference);
  let digest: string | undefined;
  await transfer(
    transport,
    "push",
    reference,
    { path: `/images/${registry}/${path}/push`, query: { tag } },
    { registry, ...options },
    (line) => {
      // The aux line is there since engine 1.10; the status line has been there for longer and says the same.
      digest =
        (line.aux as { Digest?: string } | undefined)?.Digest ??
        /digest: (sha256:[0-9a-f]{64})\b/.exec(line.status ?? "")?.[1] ??
        digest;
    },
  );
  if (digest === undefined || !isDigest(digest)) {
    throw new PlatformError("push-failed", {
      what: `the engine pushed ${reference} and named no digest`,
      rule: "a pushed image is known by its digest",
      fix: "use Docker Engine 23 or later",
    });
  }
  return digest;
}

/** Pulls `host/path@digest` (or a tag) into the engine's store. Throws `pull-failed`. */
export async function pull(transport: EngineTransport, reference: string, options: TransferOptions): Promise<void> {
  const { registry, path, tag, digest } = parseReference(reference);
  await transfer(
    transport,
    "pull",
    reference,
    { path: "/images/create", query: { fromImage: `${registry}/${path}`, tag: digest ?? tag ?? "latest" } },
    { registry, ...options },
  );
}

async function transfer(
  transport: EngineTransport,
  verb: "push" | "pull",
  reference: string,
  request: { readonly path: string; readonly query: Readonly<Record<string, string>> },
  options: TransferOptions & { readonly registry: string },
  onLine: (line: ProgressLine) => void = () => undefined,
): Promise<void> {
  const { registry, auth, onProgress, signal } = options;
  try {
    const answer = await transport.open({
      method: "POST",
      ...request,
      headers: { "x-registry-auth": await registryAuthHeader(registry, auth) },
      signal,
      idle: transferIdle,
    });
    for await (const line of jsonLines(answer)) {
      const error = line.errorDetail?.message ?? line.error;
      if (error !== undefined) throw transferFailed(verb, reference, error);
      onLine(line);
      if (line.status && onProgress) onProgress(line.id ? `${line.id}: ${line.status}` : line.status);
    }
  } catch (error) {
    if (error instanceof EngineAnswerError) throw transferFailed(verb, reference, error.reason);
    signal?.throwIfAborted();
    throw error;
  }
}

function transferFailed(verb: "push" | "pull", reference: string, reason: string): PlatformError {
  return new PlatformError(`${verb}-failed`, {
    what: `the engine could not ${verb} ${reference}: ${reason}`,
    rule: "the engine must reach the registry and be let in",
    fix: registryFix(reason) ?? "look at the log of the registry and of the engine",
  });
}

/** Looks at an image of the store; undefined when it is not there. */
export async function inspectImage(
  transport: EngineTransport,
  reference: string,
  signal?: AbortSignal,
): Promise<ImageDetails | undefined> {
  interface Wire {
    readonly Id: string;
    readonly RepoDigests?: string[] | null;
    readonly Architecture: string;
    readonly Config?: {
      User?: string;
      Entrypoint?: string[] | null;
      Cmd?: string[] | null;
      Labels?: Record<string, string> | null;
    };
  }
  try {
    const wire = await transport.document<Wire>({ path: `/images/${encodeName(reference)}/json`, signal });
    return {
      id: wire.Id,
      repoDigests: wire.RepoDigests ?? [],
      user: wire.Config?.User ?? "",
      entrypoint: wire.Config?.Entrypoint ?? [],
      command: wire.Config?.Cmd ?? [],
      labels: wire.Config?.Labels ?? {},
      architecture: wire.Architecture,
    };
  } catch (error) {
    if (error instanceof EngineAnswerError && error.status === 404) return undefined;
    throw error;
  }
}

/** A name as a part of a path: what is no reference finds no image, instead of another endpoint. */
function encodeName(reference: string): string {
  return reference.split("/").map(encodeURIComponent).join("/");
}

/** Takes a name away from the store, and the image with its last name. False when it was not there. */
export async function removeImage(
  transport: EngineTransport,
  reference: string,
  signal?: AbortSignal,
): Promise<boolean> {
  try {
    await transport.document({
      method: "DELETE",
      path: `/images/${encodeName(reference)}`,
      query: { force: true },
      signal,
    });
    return true;
  } catch (error) {
    if (error instanceof EngineAnswerError && error.status === 404) return false;
    throw error;
  }
}
