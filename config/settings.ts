// Configuration of one stack: validated once, with every error at once, and then trusted everywhere.
import { join } from "node:path";
import type { z } from "zod";
import { type BaseSource, installed } from "../lib/base/packages";
import { PlatformError } from "../lib/errors";
import type { IntegrationCase } from "../lib/gate/integrationCase";
import type { SizeBudget } from "../lib/gate/size";
import type { Digest } from "../lib/oci/digest";
import type { ToolSource } from "../lib/plan/composition";
import { mapRecord } from "../lib/record";
import type { RepositorySource } from "../lib/sources/repositorySource";
import { completeTool } from "./catalogued";
import { problemsOfIssue } from "./issues";
import { writtenIn } from "./load";
import { ConfigurationError, type ConfigurationProblem, type Path, stackFileName } from "./problems";
import { besidePromotion, promotes, withoutBuild } from "./promotionRules";
import { type RegistrySettings, registrySettings } from "./registrySettings";
import { problemsOfRules } from "./rules";
import { buildSchema, type ParsedConfiguration, promotionSchema } from "./schema";
import { topLevelKeys } from "./shape";
import { parseDuration, parseSize } from "./units";

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
interface ProgramBounds {
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
  readonly artifacts: { /** Environments that policies are delivered to. */ readonly environments: readonly string[] };
  /** OPA bundles by name, and the policy repositories they are made of. */
  readonly bundles: Readonly<Record<string, { readonly repositories: readonly string[] }>>;
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

/** Settings of a configuration that is in order; else throws one ConfigurationError (`configuration-invalid`) with all problems. */
export function parseSettings(raw: RawConfiguration, context: ParseContext): Settings {
  const found = validate(raw, context);
  if (found.problems.length > 0) throw new ConfigurationError(found.problems, context);
  return found.settings!();
}

/** {@link parseSettings} for what only a stack that builds can do. Error: `stack-promotes`. */
export function parseBuildSettings(raw: RawConfiguration, context: ParseContext): BuildSettings {
  const settings = parseSettings(raw, context);
  if (settings.promotion === undefined) return settings;
  throw new PlatformError("stack-promotes", {
    what: `stack ${context.stack} builds nothing: it promotes ${settings.promotion.version} from ${settings.promotion.from}`,
    rule: "this looks at what a stack builds from",
    fix: "name the stack that built it with --stack",
  });
}

/** All problems of a configuration; none means that parseSettings returns. */
export function problemsOf(raw: RawConfiguration, context: ParseContext): readonly ConfigurationProblem[] {
  return validate(raw, context).problems;
}

interface Validated {
  readonly problems: ConfigurationProblem[];
  /** Absent where the schema found a problem. */
  readonly settings?: () => Settings;
}

function validate(given: RawConfiguration, context: ParseContext): Validated {
  const stackFile = join(context.projectDir, stackFileName(context.stack));
  const isPromotion = promotes(given);
  const written = (path: Path) => writtenIn(stackFile, path);
  const beside = isPromotion ? besidePromotion({ ...context, raw: given, written }) : [];
  const raw = isPromotion ? withoutBuild(given) : given;
  const scene = { ...context, raw, written };
  const result = isPromotion
    ? settled(promotionSchema.safeParse(raw), ({ image: { name }, promotion, registry }) => ({
        registry: registrySettings(registry),
        image: { name },
        promotion: { ...promotion, digest: promotion.digest as Digest },
      }))
    : settled(buildSchema.safeParse(withShortForms(raw)), toSettings);
  const issues = result.issues.flatMap((issue) => problemsOfIssue(issue, scene));
  return { ...result, problems: sorted([...beside, ...issues, ...problemsOfRules(scene)]) };
}

/** What a schema says, as settings. */
function settled<T>(
  result: z.ZodSafeParseResult<T>,
  toSettings: (parsed: T) => Settings,
): { issues: readonly z.core.$ZodIssue[]; settings?: () => Settings } {
  return result.success ? { issues: [], settings: () => toSettings(result.data) } : { issues: result.error.issues };
}

/** A tool's image may be a text: `{reference: …}` in short. */
function withShortForms(raw: RawConfiguration): RawConfiguration {
  const { tools } = raw;
  if (tools === null || typeof tools !== "object" || Array.isArray(tools)) return raw;
  const whole = Object.entries(tools).map(([name, tool]: [string, unknown]) => {
    const image = tool !== null && typeof tool === "object" ? (tool as Record<string, unknown>).image : undefined;
    return [name, typeof image === "string" ? { ...(tool as object), image: { reference: image } } : tool];
  });
  return { ...raw, tools: Object.fromEntries(whole) };
}

/** In the order of the schema, then by key, so that the list is the same whatever order the file has. */
function sorted(problems: readonly ConfigurationProblem[]): ConfigurationProblem[] {
  const rank = ({ key }: ConfigurationProblem) => {
    const index = topLevelKeys.indexOf(/^[^:]*:([A-Za-z0-9_-]*)/.exec(key)?.[1] ?? "");
    return index < 0 ? topLevelKeys.length : index;
  };
  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return [...problems].sort((a, b) => rank(a) - rank(b) || compare(a.key, b.key) || compare(a.code, b.code));
}

function toSettings({ registry, base, tools, gate, ...rest }: ParsedConfiguration): BuildSettings {
  return {
    ...rest,
    registry: registrySettings(registry),
    base: installed(base.packages) ? base : { image: base.image },
    tools: mapRecord(tools, (tool, name) => completeTool(name, tool)),
    gate: {
      smoke: boundsOf(gate.smoke),
      checks: boundsOf(gate.checks),
      policyTests: gate.policyTests,
      integration: gate.integration,
      size: budgetOf(gate.size),
    },
  };
}

function boundsOf({ timeout, memory }: { timeout: string; memory: string }): ProgramBounds {
  return { timeoutSeconds: parseDuration(timeout)!, memoryBytes: parseSize(memory)! };
}

function budgetOf({ compressed, unpacked }: ParsedConfiguration["gate"]["size"]): SizeBudget {
  return {
    ...(compressed === undefined ? {} : { compressedBytes: parseSize(compressed)! }),
    ...(unpacked === undefined ? {} : { unpackedBytes: parseSize(unpacked)! }),
  };
}
