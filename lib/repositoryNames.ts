// Where everything lives in a registry: the one place that spells repository names.

/** What joins the levels of a repository's name: `/`, or `-` for hosts that allow two levels only. */
export const Separator = { slash: "/", dash: "-" } as const;
export type Separator = (typeof Separator)[keyof typeof Separator];

export interface RegistryAddress {
  /** `host[:port][/path]`. */
  readonly address: string;
  readonly separator: Separator;
}

/** All repositories as `host/path`. Only `candidates` may ever be cleaned up. */
export interface RepositoryNames {
  candidates(image: string): string;
  releases(image: string): string;
  base(): string;
  tool(name: string): string;
  policies(name: string): string;
}

/** @example repositoryNames({ address: "127.0.0.1:5000", separator: "/" }).tool("yq") // 127.0.0.1:5000/layers/tools/yq */
export function repositoryNames({ address, separator }: RegistryAddress): RepositoryNames {
  const join = (...levels: string[]) => `${address}/${levels.join(separator)}`;
  return {
    candidates: (image) => join("candidates", image),
    releases: (image) => join("releases", image),
    base: () => join("layers", "base"),
    tool: (name) => join("layers", "tools", name),
    policies: (name) => join("layers", "repositories", name),
  };
}
