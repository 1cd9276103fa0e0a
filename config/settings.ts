// The settings of a stack as everything after the configuration sees them, and what they are read from.
import type { BaseSource } from "../lib/base/packages";
import type { IntegrationCase } from "../lib/gate/integrationCase";
import type { SizeBudget } from "../lib/gate/size";
import type { Digest } from "../lib/oci/digest";
import type { ToolSource } from "../lib/plan/composition";
import type { RepositorySource } from "../lib/sources/repositorySource";
import type { ClusterSettings } from "./clusterSettings";
import type { RegistrySettings } from "./registrySettings";

/** How the gate asks a tool for its version. */
interface SmokeSettings {
  /** argv: the tool's own path, then what it is given; started without a shell. */
  readonly command: readonly string[];
  /** Source of a regular expression; group 1, where it has one, is the version. */
  readonly expect: string;
}

/** One tool, and how the gate asks it for its version. */
export interface ToolSettings extends ToolSource {
  readonly smoke: SmokeSettings;
}

/** Bounds of programs that the gate runs. */
export interface ProgramBounds {
  readonly timeoutSeconds: number;
  readonly memoryBytes: number;
}

/** What a stack takes from another registry. */
interface PromotionSource {
  /** Repository of the releases there, `host/path`. */
  readonly from: string;
  /** `vX.Y.Z`. */
  readonly version: string;
  readonly digest: Digest;
  /** `sha-` and it is the release's tag. */
  readonly commit: string;
  /** A version below the highest one of this stack's registry is wanted. */
  readonly rollback: boolean;
  /** Digests of the artifacts by environment. */
  readonly artifacts: Readonly<Record<string, Digest>>;
  /** `organization/project/stack` of what built it. */
  readonly stack?: string;
}

/** The whole configuration of a stack, defaults filled in: one that builds, or one that promotes. */
export type Settings = BuildSettings | PromotionSettings;

/** A stack that takes a release as it is: it needs neither Docker nor a tool. */
export interface PromotionSettings {
  readonly registry: RegistrySettings;
  readonly image: { readonly name: string };
  readonly promotion: PromotionSource;
  /** By name. */
  readonly clusters: Readonly<Record<string, ClusterSettings>>;
}

/** A stack that builds. */
export interface BuildSettings {
  readonly promotion?: undefined;
  /** `auto` or `vX.Y.Z`. */
  readonly version: string;
  readonly registry: RegistrySettings;
  readonly image: { readonly name: string /** `uid:gid`. */; readonly user: string };
  readonly base: BaseSource;
  readonly tools: Readonly<Record<string, ToolSettings>>;
  readonly policies: Readonly<Record<string, RepositorySource>>;
  readonly gate: {
    readonly smoke: ProgramBounds;
    readonly checks: ProgramBounds;
    readonly policyTests: "optional" | "required";
    /** By name. */
    readonly integration: Readonly<Record<string, IntegrationCase>>;
    readonly size: SizeBudget;
  };
  /** Commit that is released, where the project is no git checkout. */
  readonly source?: string;
  readonly artifacts: {
    /** Environments that policies are delivered to. */
    readonly environments: readonly string[];
    /** Kinds that are delivered beside policies. */
    readonly allow: readonly string[];
  };
  /** OPA bundles by name, and the policy repositories they are made of. */
  readonly bundles: Readonly<Record<string, { readonly repositories: readonly string[] }>>;
  /** By name. */
  readonly clusters: Readonly<Record<string, ClusterSettings>>;
  /** URL that stands in for a host of downloads. */
  readonly mirrors: Readonly<Record<string, string>>;
}

/** Keys without their namespace. */
export type RawConfiguration = Readonly<Record<string, unknown>>;

export interface ParseContext {
  /** Stack name; names the file in messages, and the stack in their commands. */
  readonly stack: string;
  /** Folders are relative to it. */
  readonly projectDir: string;
}
