// Rules on one cluster that look at more than one key: whose policies, who logs in, and what may stand beside what.
import { repeated } from "./deliveryRules";
import { problem, type Scene, valueAt } from "./issues";
import { nearest } from "./nearest";
import { type ConfigurationProblem, type Path, quoted, removeLine, Secret, setLine } from "./problems";

/** One entry of `clusters`, as it was written. */
export interface WrittenCluster {
  readonly path: Path;
  readonly keys: Readonly<Record<string, unknown>>;
}

/** All clusters that are maps, by name. */
export function writtenClusters({ raw }: Pick<Scene, "raw">): WrittenCluster[] {
  const clusters = mapOf(valueAt(raw, ["clusters"])) ?? {};
  return Object.keys(clusters)
    .sort()
    .flatMap((name) => {
      const keys = mapOf(clusters[name]);
      return keys ? [{ path: ["clusters", name], keys }] : [];
    });
}

/** Problems of each cluster by itself. */
export function clusters(scene: Scene): ConfigurationProblem[] {
  const environments = environmentsOf(scene);
  return writtenClusters(scene).flatMap((cluster) => [
    ...environment(cluster, environments, scene),
    ...followed(cluster, scene),
    ...logins(cluster, scene),
    ...exceptions(cluster, scene),
    ...repeated([...cluster.path, "exceptions"], "each policy is named once", scene),
    ...repeated([...cluster.path, "dependsOn"], "each Kustomization is named once", scene),
    ...ownDependency(cluster, scene),
    ...kyvernoForms(cluster, scene),
    ...besideRender(cluster, scene),
  ]);
}

/** Undefined where only the registry can tell, of a promotion that does not say which artifacts come with it, and where they are malformed. */
function environmentsOf({ raw }: Scene): readonly string[] | undefined {
  const promoted = mapOf(valueAt(raw, ["promotion"]));
  if (promoted) {
    const artifacts = mapOf(promoted.artifacts);
    return artifacts && Object.keys(artifacts).sort();
  }
  const artifacts = valueAt(raw, ["artifacts"]) ?? {};
  const { environments = [] } = mapOf(artifacts) ?? { environments: null };
  return Array.isArray(environments) ? environments.filter((one) => typeof one === "string") : undefined;
}

function environment(
  { path, keys }: WrittenCluster,
  known: readonly string[] | undefined,
  scene: Scene,
): ConfigurationProblem[] {
  const { environment: wanted } = keys;
  const key = [...path, "environment"];
  if (known === undefined || known.includes(wanted as string) || (wanted === undefined && known.length === 1))
    return [];
  const rule = `a cluster gets the policies of one environment of the stack${known.length > 0 ? `: ${known.join(", ")}` : ""}`;
  if (wanted === undefined) {
    const fix =
      known.length > 0
        ? setLine(key, known[0]!, scene)
        : setLine(["artifacts", "environments", 0], "production", scene);
    const wrong = known.length > 0 ? "is missing, and the stack has several" : "is missing, and the stack has none";
    return [problem("environment-missing", key, wrong, rule, fix)];
  }
  if (typeof wanted !== "string") return [];
  const fix =
    known.length > 0
      ? setLine(key, nearest(wanted, known) ?? known[0]!, scene)
      : setLine(["artifacts", "environments", 0], wanted, scene);
  return [problem("environment-unknown", key, `names no environment of the stack: ${quoted(wanted)}`, rule, fix)];
}

/** Patches are made for the very documents of a digest; what a range will bring nobody has looked at. */
function followed({ path, keys }: WrittenCluster, scene: Scene): ConfigurationProblem[] {
  const { follow, enforcement } = keys;
  if (follow === undefined || (enforcement !== "audit" && enforcement !== "enforce")) return [];
  const wrong = `follows a range of versions, in a cluster that ${enforcement === "audit" ? "audits" : "enforces"}`;
  const rule = "what a policy does is changed for the documents of one digest; a range brings others by itself";
  return [problem("cluster-follows", [...path, "follow"], wrong, rule, removeLine([...path, "follow"], scene))];
}

const loginKeys = ["secretRef", "provider", "pullSecret"];

function logins({ path, keys }: WrittenCluster, scene: Scene): ConfigurationProblem[] {
  const given = loginKeys.filter((key) => keys[key] !== undefined && keys[key] !== null);
  if (given.length < 2) return [];
  const rule = "a cluster logs in to the registry in one way: secretRef, provider or pullSecret";
  const last = [...path, given.at(-1)!];
  return [
    problem("cluster-logins", last, `stands beside ${given.slice(0, -1).join(" and ")}`, rule, removeLine(last, scene)),
  ];
}

function exceptions({ path, keys }: WrittenCluster, scene: Scene): ConfigurationProblem[] {
  const given = keys.exceptions;
  if (!Array.isArray(given) || given.length === 0 || keys.enforcement === "enforce") return [];
  const key = [...path, "exceptions"];
  const rule = "exceptions are policies that keep auditing in a cluster that enforces";
  const wrong = "stand in a cluster that does not enforce";
  return [problem("cluster-exceptions", key, wrong, rule, removeLine(key, scene))];
}

/** Flux would wait for ever. */
function ownDependency({ path, keys }: WrittenCluster, scene: Scene): ConfigurationProblem[] {
  const { dependsOn, name = "policies" } = keys;
  const index = Array.isArray(dependsOn) ? dependsOn.indexOf(name) : -1;
  if (index < 0) return [];
  const key = [...path, "dependsOn", index];
  const rule = "a Kustomization depends on others alone";
  return [
    problem("cluster-depends", key, `names the Kustomization itself: ${quoted(name)}`, rule, removeLine(key, scene)),
  ];
}

function kyvernoForms({ path, keys }: WrittenCluster, scene: Scene): ConfigurationProblem[] {
  const given = mapOf(keys.kyverno);
  if (!given) return [];
  const key = [...path, "kyverno"];
  const forms = ["chart", "git"].filter((form) => given[form] !== undefined && given[form] !== null);
  const rule = "Kyverno that is there has neither chart nor git, and Kyverno that Flux installs exactly one of them";
  if (given.kind !== "flux") {
    if (forms.length === 0 || (given.kind !== undefined && given.kind !== "existing")) return [];
    const wrong = `has ${forms.join(" and ")}, and is of kind existing`;
    return [problem("kyverno-forms", key, wrong, rule, setLine([...key, "kind"], "flux", scene))];
  }
  if (keys.name === "kyverno") {
    const own = "the objects that install Kyverno are called kyverno";
    const fix = setLine([...path, "name"], "policies", scene);
    return [problem("kyverno-forms", [...path, "name"], "is taken by the Kyverno that Flux installs", own, fix)];
  }
  if (forms.length === 1) return [];
  const example = "oci://registry.example.com/charts/kyverno@sha256:<64 hex>";
  const fix = forms.length === 0 ? setLine([...key, "chart"], example, scene) : removeLine([...key, "git"], scene);
  return [
    problem("kyverno-forms", key, forms.length === 0 ? "has neither chart nor git" : "has chart and git", rule, fix),
  ];
}

/** What would be believed to have an effect, or would stand in clear in a file that others commit. */
function besideRender({ path, keys }: WrittenCluster, scene: Scene): ConfigurationProblem[] {
  if (keys.render === undefined || keys.render === null) return [];
  const rule = "a cluster that is rendered to a folder is not spoken to, and no secret is written";
  return ["kubeconfig", "context", "pullSecret"].flatMap((name) => {
    const key = [...path, name];
    if (keys[name] === undefined || keys[name] === null) return [];
    const drop = removeLine(key, scene);
    const fix = name === "pullSecret" ? `${drop} && ${setLine([...path, "secretRef"], "registry-login", scene)}` : drop;
    return [problem("render-beside", key, "stands beside render", rule, fix)];
  });
}

function mapOf(value: unknown): Record<string, unknown> | undefined {
  const isMap = value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Secret);
  return isMap ? (value as Record<string, unknown>) : undefined;
}
