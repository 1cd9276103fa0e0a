// Rules on what is delivered: environments and bundles. Both name things, so each name stands once and is known.
import { problem, type Scene, valueAt } from "./issues";
import { nearest } from "./nearest";
import { type ConfigurationProblem, type Path, quoted, removeLine, Secret, setLine } from "./problems";

/** Names that stand twice, and bundles of repositories that are not there. */
export function deliveries(scene: Scene): ConfigurationProblem[] {
  const bundles = valueAt(scene.raw, ["bundles"]);
  const isMap = bundles !== null && typeof bundles === "object" && !(bundles instanceof Secret);
  const lists = (isMap ? Object.keys(bundles).sort() : []).map((name) => ["bundles", name, "repositories"]);
  return [
    ...repeated(["artifacts", "environments"], "each environment is named once", scene),
    ...repeated(["artifacts", "allow"], "each kind is named once", scene),
    ...lists.flatMap((path) => repeated(path, "each policy repository is named once", scene)),
    ...lists.flatMap((path) => unknown(path, scene)),
  ];
}

/** Texts that stand twice in the list at `path`. */
export function repeated(path: Path, rule: string, scene: Scene): ConfigurationProblem[] {
  const names = textsAt(path, scene);
  return names.flatMap((name, index) => {
    if (names.indexOf(name) === index) return [];
    const key = [...path, index];
    return [problem("name-repeated", key, `stands there already: ${quoted(name)}`, rule, removeLine(key, scene))];
  });
}

function unknown(path: Path, scene: Scene): ConfigurationProblem[] {
  const policies = valueAt(scene.raw, ["policies"]);
  if (policies === null || typeof policies !== "object" || policies instanceof Secret) return [];
  const known = Object.keys(policies).sort();
  return textsAt(path, scene).flatMap((name, index) => {
    if (known.includes(name)) return [];
    const key = [...path, index];
    const fix = setLine(key, nearest(name, known) ?? known[0] ?? "REPOSITORY", scene);
    const rule = `a bundle is made of policy repositories of this stack: ${known.join(", ")}`;
    return [problem("repository-unknown", key, `names no policy repository: ${quoted(name)}`, rule, fix)];
  });
}

function textsAt(path: Path, { raw }: Scene): string[] {
  const list = valueAt(raw, path);
  return Array.isArray(list) ? list.map((entry) => (typeof entry === "string" ? entry : "")) : [];
}
