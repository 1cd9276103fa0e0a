// A client for the registry that a stack declares itself: there, a repository that is not created yet answers like one that may not be read.
import { PlatformError } from "../errors";
import { type ClientOptions, type ManifestAnswer, RegistryClient } from "../oci/client";
import type { Descriptor } from "../oci/manifest";
import { formatReference, type Repository } from "../oci/reference";
import { type RegistryAddress, rootName, roots } from "./names";

/** What 401 and 403 are called. */
const refusals: readonly string[] = ["registry-unauthorized", "registry-forbidden"];

/**
 * Asked of each repository of the registry, `host/path`, that may not be read: true where it is yet to be created, and then it counts
 * as empty. Any other is an error, which says both what it can mean; a text is advice for it, where that cannot be told.
 */
export type Uncreated = (repository: string) => boolean | string | Promise<boolean | string>;

export interface DeclaredOptions extends ClientOptions {
  /** Default: no repository is yet to be created. */
  readonly uncreated?: Uncreated;
}

/** For people: what was taken for empty, and why. */
export function uncreatedLine(repository: string): string {
  return `${repository} may not be read: not created yet, or no permission; it counts as empty here`;
}

/** Repositories outside of the declared registry are read as by any other client. */
export class DeclaredRegistryClient extends RegistryClient {
  readonly #registry: RegistryAddress;
  readonly #uncreated: Uncreated;

  constructor(registry: RegistryAddress, { uncreated = () => false, ...options }: DeclaredOptions) {
    super(options);
    this.#registry = registry;
    this.#uncreated = uncreated;
  }

  override tags(repository: Repository): Promise<string[]> {
    return this.#read(repository, super.tags(repository), []);
  }

  override resolve(repository: Repository, reference: string): Promise<Descriptor | undefined> {
    return this.#read(repository, super.resolve(repository, reference), undefined);
  }

  override manifest(repository: Repository, reference: string): Promise<ManifestAnswer | undefined> {
    return this.#read(repository, super.manifest(repository, reference), undefined);
  }

  async #read<T>(repository: Repository, reading: Promise<T>, empty: T): Promise<T> {
    try {
      return await reading;
    } catch (error) {
      const isRefused = error instanceof PlatformError && refusals.includes(error.code);
      if (!isRefused || !this.#declares(repository)) throw error;
      const answer = await this.#uncreated(formatReference(repository));
      if (answer === true) return empty;
      throw notReadable(error, answer || "what is not created yet, pulumi up creates");
    }
  }

  #declares(repository: Repository): boolean {
    const { address, separator, prefix } = this.#registry;
    const name = formatReference(repository);
    return roots.some((root) => name.startsWith(`${address}/${rootName(root, prefix)}${separator}`));
  }
}

function notReadable(error: PlatformError, advice: string): PlatformError {
  const { what, rule, fix } = error.problem;
  const both = {
    what: `${what}: no permission, or not created yet`,
    rule,
    fix: `${fix}; ${advice}`,
  };
  return new PlatformError(error.code, both, { cause: error });
}
