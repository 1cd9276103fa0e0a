// A second opinion on the version rule, written from its prose alone: what people name and what is not there any more. It knows
// nothing of pins, digests or files, and shares no line with the code that it judges.
import semver from "semver";
import type { ModelRepository, World } from "./worlds";

/** Everything that somebody may name in an exception, a report or a path. */
export function namesIn({ policyFiles, charts, others }: ModelRepository): Set<string> {
  const names = new Set<string>();
  const paths = [...Object.keys(policyFiles), ...Object.keys(others)];
  for (const [folder, { name, templates }] of Object.entries(charts)) {
    names.add(`the chart ${name}`);
    for (const template of templates) names.add(`${template} of the chart ${name}`);
    paths.push(`${folder}/Chart.yaml`);
  }
  for (const path of paths) if (path.includes("/")) names.add(`the folder ${path.slice(0, path.indexOf("/"))}`);
  for (const { kind, namespace, name, rules } of Object.values(policyFiles).flat()) {
    const policy = `${kind} ${namespace ?? "-"} ${name}`;
    names.add(policy);
    if (kind !== "ValidatingPolicy") for (const rule of rules) names.add(`the rule ${rule} in ${policy}`);
  }
  return names;
}

const gone = <T>(old: Iterable<T>, next: Iterable<T>) => [...new Set(old)].filter((one) => !new Set(next).has(one));
const has = (map: object, key: string) => Object.keys(map).includes(key);

/** What a reader of the rule would ask for; undefined where nothing changed that an image is made of. */
export function stepBetween(old: World, next: World): "major" | "minor" | "patch" | undefined {
  if (sameImage(old, next)) return undefined;
  // Something that users name is not there any more.
  const vanished =
    gone(Object.keys(old.tools), Object.keys(next.tools)).length > 0 ||
    gone(Object.keys(old.repositories), Object.keys(next.repositories)).length > 0 ||
    gone(old.environments, next.environments).length > 0 ||
    gone(Object.keys(old.bundles), Object.keys(next.bundles)).length > 0 ||
    Object.keys(old.bundles).some(
      (name) => has(next.bundles, name) && gone(old.bundles[name]!, next.bundles[name]!).length > 0,
    ) ||
    Object.keys(old.repositories).some(
      (name) =>
        has(next.repositories, name) &&
        gone(namesIn(old.repositories[name]!), namesIn(next.repositories[name]!)).length > 0,
    );
  // A tool behaves otherwise.
  const retooled = Object.keys(old.tools).some(
    (name) => has(next.tools, name) && old.tools[name]!.version !== next.tools[name]!.version,
  );
  if (vanished || retooled) return "major";
  const came =
    gone(Object.keys(next.tools), Object.keys(old.tools)).length > 0 ||
    gone(Object.keys(next.repositories), Object.keys(old.repositories)).length > 0 ||
    gone(next.environments, old.environments).length > 0 ||
    gone(Object.keys(next.bundles), Object.keys(old.bundles)).length > 0 ||
    Object.keys(old.bundles).some(
      (name) => has(next.bundles, name) && gone(next.bundles[name]!, old.bundles[name]!).length > 0,
    );
  return came ? "minor" : "patch";
}

/** Whether two stacks make the same image: lists without order are compared as such, and a file without content is one too. */
export function sameImage(a: World, b: World): boolean {
  const sorted = (value: unknown): unknown => {
    if (value === null || typeof value !== "object") return value;
    if (Array.isArray(value)) return value.map(sorted);
    return Object.entries(value)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]);
  };
  const list = (names: readonly string[]) => [...new Set(names)].sort();
  const plain = (world: World) => ({
    ...world,
    environments: list(world.environments),
    bundles: Object.fromEntries(Object.entries(world.bundles).map(([name, names]) => [name, list(names)])),
    repositories: Object.fromEntries(Object.entries(world.repositories).map(([name, one]) => [name, written(one)])),
  });
  return JSON.stringify(sorted(plain(a))) === JSON.stringify(sorted(plain(b)));
}

/** Of a policy that has no place for its message, or says it beside rules only, the message is in no file. */
function written(repository: ModelRepository): unknown {
  const policyFiles = Object.fromEntries(
    Object.entries(repository.policyFiles).map(([path, policies]) => [
      path,
      policies.map((policy) =>
        policy.kind === "ValidatingPolicy" && policy.rules.length > 0 ? { ...policy, message: "" } : policy,
      ),
    ]),
  );
  const others = { ...repository.others };
  return { policyFiles, charts: repository.charts, others };
}

/** One release: a version (`1.2.3`), and what was in it; undefined for an image of somebody else. */
export interface PastRelease {
  readonly version: string;
  readonly world?: World;
}

/** The version of the next release, or the code of the refusal. */
export function decide(
  past: readonly PastRelease[],
  now: World,
  wanted: string,
): { version: string } | { refused: string } {
  const newestFirst = [...past].sort((a, b) => semver.rcompare(a.version, b.version));
  const [last, ...before] = newestFirst;
  const auto = wanted === "auto";
  if (!last) return { version: auto ? "1.0.0" : wanted };
  if (!last.world)
    return !auto && semver.gt(wanted, last.version) ? { version: wanted } : { refused: "release-foreign" };

  const step = stepBetween(last.world, now);
  const isWayBack = before.slice(0, 16).some(({ world }) => world && sameImage(world, now));
  const least = step === undefined ? last.version : semver.inc(last.version, isWayBack ? "patch" : step)!;
  if (auto) return { version: least };
  const there = newestFirst.find(({ version }) => version === wanted);
  if (there && !(there.world && sameImage(there.world, now))) return { refused: "version-taken" };
  if (there && there !== last) return { refused: "version-reused" };
  return semver.lt(wanted, least) ? { refused: "version-too-low" } : { version: wanted };
}
