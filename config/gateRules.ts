// Rules on the cases of the gate: they name repositories and need tools of this stack, and say what is to come of them.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { entryName } from "./grammar";
import { problem, type Scene, valueAt } from "./issues";
import { nearest } from "./nearest";
import { repositoryPath } from "./pathGrammar";
import { type ConfigurationProblem, type Path, quoted, removeLine, Secret, setLine, stackFileName } from "./problems";

/** All problems of all cases. */
export function integrationCases(scene: Scene): ConfigurationProblem[] {
  return keysAt(scene, ["gate", "integration"]).flatMap((name) => {
    const path = ["gate", "integration", name];
    return [...nameOf(name, scene), ...outcome(path, scene), ...repositories(path, scene), ...tools(path, scene)];
  });
}

function nameOf(name: string, scene: Scene): ConfigurationProblem[] {
  const refusal = entryName.refuse(name);
  if (!refusal) return [];
  const rename = `rename it${refusal.meant ? ` to ${refusal.meant}` : ""} in ${stackFileName(scene.stack)}`;
  return [problem(refusal.code, ["gate", "integration", name], refusal.wrong, entryName.rule, rename)];
}

/** Who refuses is part of what is expected: a chart that is refused by chance proves nothing. */
function outcome(path: Path, scene: Scene): ConfigurationProblem[] {
  const by = valueAt(scene.raw, [...path, "by"]);
  const named = Array.isArray(by) && by.length > 0;
  const rule = "a case that is to be refused names the rules that refuse, one that passes names none";
  if (valueAt(scene.raw, [...path, "expect"]) !== "refused") {
    if (!named) return [];
    return [
      problem(
        "key-misplaced",
        [...path, "by"],
        "stands in a case that is to pass",
        rule,
        setLine([...path, "expect"], "refused", scene),
      ),
    ];
  }
  if (by !== undefined && named) return [];
  const fix = setLine([...path, "by", 0], "POLICY/RULE", scene);
  return [problem("rule-missing", [...path, "by"], "names no rule", rule, fix)];
}

/** Every path of a case begins with a policy repository of this stack, and leads somewhere in it where that can be seen. */
function repositories(path: Path, scene: Scene): ConfigurationProblem[] {
  const policies = valueAt(scene.raw, ["policies"]);
  if (policies === null || typeof policies !== "object" || policies instanceof Secret) return [];
  const known = Object.keys(policies).sort();
  return pathsOf(path, scene).flatMap(({ key, text }) => {
    const [name = "", ...rest] = text.split("/");
    if (repositoryPath.refuse(text)) return [];
    if (known.includes(name)) return isThere(scene, name, rest.join("/")) === false ? [missing(key, text, scene)] : [];
    const holder = known.find((repository) => isThere(scene, repository, text));
    const meant = holder ? `${holder}/${text}` : [nearest(name, known) ?? known[0] ?? "REPOSITORY", ...rest].join("/");
    const rule = `a path begins with a policy repository of this stack: ${known.join(", ")}`;
    return [
      problem(
        "repository-unknown",
        key,
        `is in no policy repository: ${quoted(text)}`,
        rule,
        setLine(key, meant, scene),
      ),
    ];
  });
}

/** Undefined for what only the gate can tell: other sources than folders, and tests that it renders itself. */
function isThere({ raw, projectDir }: Scene, repository: string, path: string): boolean | undefined {
  const folder = valueAt(raw, ["policies", repository, "folder"]);
  if (typeof folder !== "string" || folder === "" || folder.includes("\0")) return undefined;
  return /^tests\/rendered(\/|$)/.test(path) ? undefined : existsSync(resolve(projectDir, folder, path));
}

function missing(key: Path, text: string, scene: Scene): ConfigurationProblem {
  const rule = "a path of a case leads to what is in its repository";
  const fix = `correct it in ${stackFileName(scene.stack)}, or put the file there`;
  return problem("path-missing", key, `leads to nothing: ${quoted(text)}`, rule, fix);
}

function pathsOf(path: Path, { raw }: Scene): { key: Path; text: string }[] {
  const keys: Path[] = [
    [...path, "chart"],
    ...listKeys([...path, "values"], raw),
    ...listKeys([...path, "policies"], raw),
    [...path, "spectral", "ruleset"],
    ...listKeys([...path, "spectral", "files"], raw),
  ];
  return keys.flatMap((key) => {
    const text = valueAt(raw, key);
    return typeof text === "string" ? [{ key, text }] : [];
  });
}

function listKeys(path: Path, raw: unknown): Path[] {
  const list = valueAt(raw, path);
  return Array.isArray(list) ? list.map((_entry, index) => [...path, index]) : [];
}

/** Tests that must pass are run by the image's own kyverno. */
export function requiredTests(scene: Scene): ConfigurationProblem[] {
  const key: Path = ["gate", "policyTests"];
  if (valueAt(scene.raw, key) !== "required" || keysAt(scene, ["tools"]).includes("kyverno")) return [];
  const rule = "policy tests are run by the image's own kyverno";
  return [missingTool("kyverno", key, rule, scene)];
}

function missingTool(tool: string, key: Path, rule: string, scene: Scene): ConfigurationProblem {
  const fix = `pin ${tool} below policy-platform:tools in ${stackFileName(scene.stack)}, or ${removeLine(key, scene)}`;
  return problem("tool-missing", key, `needs the tool ${tool}, which the image does not have`, rule, fix);
}

/** The programs of a case are the image's own. */
function tools(path: Path, scene: Scene): ConfigurationProblem[] {
  const pinned = keysAt(scene, ["tools"]);
  const needed: [tool: string, key: Path][] = [
    ["helm", path],
    ["kyverno", path],
    ["pluto", [...path, "kubernetes"]],
    ["spectral", [...path, "spectral"]],
  ];
  return needed
    .filter(([tool, key]) => valueAt(scene.raw, key) !== undefined && !pinned.includes(tool))
    .map(([tool, key]) => missingTool(tool, key, "a case is run by programs of the image", scene));
}

function keysAt({ raw }: Scene, path: Path): string[] {
  const value = valueAt(raw, path);
  return value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Secret)
    ? Object.keys(value).sort()
    : [];
}
