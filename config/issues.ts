// Turns what the schema library found into problems: full key, value, rule, and the line that mends it.
import type { z } from "zod";
import { pinnedImage } from "./addresses";
import { catalogued } from "./catalogued";
import type { Refusal } from "./grammar";
import { nearest } from "./nearest";
import { packageGrammars } from "./packageGrammar";
import {
  type ConfigurationProblem,
  keyPath,
  type Path,
  type Place,
  pinLine,
  quoted,
  removeLine,
  Secret,
  secretLine,
  setLine,
  shellQuote,
  stackFileName,
} from "./problems";
import { type KeyShape, shapeAt } from "./shape";

/** What a problem is said with. */
export interface Scene extends Place {
  /** Folders are relative to it. */
  readonly projectDir: string;
  /** The configuration as it was written. */
  readonly raw: unknown;
  /** How a number stands in the stack file: YAML's 1.10 is the number 1.1. Undefined where that cannot be seen. */
  readonly written: (path: Path) => string | undefined;
  /** A top-level key as the stack's file has it, encrypted values as markers; undefined where the file does not tell. */
  readonly inFile: (key: string) => unknown;
  /** The stack that the promotion comes from. Undefined where neither it nor the files of the project tell. */
  readonly source: () => string | undefined;
}

/** The problems of one issue of the schema library, which may name several keys. */
export function problemsOfIssue(issue: z.core.$ZodIssue, scene: Scene): ConfigurationProblem[] {
  const found = issue.path as Path;
  const path = existing(found, scene.raw);
  const value = valueAt(scene.raw, path);
  const shape = shapeAt(found);
  if (value instanceof Secret || shape === undefined) return []; // secrets are said once, by their own rule
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey([...path, key], shape, scene));
  if (value === undefined || value === null) return isRenamed(path, scene) ? [] : [missingKey(path, shape, scene)];
  if (issue.code === "custom") {
    return [refusedText(path, String(value), shape, issue.params as unknown as Refusal, scene)];
  }
  if (typeof value === "number" && shape.kind === "text") return [unquotedNumber(path, value, shape, scene)];
  const wrong = issue.code === "invalid_type" ? `is ${kindOf(value)}, not ${nouns[shape.kind]}` : "is not allowed";
  return [problem("value-wrong", path, `${wrong}: ${quoted(value)}`, shape.rule, replaceLine(path, shape, scene))];
}

/** A text may be short for a map: then the path ends at the text. */
function existing(path: Path, raw: unknown): Path {
  const end = path.findIndex((_, index) => typeof valueAt(raw, path.slice(0, index)) === "string");
  return end < 0 ? path : path.slice(0, end);
}

/** What stands there under its former name is said once, by that name. */
function isRenamed(path: Path, { raw }: Scene): boolean {
  return path.at(-1) === "args" && valueAt(raw, [...path.slice(0, -1), "command"]) !== undefined;
}

const nouns: Readonly<Record<KeyShape["kind"], string>> = {
  text: "text",
  boolean: "true or false",
  number: "a whole number",
  map: "a map",
  entries: "a map by name",
  list: "a list",
};

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value !== null && typeof value === "object") return "a map";
  return typeof value === "string" ? "text" : `a ${typeof value}`;
}

/** A problem whose text begins with the full key. */
export function problem(code: string, path: Path, wrong: string, rule: string, fix: string): ConfigurationProblem {
  const key = keyPath(path);
  return { key, code, what: `${key} ${wrong}`, rule, fix };
}

/** The value at a path, own properties only. */
export function valueAt(raw: unknown, path: Path): unknown {
  let value = raw;
  for (const part of path) {
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/** Name that `policy-platform pin` knows an entry by; qualified where a tool and a repository share it. */
export function pinName(path: Path, raw: unknown): string {
  if (path[0] === "base") return "base";
  const shared = ["tools", "policies"].every((map) => valueAt(raw, [map, path[1]!]) !== undefined);
  return shared ? `${path[0]}.${path[1]}` : String(path[1]);
}

function unknownKey(path: Path, parent: KeyShape, scene: Scene): ConfigurationProblem {
  const key = String(path.at(-1));
  const drop = removeLine(path, scene);
  const first = key.split(/[.[]/)[0]!;
  const value = valueAt(scene.raw, path);
  if (path.length === 1 && first !== key && parent.keys.includes(first) && typeof value !== "object") {
    const steps = key.split(".");
    const fix = `${drop} && ${setLine(steps, String(value), scene)}`;
    return problem("key-unknown", path, "is one key with dots in its name", "a nested key is set with --path", fix);
  }
  if (key === "command" && path.at(-2) === "smoke") return formerCommand(path, value, scene);
  const meant = nearest(key, parent.keys);
  if (meant === undefined && path[0] === "registry" && path[1] === "cleanup") return keptPath(path, scene);
  const rule = `known keys are ${parent.keys.join(", ")}`;
  if (meant === undefined) return problem("key-unknown", path, "is no known key", rule, drop);
  const near = problem(
    "key-unknown",
    path,
    `is no known key; did you mean ${meant}?`,
    rule,
    `rename it to ${meant} in ${stackFileName(scene.stack)}, or ${drop}`,
  );
  return { ...near, meant: keyPath([...path.slice(0, -1), meant]) };
}

/** Up to version 0.1 a smoke check named the tool too; now it is started by its own path. */
function formerCommand(path: Path, command: unknown, scene: Scene): ConfigurationProblem {
  const args = [...path.slice(0, -1), "args"];
  const given = Array.isArray(command) ? command.slice(1).filter((word) => typeof word === "string") : [];
  const words = given.length > 0 ? given : ["version"];
  const lines = words.map((word, index) => setLine([...args, index], word, scene));
  const fix = [removeLine(path, scene), ...lines].join(" && ");
  const rule = "smoke.args is what the tool itself is given; the gate starts it by its path";
  return problem("smoke-command", path, "is now called args, without the tool's own name", rule, fix);
}

/** Somebody names what is to be cleaned up: a repository, a package, tags. Pinned images point at all that is not a candidate. */
function keptPath(path: Path, scene: Scene): ConfigurationProblem {
  const rule = "candidates alone are cleaned up, by olderThan, keep and dryRun; layers and releases are kept for ever";
  return problem("cleanup-kept", path, "chooses what is cleaned up", rule, removeLine(path, scene));
}

function missingKey(path: Path, shape: KeyShape, scene: Scene): ConfigurationProblem {
  const last = path.at(-1);
  const pinnable = path[0] === "tools" && (last === "sha256" || (last === "url" && catalogued(path[1])));
  if (path[0] === "promotion") return problem("key-missing", path, "is missing", shape.rule, promoteLine(scene));
  const fix = pinnable ? pinLine(pinName(path, scene.raw), scene) : exampleLine(path, shape, scene);
  return problem(last === "sha256" ? "checksum-missing" : "key-missing", path, "is missing", shape.rule, fix);
}

/** Writes all of a promotion. */
function promoteLine(scene: Scene): string {
  return `policy-platform promote ${scene.source() ?? "FROM"} ${scene.stack}`;
}

function refusedText(path: Path, text: string, shape: KeyShape, refusal: Refusal, scene: Scene): ConfigurationProblem {
  if (refusal.code === "secret-plain")
    return problem(refusal.code, path, refusal.wrong, shape.rule, secretLine(path, scene));
  const hidden = refusal.code === "url-credentials";
  const version = refusal.pin === "to-version" ? "VERSION" : undefined;
  const pinnable = refusal.pin && path[0] !== "clusters" && (refusal.code !== "url-moving" || catalogued(path[1]));
  const offered = refusal.meant === undefined ? offeredLine(path, scene) : undefined;
  const fix = pinnable
    ? path[0] === "promotion"
      ? promoteLine(scene)
      : pinLine(pinName(path, scene.raw), scene, version)
    : refusal.remove
      ? removeLine(path, scene)
      : (offered ?? setLine(path, refusal.meant ?? String(shape.examples[0]), scene));
  return problem(refusal.code, path, refusal.wrong + (hidden ? "" : `: ${quoted(text)}`), shape.rule, fix);
}

/** What shows the versions of a package that there are; undefined for what is no package, or no image to ask. */
function offeredLine([key, map, manager, name]: Path, scene: Scene): string | undefined {
  if (key !== "base" || map !== "packages" || (manager !== "apk" && manager !== "apt")) return undefined;
  const image = valueAt(scene.raw, ["base", "image"]);
  const isUsable = typeof image === "string" && pinnedImage.refuse(image) === undefined;
  if (!isUsable || packageGrammars[manager].name.refuse(String(name))) return undefined;
  const ask = { apk: "apk update && apk policy", apt: "apt-get update && apt-cache madison" }[manager];
  return `choose one that there is: docker run --rm --network host --user 0 --entrypoint sh ${shellQuote(image)} -c ${shellQuote(`${ask} ${name}`)}`;
}

function unquotedNumber(path: Path, value: number, shape: KeyShape, scene: Scene): ConfigurationProblem {
  const written = scene.written(path);
  const code = path.at(-1) === "version" ? "version-unquoted" : "value-wrong";
  const wrong = `is the number ${value}${lostDigits(value, written)}, not text`;
  const text = written ?? String(value);
  const refusal = shape.refuse?.(text);
  const meant = refusal ? (refusal.meant ?? String(shape.examples[0])) : text;
  return problem(code, path, wrong, shape.rule, setLine(path, meant, scene));
}

/** What the text was before it became a number: 1.10 is 1.1 to YAML, and is written so when the engine changes the file. */
function lostDigits(value: number, written: string | undefined): string {
  if (written !== undefined && written !== String(value)) return `, as YAML reads ${quoted(written)}`;
  return /^\d+\.\d+$/.test(String(value)) ? `, as the engine also writes ${value}0` : "";
}

/** Sets an example where something of the wrong kind stands; Pulumi sets nothing below a text, and keeps a text's quotes. */
function replaceLine(path: Path, shape: KeyShape, scene: Scene): string {
  const line = exampleLine(path, shape, scene);
  return shape.kind !== "text" ? `${removeLine(path, scene)} && ${line}` : line;
}

const exampleNames: Readonly<Record<string, string>> = {
  base: "bash",
  clusters: "dev",
  policies: "security-policy",
  mirrors: "github.com",
};

/** Sets an example: of a map, of its first key that must be there. */
function exampleLine(path: Path, shape: KeyShape, scene: Scene): string {
  const next = nextStep(path, shape);
  const below = next === undefined ? undefined : [...path, next];
  return below === undefined
    ? setLine(path, shape.kind === "number" ? Number(shape.examples[0]) : String(shape.examples[0]), scene)
    : exampleLine(below, shapeAt(below)!, scene);
}

function nextStep(path: Path, { kind, keys }: KeyShape): string | number | undefined {
  if (kind === "list") return 0;
  if (kind === "entries") return exampleNames[path[0]!] ?? "kyverno";
  return keys.find((key) => shapeAt([...path, key])!.required) ?? keys[0];
}
