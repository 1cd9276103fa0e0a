// What both sides of the comparison take in: a base image, packages, tool releases and three policy repositories in folders.
import type { ToolRelease } from "./releases";

export const repositoryNames = ["backend-applications", "devops-policy", "security-policy"] as const;

export interface World {
  /** `host:port` of the counting proxy: the registry's, and the file server's. */
  readonly host: string;
  /** The upstream image, `host/path@sha256:…`, under another name of the host: no registry of ours. */
  base: string;
  /** Versions of the packages that are installed on it. */
  readonly packages: Readonly<Record<string, string>>;
  /** By name. */
  tools: Readonly<Record<string, ToolRelease>>;
  /** Folder with a folder for each of `repositoryNames`. */
  readonly policies: string;
}
