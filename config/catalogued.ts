// What the catalogue of known tools spares a configuration from saying.
import { type CatalogueEntry, catalogue } from "../lib/pins/catalogue";
import type { ParsedConfiguration } from "./schema";
import type { ToolSettings } from "./settings";

/** The catalogue's entry for a name; undefined for any other tool. */
export function catalogued(name: unknown): CatalogueEntry | undefined {
  return typeof name === "string" && Object.hasOwn(catalogue, name) ? catalogue[name] : undefined;
}

/** Where a tool stands in the image unless its entry says so. */
export function defaultToolPath(name: string): string {
  return catalogued(name)?.path ?? `/usr/local/bin/${name}`;
}

/** The tool's file in an archive of its makers; undefined for any other tool, and for a download that is no archive. */
export function memberIn(name: string, url: string): string | undefined {
  return /\.(tgz|tar|tar\.gz|tar\.xz|txz|zip)$/.test(url) ? catalogued(name)?.member : undefined;
}

/** A valid entry with what the catalogue knows filled in. */
export function completeTool(name: string, tool: ParsedConfiguration["tools"][string]): ToolSettings {
  const known = catalogued(name);
  const { release } = tool;
  const member = release && (release.member ?? memberIn(name, release.url));
  const path = tool.path ?? defaultToolPath(name);
  // A tool that neither says how it prints its version nor is known has been refused before.
  const { args, expect } = tool.smoke ?? known!.smoke;
  return {
    ...tool,
    path,
    ...(release && { release: { ...release, ...(member !== undefined && { member }) } }),
    smoke: { command: [path, ...args], expect },
  };
}
