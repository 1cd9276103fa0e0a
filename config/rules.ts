// Rules that look at more than one key, or at what the schema library does not see. They work on the configuration as it
// was written, so they hold beside any other error.
import { readdirSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { hostName } from "./addresses";
import { catalogued, defaultToolPath } from "./catalogued";
import { clusterPlaces, clusterSecrets, unexpectedSecrets } from "./clusterPlaces";
import { clusterRegistry } from "./clusterRegistry";
import { clusters } from "./clusterRules";
import { deliveries } from "./deliveryRules";
import { integrationCases, requiredTests } from "./gateRules";
import { entryName } from "./grammar";
import { pinName, problem, type Scene, valueAt } from "./issues";
import { packages } from "./packageRules";
import { imagePath } from "./pathGrammar";
import {
  type ConfigurationProblem,
  type Path,
  pinLine,
  quoted,
  removeLine,
  Secret,
  setLine,
  stackFileName,
} from "./problems";
import { registryKinds } from "./registryRules";

/** Layers of an image are limited to 127 by the engine; the base brings some. */
const maxEntries = 100;

/** All problems of all rules. */
export function problemsOfRules(scene: Scene): ConfigurationProblem[] {
  return [
    secrets,
    registryKinds,
    names,
    sourceForms,
    imageFolders,
    toolPaths,
    toolChecks,
    packages,
    folders,
    entries,
    deliveries,
    integrationCases,
    requiredTests,
    clusters,
    clusterPlaces,
    clusterRegistry,
    clusterSecrets,
  ].flatMap((rule) => rule(scene));
}

/** Own keys of the map at a path; none where there is no map. */
function keysAt(scene: Scene, path: Path): string[] {
  const value = valueAt(scene.raw, path);
  return value !== null && typeof value === "object" && !(value instanceof Secret) ? Object.keys(value).sort() : [];
}

/** Nothing here is secret but one key: pins and addresses must be readable in every preview. */
function secrets(scene: Scene): ConfigurationProblem[] {
  return unexpectedSecrets(scene.raw, scene);
}

/** Names become folders, stage names, levels of repositories and names of resources; hosts of mirrors are names too. */
function names(scene: Scene): ConfigurationProblem[] {
  return (["tools", "policies", "bundles", "mirrors", "clusters"] as const).flatMap((map) => {
    const form = map === "mirrors" ? hostName : entryName;
    return keysAt(scene, [map]).flatMap((name) => {
      const refusal = form.refuse(name);
      const rename = `rename it${refusal?.meant ? ` to ${refusal.meant}` : ""} in ${stackFileName(scene.stack)}`;
      return refusal ? [problem(refusal.code, [map, name], refusal.wrong, form.rule, rename)] : [];
    });
  });
}

const forms = { tools: ["image", "release"], policies: ["folder", "image", "git"] } as const;

/** A tool is an image or a release, a repository a folder, an image or a git commit. */
function sourceForms(scene: Scene): ConfigurationProblem[] {
  return (["tools", "policies"] as const).flatMap((map) =>
    keysAt(scene, [map]).flatMap((name) => sourceProblem(scene, map, name)),
  );
}

function sourceProblem(scene: Scene, map: keyof typeof forms, name: string): ConfigurationProblem[] {
  const path = [map, name];
  const entry = valueAt(scene.raw, path);
  if (entry === null || typeof entry !== "object" || Array.isArray(entry) || entry instanceof Secret) return [];
  const given = forms[map].filter((form) => valueAt(entry, [form]) !== undefined);
  if (given.length === 1) return [];
  const rule = `an entry has exactly one of ${listed(forms[map])}`;
  if (given.length === 0) return [problem("source-forms", path, "has no source", rule, sourceLine(scene, map, name))];
  const drop = removeLine([...path, given[0]!], scene);
  return [
    problem(
      "source-forms",
      path,
      `has ${given.length === 2 ? "two" : given.length} sources: ${listed(given)}`,
      rule,
      drop,
    ),
  ];
}

function listed(words: readonly string[]): string {
  return words.join(", ").replace(/, (?=[^,]*$)/, " and ");
}

/** `path` and `digest` beside `image` say which folder of a foreign image is repacked, and to what; elsewhere they say nothing. */
function imageFolders(scene: Scene): ConfigurationProblem[] {
  return keysAt(scene, ["policies"]).flatMap((name) => {
    const has = (key: string) => valueAt(scene.raw, ["policies", name, key]) !== undefined;
    const rule =
      "path and digest stand beside the image that a folder is taken from, or under git, each path with its digest";
    const misplaced = (key: string, wrong: string) => {
      const path = ["policies", name, key];
      return [problem("key-misplaced", path, wrong, rule, removeLine(path, scene))];
    };
    if (has("path") && !has("image")) return misplaced("path", "stands beside no image");
    if (has("digest") && !has("path")) return misplaced("digest", "stands beside no path");
    return [];
  });
}

/** The line that gives an entry its source. */
function sourceLine(scene: Scene, map: keyof typeof forms, name: string): string {
  const path = [map, name];
  if (map === "policies") return setLine([...path, "folder"], `policies/${name}`, scene);
  if (!catalogued(name))
    return setLine([...path, "release", "url"], "https://downloads.example.com/tool/v1.2.3/tool.tar.gz", scene);
  const hasVersion = valueAt(scene.raw, [...path, "version"]) !== undefined;
  return pinLine(pinName(path, scene.raw), scene, hasVersion ? undefined : "VERSION");
}

/** Two files cannot stand at one path, nor one below another. The tool that names its path is the one to move. */
function toolPaths(scene: Scene): ConfigurationProblem[] {
  const placed = keysAt(scene, ["tools"]).map((name) => {
    const given = valueAt(scene.raw, ["tools", name, "path"]);
    return { name, given, path: typeof given === "string" ? given : defaultToolPath(name) };
  });
  const usable = placed
    .filter(({ path }) => imagePath.refuse(path) === undefined)
    .sort((a, b) => Number(a.given !== undefined) - Number(b.given !== undefined));
  const clash = (a: string, b: string) => `${a}/`.startsWith(`${b}/`) || `${b}/`.startsWith(`${a}/`);
  return usable.flatMap(({ name, path }, index) => {
    const other = usable.slice(0, index).find((one) => clash(one.path, path));
    if (!other) return [];
    const where = other.path === path ? "where" : "above or below which";
    const free = path === defaultToolPath(name) ? `/opt/${name}/bin/${name}` : defaultToolPath(name);
    const key = ["tools", name, "path"];
    const wrong = `is ${quoted(path)}, ${where} tool ${quoted(other.name)} stands`;
    return [problem("tool-path-taken", key, wrong, "each tool has a path of its own", setLine(key, free, scene))];
  });
}

/** The gate must know how to ask a tool for its version. */
function toolChecks(scene: Scene): ConfigurationProblem[] {
  return keysAt(scene, ["tools"]).flatMap((name) => {
    const path = ["tools", name, "smoke"];
    const entry = valueAt(scene.raw, ["tools", name]);
    if (catalogued(name) || entry === null || typeof entry !== "object" || valueAt(scene.raw, path) !== undefined)
      return [];
    const rule = "a tool outside the catalogue says how it prints its version";
    const fix = [
      setLine([...path, "args", 0], "version", scene),
      setLine([...path, "expect"], "(\\d+\\.\\d+\\.\\d+)", scene),
    ].join(" && ");
    return [problem("key-missing", path, "is missing", rule, fix)];
  });
}

/** A folder is there and holds something; what of it ships is decided where the layer is made. */
function folders(scene: Scene): ConfigurationProblem[] {
  return keysAt(scene, ["policies"]).flatMap((name) => {
    const path = ["policies", name, "folder"];
    const folder = valueAt(scene.raw, path);
    if (typeof folder !== "string" || folder === "" || folder.includes("\0")) return [];
    const wrong = wrongFolder(resolve(scene.projectDir, folder));
    if (!wrong) return [];
    const rule = "a policy repository's folder exists and holds files";
    const proposed = `policies/${name}`;
    const elsewhere = setLine(path, folder === proposed ? "FOLDER" : proposed, scene);
    const fix = folder === proposed ? `put a policy into ${proposed}, or name another folder: ${elsewhere}` : elsewhere;
    return [problem(wrong.code, path, `${wrong.what}: ${quoted(folder)}`, rule, fix)];
  });
}

function wrongFolder(folder: string): { code: string; what: string } | undefined {
  try {
    if (!statSync(folder).isDirectory()) return { code: "folder-missing", what: "is no folder" };
    const held = readdirSync(folder).some((entry) => entry !== ".git" && entry !== ".policyignore");
    return held ? undefined : { code: "folder-empty", what: "is empty" };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ENAMETOOLONG")
      return { code: "folder-missing", what: "does not exist" };
    return { code: "folder-unreadable", what: `cannot be read (${code})` };
  }
}

/** An image without policies says nothing, and one layer per entry has an end. */
function entries(scene: Scene): ConfigurationProblem[] {
  const policies = keysAt(scene, ["policies"]).length;
  const given = valueAt(scene.raw, ["policies"]);
  if (policies === 0 && given !== null && typeof given === "object" && !(given instanceof Secret)) {
    const fix = setLine(["policies", "security-policy", "folder"], "policies/security-policy", scene);
    return [problem("key-missing", ["policies"], "names no policy repository", "an image has at least one", fix)];
  }
  const count = policies + keysAt(scene, ["tools"]).length;
  if (count <= maxEntries) return [];
  const rule = `an image has a layer for each entry, so at most ${maxEntries} tools and policy repositories together`;
  return [
    problem("too-many-entries", ["policies"], `and tools have ${count} entries`, rule, "merge policy repositories"),
  ];
}
