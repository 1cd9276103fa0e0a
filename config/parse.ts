// Configuration of one stack: validated once, with every error at once, and then trusted everywhere.
import { join } from "node:path";
import type { z } from "zod";
import { installed } from "../lib/base/packages";
import { PlatformError } from "../lib/errors";
import type { SizeBudget } from "../lib/gate/size";
import type { Digest } from "../lib/oci/digest";
import { mapRecord } from "../lib/record";
import { completeTool } from "./catalogued";
import { clusterSettings } from "./clusterSettings";
import { problemsOfIssue } from "./issues";
import { fromStackFile, writtenIn } from "./load";
import { ConfigurationError, type ConfigurationProblem, type Path, stackFileName } from "./problems";
import { besidePromotion, promotes, withoutBuild } from "./promotionRules";
import { registrySettings } from "./registrySettings";
import { problemsOfRules } from "./rules";
import { buildSchema, type ParsedConfiguration, promotionSchema } from "./schema";
import type { BuildSettings, ParseContext, ProgramBounds, RawConfiguration, Settings } from "./settings";
import { topLevelKeys } from "./shape";
import { sourceStack } from "./sourceStack";
import { parseDuration, parseSize } from "./units";

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
  const whole = {
    ...context,
    raw: given,
    written: (path: Path) => writtenIn(stackFile, path),
    inFile: (key: string) => keyIn(stackFile, context.stack, key),
    source: () => sourceStack(given.promotion ?? {}, context),
  };
  const beside = isPromotion ? besidePromotion(whole) : [];
  const raw = isPromotion ? withoutBuild(given) : given;
  const scene = { ...whole, raw };
  const result = isPromotion
    ? settled(promotionSchema.safeParse(raw), ({ image: { name }, promotion, registry, clusters }) => ({
        registry: registrySettings(registry),
        image: { name },
        clusters: clusterSettings(clusters),
        promotion: {
          ...promotion,
          digest: promotion.digest as Digest,
          artifacts: promotion.artifacts as Record<string, Digest>,
        },
      }))
    : settled(buildSchema.safeParse(withShortForms(raw)), toSettings);
  const issues = result.issues.flatMap((issue) => problemsOfIssue(issue, scene));
  return { ...result, problems: sorted([...beside, ...issues, ...problemsOfRules(scene)]) };
}

/** A key of the stack's file; undefined where that cannot be read. */
function keyIn(path: string, stack: string, key: string): unknown {
  try {
    return fromStackFile(path, stack).raw[key];
  } catch (error) {
    if (error instanceof PlatformError) return undefined;
    throw error;
  }
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

/**
 * Misspelt keys first, as what they were meant to be is then missed too; then in the order of the schema and by key, so that the list
 * is the same whatever order the file has.
 */
function sorted(problems: readonly ConfigurationProblem[]): ConfigurationProblem[] {
  const rank = ({ key, meant }: ConfigurationProblem) => {
    if (meant !== undefined) return -1;
    const index = topLevelKeys.indexOf(/^[^:]*:([A-Za-z0-9_-]*)/.exec(key)?.[1] ?? "");
    return index < 0 ? topLevelKeys.length : index;
  };
  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return [...problems].sort((a, b) => rank(a) - rank(b) || compare(a.key, b.key) || compare(a.code, b.code));
}

function toSettings({ registry, base, tools, gate, clusters, ...rest }: ParsedConfiguration): BuildSettings {
  return {
    ...rest,
    clusters: clusterSettings(clusters, rest.artifacts.environments),
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
