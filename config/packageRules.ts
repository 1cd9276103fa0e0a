// Rules of the packages of a base that look at more than one key.
import { managers, type PackageManager } from "../lib/base/packages";
import { problem, type Scene, valueAt } from "./issues";
import { packageGrammars } from "./packageGrammar";
import { type ConfigurationProblem, removeLine, Secret, stackFileName } from "./problems";

/** They are arguments of one step. */
const maxPackages = 100;
const path = ["base", "packages"];

/** Packages of one manager, not too many, with names that it takes for nothing else. */
export function packages(scene: Scene): ConfigurationProblem[] {
  const given = managers.map((manager) => ({ manager, names: namesOf(scene, manager) }));
  return [
    ...given.flatMap(({ manager, names }) => names.flatMap((name) => nameProblem(scene, manager, name))),
    ...managerProblem(
      scene,
      given.filter(({ names }) => names.length > 0).map(({ manager }) => manager),
    ),
    ...countProblem(Math.max(...given.map(({ names }) => names.length))),
  ];
}

function namesOf({ raw }: Scene, manager: PackageManager): string[] {
  const map = valueAt(raw, [...path, manager]);
  const isMap = map !== null && typeof map === "object" && !Array.isArray(map) && !(map instanceof Secret);
  return isMap ? Object.keys(map).sort() : [];
}

function nameProblem({ stack }: Scene, manager: PackageManager, name: string): ConfigurationProblem[] {
  const form = packageGrammars[manager].name;
  const refusal = form.refuse(name);
  const rename = `rename it${refusal?.meant ? ` to ${refusal.meant}` : ""} in ${stackFileName(stack)}`;
  return refusal ? [problem(refusal.code, [...path, manager, name], refusal.wrong, form.rule, rename)] : [];
}

function managerProblem(scene: Scene, used: readonly PackageManager[]): ConfigurationProblem[] {
  if (used.length < 2) return [];
  const wrong = `names packages of two package managers: ${used.join(" and ")}`;
  const fix = used.map((manager) => removeLine([...path, manager], scene)).join(", or ");
  return [problem("package-managers", path, wrong, "a base has one package manager", fix)];
}

function countProblem(count: number): ConfigurationProblem[] {
  if (count <= maxPackages) return [];
  const rule = `a base has at most ${maxPackages} packages beside those that they depend on`;
  const fix = "leave out what others depend on, or make a base of your own";
  return [problem("too-many-entries", path, `names ${count} packages`, rule, fix)];
}
