// Where everything lives in a registry: the one place that spells repository names.

/** What joins the levels of a repository's name: `/`, or `-` for hosts that allow two levels only. */
export const Separator = { slash: "/", dash: "-" } as const;
export type Separator = (typeof Separator)[keyof typeof Separator];

export interface RegistryAddress {
  /** `host[:port][/path]`. */
  readonly address: string;
  readonly separator: Separator;
  /** What stands before the first level: `policy` names `policy-candidates/…`. Default: nothing. */
  readonly prefix?: string;
}

/** All repositories as `host/path`. Only `candidates` may ever be cleaned up. */
export interface RepositoryNames {
  candidates(image: string): string;
  releases(image: string): string;
  /** Flux artifacts of one environment. */
  artifacts(environment: string): string;
  base(): string;
  tool(name: string): string;
  policies(name: string): string;
}

/** The first levels of all names. */
export const roots = ["candidates", "layers", "releases"] as const;
export type Root = (typeof roots)[number];

/** @example repositoryNames({ address: "127.0.0.1:5000", separator: "/" }).tool("yq") // 127.0.0.1:5000/layers/tools/yq */
export function repositoryNames({ address, separator, prefix }: RegistryAddress): RepositoryNames {
  const join = (root: Root, ...levels: string[]) => `${address}/${[rootName(root, prefix), ...levels].join(separator)}`;
  return {
    candidates: (image) => join("candidates", image),
    releases: (image) => join("releases", image),
    artifacts: (environment) => join("releases", "policies", environment),
    base: () => join("layers", "base"),
    tool: (name) => join("layers", "tools", name),
    policies: (name) => join("layers", "repositories", name),
  };
}

/** `policy-releases`; of Artifact Registry it is the id of a repository. */
export function rootName(root: Root, prefix?: string): string {
  return prefix === undefined ? root : `${prefix}-${root}`;
}

/** Where Artifact Registry is reached for the repositories of one project. A project of a domain, `acme.com:name`, is a path there. */
export function artifactRegistryAddress({ project, location }: { project: string; location: string }): string {
  return `${location}-docker.pkg.dev/${project.replace(":", "/")}`;
}
