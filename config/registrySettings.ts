// The registry of a stack as everything after the configuration sees it: with an address, whatever its kind.
import { artifactRegistryAddress, type RegistryAddress } from "../lib/registry/names";
import type { ParsedConfiguration } from "./schema";
import { parseDays } from "./units";

/** A registry that is there already. */
interface ExistingRegistry extends RegistryAddress {
  readonly kind: "existing";
  /** Plain http although it is not on loopback. */
  readonly insecure: boolean;
}

/** Repositories of Google Artifact Registry that the stack declares. */
interface ArtifactRegistry extends RegistryAddress {
  readonly kind: "artifactRegistry";
  readonly insecure: false;
  readonly prefix: string;
  readonly project: string;
  readonly location: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly immutableTags: boolean;
  readonly protect: boolean;
  readonly cleanup?: { readonly olderThanDays: number; readonly keep: number; readonly dryRun: boolean };
  readonly readers: readonly string[];
  readonly writers: readonly string[];
}

/** Where everything is pushed. */
export type RegistrySettings = ExistingRegistry | ArtifactRegistry;

type ParsedRegistry = ParsedConfiguration["registry"];

/** Of a configuration whose rules hold: what a kind must have is there. */
export function registrySettings(parsed: ParsedRegistry): RegistrySettings {
  const { kind, insecure, project, location, cleanup, ...rest } = parsed;
  const place = registryPlace(parsed)!;
  if (kind === "existing") return { kind, ...place, insecure };
  return {
    kind,
    ...rest,
    ...place,
    insecure: false,
    prefix: parsed.prefix,
    project: project!,
    location: location!,
    ...(cleanup && {
      cleanup: { olderThanDays: parseDays(cleanup.olderThan)!, keep: cleanup.keep, dryRun: cleanup.dryRun },
    }),
  };
}

/** Where it is and how its repositories are named; undefined for a registry that lacks what its kind must have. */
export function registryPlace(parsed: ParsedRegistry): RegistryAddress | undefined {
  const { kind, separator, prefix, project, location } = parsed;
  if (kind === "existing") return parsed.address === undefined ? undefined : { address: parsed.address, separator };
  if (project === undefined || location === undefined) return undefined;
  return { address: parsed.address ?? artifactRegistryAddress({ project, location }), separator: "/", prefix };
}
