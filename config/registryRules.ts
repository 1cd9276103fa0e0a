// Rules on `registry`: which keys each kind has, which it must have, and that everything a label or a list names stands once.
import { repeated } from "./deliveryRules";
import { problem, type Scene, valueAt } from "./issues";
import { type ConfigurationProblem, removeLine, Secret, setLine, stackFileName } from "./problems";
import { labelKey } from "./registryGrammar";
import { registryHosts } from "./registryHosts";
import { shapeAt } from "./shape";

/** Keys of each kind, the required ones first. */
const keysOf = {
  existing: ["address", "separator", "insecure"],
  artifactRegistry: [
    "project",
    "location",
    "address",
    "prefix",
    "labels",
    "immutableTags",
    "protect",
    "cleanup",
    "readers",
    "writers",
  ],
} as const;
const required = { existing: 1, artifactRegistry: 2 } as const;

/** More labels than a resource of Google Cloud takes. */
const maxLabels = 64;

/** Problems of `registry` beyond each key's own grammar. */
export function registryKinds(scene: Scene): ConfigurationProblem[] {
  const kind = valueAt(scene.raw, ["registry", "kind"]) ?? "existing";
  const registry = mapAt(scene, "registry");
  if (!registry || (kind !== "existing" && kind !== "artifactRegistry")) return [];
  const present = Object.keys(registry).filter((key) => registry[key] !== undefined && registry[key] !== null);
  const own: readonly string[] = keysOf[kind];
  const known = Object.values(keysOf).flat() as readonly string[];
  return [
    ...keysOf[kind]
      .slice(0, required[kind])
      .filter((key) => !present.includes(key))
      .map((key) => missing(key, scene)),
    ...present.filter((key) => known.includes(key) && !own.includes(key)).map((key) => foreign(key, kind, scene)),
    ...registryHosts(scene),
    ...labels(scene),
    ...["readers", "writers"].flatMap((list) => repeated(["registry", list], "each member is named once", scene)),
  ];
}

function missing(key: string, scene: Scene): ConfigurationProblem {
  const path = ["registry", key];
  const { rule, examples } = shapeAt(path)!;
  return problem("key-missing", path, "is missing", rule, setLine(path, String(examples[0]), scene));
}

/** A key without effect is an error: it would be believed. */
function foreign(key: string, kind: keyof typeof keysOf, scene: Scene): ConfigurationProblem {
  const other = kind === "existing" ? "artifactRegistry" : "existing";
  const path = ["registry", key];
  const isUnsaid = valueAt(scene.raw, ["registry", "kind"]) === undefined;
  const fix = isUnsaid ? setLine(["registry", "kind"], other, scene) : removeLine(path, scene);
  const rule = `a registry of kind ${kind} has the keys kind, ${keysOf[kind].join(", ")}`;
  return problem("registry-kind", path, `is a key of kind ${other}; this registry is of kind ${kind}`, rule, fix);
}

function labels(scene: Scene): ConfigurationProblem[] {
  const keys = Object.keys(mapAt(scene, "registry", "labels") ?? {}).sort();
  const refused = keys.flatMap((key) => {
    const refusal = labelKey.refuse(key);
    const rename = `rename it${refusal?.meant ? ` to ${refusal.meant}` : ""} in ${stackFileName(scene.stack)}`;
    return refusal ? [problem(refusal.code, ["registry", "labels", key], refusal.wrong, labelKey.rule, rename)] : [];
  });
  if (keys.length <= maxLabels) return refused;
  const path = ["registry", "labels"];
  const rule = `a repository has at most ${maxLabels} labels`;
  return [
    ...refused,
    problem("labels-many", path, `are ${keys.length}`, rule, removeLine([...path, keys.at(-1)!], scene)),
  ];
}

function mapAt({ raw }: Scene, ...path: string[]): Record<string, unknown> | undefined {
  const value = valueAt(raw, path);
  const isMap = value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Secret);
  return isMap ? (value as Record<string, unknown>) : undefined;
}
