// Where a policy repository comes from, as a stack file has it.
import type { Digest } from "../oci/digest";
import { parsePinned } from "../oci/reference";

/** A commit of a git repository. */
export interface GitRepository {
  readonly url: string;
  /** The whole hash. */
  readonly commit: string;
  /** The folder of it that is taken; default all of it. */
  readonly path?: string;
  /** The layer image that it becomes. */
  readonly digest?: string;
}

/** Where one policy repository comes from; exactly one of `folder`, `image` and `git`. */
export interface RepositorySource {
  /** As written, relative to the project. */
  readonly folder?: string;
  /** By digest: a layer image, or any image together with `path`. */
  readonly image?: string;
  /** The folder of a foreign image, which is repacked; absent for a layer image. */
  readonly path?: string;
  /** The layer image that the folder of a foreign image becomes. */
  readonly digest?: string;
  readonly git?: GitRepository;
}

/** A folder of any image, which is repacked. */
export interface ForeignFolder {
  /** By digest. */
  readonly image: string;
  /** Absolute in that image. */
  readonly path: string;
  /** The layer image that it becomes. */
  readonly digest?: string;
}

/** A source that is fetched and becomes a layer image of ours; exactly one of the two. */
export type RemoteSource = { readonly git: GitRepository } | ForeignFolder;

/** The source as one that is fetched; undefined for a folder and for a layer image. */
export function remoteSource({ git, image, path, digest }: RepositorySource): RemoteSource | undefined {
  if (git) return { git };
  return image !== undefined && path !== undefined ? { image, path, ...(digest && { digest }) } : undefined;
}

/** The digest that stands in the pin; undefined for a folder, and where the pin is not complete. */
export function pinnedLayer(source: RepositorySource): Digest | undefined {
  const { git, image, path, digest } = source;
  if (image !== undefined && path === undefined) return parsePinned(image).digest;
  return (git ? git.digest : digest) as Digest | undefined;
}
