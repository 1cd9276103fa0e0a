// Where a configuration is read: from the engine, in the program, or from a stack's file, offline.
import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Document } from "yaml";
import { PlatformError } from "../lib/errors";
import type * as Yaml from "../lib/policies/yaml";
import { ConfigurationError, namespace, type Path, Secret } from "./problems";
import type { RawConfiguration } from "./settings";
import { shapeAt } from "./shape";
import { stacksIn } from "./stacks";

/** A stack's file as it was read. */
export interface StackFile {
  readonly raw: RawConfiguration;
  /** Names under `environment:`; what they supply cannot be seen offline. */
  readonly environments: readonly string[];
}

/** The part of Pulumi's runtime that is used; `isConfigSecret` is there, but not in its types. */
interface EngineConfiguration {
  allConfig(): Readonly<Record<string, string>>;
  isConfigSecret(key: string): boolean;
}

/** Larger stack files are refused unread. */
const maxBytes = 1024 * 1024;

/** The configuration that the engine hands to the program: every key, unknown ones too; secrets as markers. */
export function fromPulumi(): RawConfiguration {
  // Loaded here alone: the command reads stack files and must not pay for the SDK.
  const { runtime } = require("@pulumi/pulumi") as { runtime: EngineConfiguration };
  const prefix = `${namespace}:`;
  const own = Object.entries(runtime.allConfig()).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(
    own.map(([key, text]) => {
      const name = key.slice(prefix.length);
      return [name, runtime.isConfigSecret(key) ? secretFromEngine(name, text) : fromEngine(name, text)];
    }),
  );
}

/** Of a key with a secret anywhere in it the engine says that all of it is: of `clusters` it is the pull secrets. */
function secretFromEngine(name: string, text: string): unknown {
  const value = name === "clusters" ? fromEngine(name, text) : undefined;
  if (value === null || typeof value !== "object" || Array.isArray(value)) return new Secret();
  const clusters = Object.entries(value).map(([cluster, keys]: [string, unknown]) => {
    const secret =
      keys !== null && typeof keys === "object" ? (keys as { pullSecret?: unknown }).pullSecret : undefined;
    return [cluster, typeof secret === "string" ? { ...(keys as object), pullSecret: new Secret(secret) } : keys];
  });
  return Object.fromEntries(clusters);
}

/** The engine hands over maps and lists as JSON, texts as they are: only the schema can tell which is which. */
function fromEngine(name: string, text: string): unknown {
  if (shapeAt([name])?.kind === "text") return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * The configuration in `Pulumi.<stack>.yaml`, over the defaults in the project's Pulumi.yaml beside it. Reads these two files only.
 * Errors: `stack-file-missing`; `configuration-invalid` for a file that is broken, too large or too deep.
 */
export function fromStackFile(path: string, stack: string): StackFile {
  const document = readYaml(path, stack);
  const content = (toValue(document, path, stack) ?? {}) as Record<string, unknown>;
  const { config, environment } = content;
  if (config !== undefined && config !== null && (typeof config !== "object" || Array.isArray(config)))
    throw broken(path, stack, 1, "config is not a map");
  return {
    raw: { ...projectDefaults(join(dirname(path), "Pulumi.yaml"), stack), ...ownKeys(config ?? {}) },
    environments: Array.isArray(environment) ? environment.map(String) : [],
  };
}

/** How a number stands in a stack's file: `1.10`, which YAML reads as 1.1. Undefined where the file does not tell. */
export function writtenIn(path: string, [first, ...rest]: Path): string | undefined {
  let document: Document.Parsed;
  try {
    document = readYaml(path, "");
  } catch {
    return undefined;
  }
  const node: unknown = [`${namespace}:${first}`, String(first)]
    .map((key) => document.getIn(["config", key, ...rest], true))
    .find((found) => found !== undefined);
  return (node as { source?: string } | undefined)?.source;
}

/** Values and defaults that Pulumi.yaml gives to keys of ours. */
function projectDefaults(path: string, stack: string): Record<string, unknown> {
  const exists = statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
  const content = exists ? (toValue(readYaml(path, stack), path, stack) as { config?: unknown } | null) : null;
  const declared = Object.entries(ownKeys(content?.config ?? {}));
  const values = declared.map(([key, entry]) => {
    const { value, default: fallback } = (entry ?? {}) as { value?: unknown; default?: unknown };
    return [key, value ?? fallback] as const;
  });
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

/** Keys of our namespace; a key without one belongs to the project, which is us. */
function ownKeys(config: unknown): Record<string, unknown> {
  const own = Object.entries(config as object).flatMap(([key, value]) => {
    const [, space, name] = /^(?:([^:]*):)?(.*)$/s.exec(key)!;
    return space === undefined || space === namespace ? [[name!, withSecrets(value, 0)]] : [];
  });
  return Object.fromEntries(own);
}

/** `{secure: …}` is how an encrypted value stands in the file. */
function withSecrets(value: unknown, depth: number): unknown {
  if (value === null || typeof value !== "object" || depth > 20) return value;
  if (Array.isArray(value)) return value.map((item) => withSecrets(item, depth + 1));
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0]![0] === "secure") return new Secret();
  return Object.fromEntries(entries.map(([key, item]) => [key, withSecrets(item, depth + 1)]));
}

function readYaml(path: string, stack: string): Document.Parsed {
  // Loaded here alone: the program reads no stack file unless it has an error to explain.
  const { parseYaml } = require("../lib/policies/yaml") as typeof Yaml;
  const { documents, problem } = parseYaml(readBounded(path, stack));
  if (problem) throw broken(path, stack, problem.line, problem.reason);
  if (documents.length > 1) throw broken(path, stack, 1, "holds several documents");
  return documents[0] ?? (parseYaml(Buffer.from("{}")).documents[0] as Document.Parsed);
}

function readBounded(path: string, stack: string): Buffer {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isFile()) {
    const stacks = stacksIn(dirname(path));
    throw new PlatformError("stack-file-missing", {
      what: `no file ${path}${stacks.length > 0 ? `; here are ${stacks.join(", ")}` : ""}`,
      rule: "a stack's configuration stands in Pulumi.<stack>.yaml beside Pulumi.yaml",
      fix: `name a stack that is there, or make this one: pulumi stack init ${stack}`,
    });
  }
  if (stats.size > maxBytes) throw broken(path, stack, 1, `is larger than ${maxBytes / 1024} KiB`);
  return readFileSync(path);
}

/** Plain values; more than 100 expanded aliases, or nesting beyond the stack, is an error and not a hang. */
function toValue(document: Document.Parsed, path: string, stack: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    if (!(error instanceof ReferenceError) && !(error instanceof RangeError)) throw error;
    throw broken(path, stack, 1, error instanceof RangeError ? "is nested too deeply" : "expands too many aliases");
  }
}

function broken(path: string, stack: string, line: number, reason: string): ConfigurationError {
  const problem = {
    key: namespace,
    code: "stack-file-broken",
    what: `${path}:${line}: ${reason}`,
    rule: "a stack file is one YAML document of at most 1 MiB",
    fix: `mend line ${line}`,
  };
  return new ConfigurationError([problem], { stack });
}
