// Runs the gate on one image digest: in one container of that very image, without a network, bounded, gone afterwards.

import type { DockerEngine } from "../docker/engine";
import { chartsOfImage } from "./charts";
import { type Check, failed, skipped } from "./check";
import { type GateContainer, volume } from "./container";
import { type SeenDelivery, seenDeliveries } from "./delivery";
import type { GateContext, PolicyFile } from "./exec";
import type { ImageFiles } from "./imageFiles";
import { runCases } from "./integration";
import type { IntegrationCase } from "./integrationCase";
import type { GateLimits } from "./limits";
import { pinnedPrograms } from "./pinned";
import { checkRepository } from "./policies";
import { type CarriedRules, PolicyMemory } from "./policyMemory";
import { type PullOptions, withContainer } from "./pulled";
import type { PolicyPrograms } from "./ruleCounts";
import { settled } from "./settled";
import { evaluateRepository, evaluateStart, evaluateStrays, evaluateTool, type ToolSmoke } from "./smoke";
import { checkTests, untested } from "./tests";

/** One policy repository of the image. */
export interface GateRepository {
  /** Absolute paths of its files, `/repos/<name>/…`. */
  readonly paths: readonly string[];
  /** What its source has beside them, by path in the repository; undefined for one that is given as an image. */
  readonly leftOut?: ReadonlyMap<string, Buffer>;
}

/** Everything that can change a verdict, but for the content of what is named by digest. */
export interface GateSpec {
  /** `repository@sha256:…`; pulled from there, whatever the engine has. */
  readonly image: string;
  /** By name. */
  readonly tools: Readonly<Record<string, ToolSmoke>>;
  /** By name. */
  readonly repositories: Readonly<Record<string, GateRepository>>;
  /** Bounds of the smoke check, then those of all others. */
  readonly limits: GateLimits;
  readonly policyTests: "optional" | "required";
  /** For each of which the policies in charts are rendered. */
  readonly environments: readonly string[];
  /** Kinds that clusters get of charts beside policies. Default: none. */
  readonly allow?: readonly string[];
  /** By name. */
  readonly integration: Readonly<Record<string, IntegrationCase>>;
}

/** How it is run. */
export interface GateOptions extends PullOptions {
  /** What the image weighs, in its place among the checks. */
  readonly size?: Check;
  /** Digest of kyverno's layer image: under it is remembered what it says about policies. */
  readonly kyverno?: string;
  /** Folder of that memory; default: in the user's cache. */
  readonly memory?: string;
  /** What an earlier run brought along of it. */
  readonly carried?: CarriedRules;
}

/** What was found. */
export interface GateResult {
  readonly passed: boolean;
  /** In the order in which they are made. */
  readonly checks: readonly Check[];
  /** For the next run; absent where nothing may be remembered. */
  readonly carried?: CarriedRules;
  /** By environment, what was seen of the policies that clusters are to get; absent where kyverno was not asked. */
  readonly seen?: ReadonlyMap<string, SeenDelivery>;
}

/** The tool that reads policies. */
const reader = "kyverno";

/**
 * Checks an image and tells what was found; only what keeps it from looking is thrown (engine, registry, abort).
 * Every check is made, also after one has failed, unless the image does not start. A program that hangs or floods costs the
 * container, and the next one gets a new one.
 */
export async function runGate(engine: DockerEngine, spec: GateSpec, options: GateOptions = {}): Promise<GateResult> {
  const { signal, progress = () => undefined } = options;
  const checks: Check[] = [];
  let found: Looked = {};
  const about = { image: spec.image, limits: spec.limits.smoke };
  await withContainer(engine, about, options, async (container, image) => {
    progress("starting the image");
    const start = evaluateStart({ ...image, failure: await container.start() });
    checks.push(start);
    if (start.status === "failed") {
      checks.push(...notLookedAt(spec), ...(options.size ? [options.size] : []));
      return;
    }
    const files = await smoke(container, spec, checks, progress);
    // The memory that a version needs is not what the policies of a large repository need: one container, raised in place.
    await container.setLimits(spec.limits.checks);
    found = await lookInside(container, files, spec, options, checks);
  });
  signal?.throwIfAborted();
  return { passed: checks.every(({ status }) => status !== "failed"), checks, ...found };
}

function notLookedAt({ tools, repositories, integration }: GateSpec): Check[] {
  const why = "not looked at: the image does not start as it must";
  return [
    ...sorted(tools).map(([name]) => skipped(`smoke: ${name}`, why)),
    ...sorted(repositories).map(([name]) => skipped(`smoke: /repos/${name}`, why)),
    ...sorted(repositories).map(([name]) => skipped(`policies: ${name}`, why)),
    ...sorted(repositories).map(([name]) => skipped(`tests: ${name}`, why)),
    ...sorted(integration).map(([name]) => skipped(`integration: ${name}`, why)),
  ];
}

type Progress = (text: string) => void;

/** Each tool prints its version, each repository is there; returns what is below /repos. */
async function smoke(
  container: GateContainer,
  { tools, repositories, limits }: GateSpec,
  checks: Check[],
  progress: Progress,
): Promise<ImageFiles> {
  const versions = sorted(tools).map(async ([name, tool]) => {
    progress(`running ${tool.command.join(" ")}`);
    const outcome = await container.exec(tool.command);
    return { ...evaluateTool(name, tool, outcome, limits.smoke), output: outcome.output };
  });
  checks.push(...(await settled(versions)));
  progress("listing /repos");
  const files = await container.files("/repos");
  for (const [name, { paths }] of sorted(repositories)) {
    const found = files.paths.filter((path) => path.startsWith(`/repos/${name}/`));
    checks.push(evaluateRepository(name, paths, found));
  }
  const strays = evaluateStrays(Object.keys(repositories), files.paths);
  if (strays) checks.push(strays);
  return files;
}

type Looked = Pick<GateResult, "carried" | "seen">;

/** Everything that needs more than the programs' versions. */
async function lookInside(
  container: GateContainer,
  files: ImageFiles,
  spec: GateSpec,
  options: GateOptions,
  checks: Check[],
): Promise<Looked> {
  const repositories = sorted(spec.repositories);
  if (!Object.hasOwn(spec.tools, reader)) {
    const why = `the image has no tool ${reader}`;
    checks.push(...repositories.map(([name]) => skipped(`policies: ${name}`, why)));
    checks.push(
      ...repositories.map(([name, { leftOut }]) =>
        untested(name, { files: leftOut, required: spec.policyTests === "required" }, why),
      ),
    );
    if (options.size) checks.push(options.size);
    checks.push(...sorted(spec.integration).map(([name]) => failed(`integration: ${name}`, why)));
    return {};
  }
  const memory = await PolicyMemory.open(options.kyverno, { folder: options.memory, carried: options.carried });
  try {
    const seen = await askKyverno(pinnedPrograms(container, spec.tools), files, spec, { ...options, memory }, checks);
    const carried = memory.carry();
    return { seen, ...(carried && { carried }) };
  } finally {
    await memory.save();
  }
}

/** What kyverno and helm say of policies, charts, cases and tests. */
async function askKyverno(
  programs: PolicyPrograms,
  { contents, notKept }: ImageFiles,
  spec: GateSpec,
  options: Omit<GateOptions, "memory"> & { readonly memory: PolicyMemory },
  checks: Check[],
): Promise<ReadonlyMap<string, SeenDelivery>> {
  const { progress = () => undefined, memory } = options;
  const repositories = sorted(spec.repositories);
  const policies = await applyPolicies(programs, { contents, notKept }, spec, options, checks);
  const copies = new Map(repositories.map(([name, { leftOut }]) => [name, copyOf(name, contents, leftOut)]));
  const context = contextOf(programs, contents, policies, copies);
  const charts = chartsOfImage(context, memory);
  progress("rendering the policies in charts");
  checks.push(
    ...(await charts.checks(
      repositories.map(([name]) => name),
      spec.environments,
    )),
  );
  if (options.size) checks.push(options.size);
  for (const [name, { leftOut }] of repositories) {
    if (!leftOut) continue;
    const files = copies.get(name)!;
    for (const [path, text] of await charts.forTests(name)) files.set(`tests/${path}`, Buffer.from(text));
    await context.put(`repos/${name}`, files);
  }
  for (const [name] of sorted(spec.integration)) progress(`trying ${name}`);
  checks.push(...(await runCases(spec.integration, context, charts)));
  for (const [name, { leftOut }] of repositories) {
    progress(`running the tests of ${name}`);
    const source = { files: leftOut, required: spec.policyTests === "required" };
    const place = { copy: `${volume}/repos/${name}`, files: copies.get(name)!, limits: spec.limits.checks, memory };
    checks.push(await checkTests(context, name, source, place));
  }
  const { environments, allow = [] } = spec;
  return seenDeliveries(context, charts, { repositories: repositories.map(([name]) => name), environments, allow });
}

/** Holds each repository's policies to what kyverno says of them; returns what it says. */
async function applyPolicies(
  programs: PolicyPrograms,
  { contents, notKept }: Omit<ImageFiles, "paths">,
  { repositories, limits }: GateSpec,
  { memory, progress = () => undefined }: Pick<GateOptions, "progress"> & { readonly memory: PolicyMemory },
  checks: Check[],
): Promise<ReadonlyMap<string, readonly PolicyFile[]>> {
  const policies = new Map<string, readonly PolicyFile[]>();
  for (const [name] of sorted(repositories)) {
    progress(`applying the policies of ${name}`);
    const found = await checkRepository(name, { programs, contents, notKept, memory, limits: limits.checks });
    policies.set(name, found.files);
    checks.push(found.check);
  }
  return policies;
}

/** The image's own bytes of a repository with what its source leaves out beside them, by path in the repository. */
function copyOf(
  name: string,
  contents: ReadonlyMap<string, Buffer>,
  leftOut: ReadonlyMap<string, Buffer> | undefined,
): Map<string, Buffer> {
  const folder = `/repos/${name}/`;
  const own = [...contents].filter(([path]) => path.startsWith(folder));
  // The image has the last word: what is tested is what ships.
  return new Map([...(leftOut ?? []), ...own.map(([path, content]) => [path.slice(folder.length), content] as const)]);
}

function contextOf(
  programs: PolicyPrograms,
  files: ReadonlyMap<string, Buffer>,
  policies: ReadonlyMap<string, readonly PolicyFile[]>,
  copies: ReadonlyMap<string, ReadonlyMap<string, Buffer>>,
): GateContext {
  // A path that the source leaves out of the image is found in the copy, which the volume has.
  const at = (word: string) => {
    const [, name, path] = /^\/repos\/([^/]+)\/(.+)$/.exec(word) ?? [];
    if (path === undefined || isThere(files.keys(), word)) return word;
    return isThere(copies.get(name!)?.keys() ?? [], path) ? volume + word : word;
  };
  return {
    exec: (argv, options) => programs.exec(argv.map(at), options),
    put: (folder, added) => programs.put(folder, added),
    policies: (repository) => policies.get(repository) ?? [],
    files,
    has: (path) => {
      const [, name, inside] = /^\/repos\/([^/]+)\/(.+)$/.exec(path) ?? [];
      return files.has(path) || (inside !== undefined && (copies.get(name!)?.has(inside) ?? false));
    },
  };
}

/** A file of that path, or a folder with files. */
function isThere(paths: Iterable<string>, path: string): boolean {
  const folder = path.endsWith("/") ? path : `${path}/`;
  for (const one of paths) if (one === path || one.startsWith(folder)) return true;
  return false;
}

function sorted<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}
