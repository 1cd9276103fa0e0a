// Inputs of docker.Image as the official plugin normalises them: defaults are written into the inputs, so they are in the state.
import { existsSync } from "node:fs";
import { isAbsolute, join, posix } from "node:path";
import { messageOf } from "../../../lib/errors";
import { parseReference } from "../../../lib/oci/reference";
import {
  type CheckResult,
  containsUnknown,
  type Failure,
  isSecret,
  isValues,
  UNKNOWN,
  unwrapSecrets,
  type Value,
  type Values,
} from "../../../provider/host";
import { contextDigest } from "./contextDigest";

/** Inputs of one image, secrets in clear; what is unknown is absent. */
export interface ImageInputs {
  readonly imageName: string;
  readonly skipPush: boolean;
  readonly buildOnPreview: boolean;
  readonly build: {
    readonly context: string;
    readonly dockerfile: string;
    readonly args: Readonly<Record<string, string>>;
    readonly platform?: string;
    readonly target?: string;
    readonly network?: string;
    readonly addHosts: readonly string[];
    readonly cacheFrom: readonly string[];
  };
  readonly registry: { readonly server?: string; readonly username?: string; readonly password?: string };
}

/** `linux` and this machine's architecture in Go's words, whatever the engine's is. */
const hostPlatform = `linux/${({ x64: "amd64", ia32: "386" } as Record<string, string>)[process.arch] ?? process.arch}`;

/** Fills in defaults and the context's digest, and refuses what could only fail later. `note` takes a line for the user. */
export async function checkImage(news: Values, note: (text: string) => void): Promise<CheckResult> {
  const failures: Failure[] = [];
  const given = plain(news.build);
  const build: Record<string, Value> = isValues(given) ? { ...given } : {};
  const inputs: Record<string, Value> = { ...news };
  if (news.buildOnPreview === undefined || news.buildOnPreview === null) inputs.buildOnPreview = false;

  if (given === undefined || isValues(given)) {
    build.context ??= ".";
    if (build.context !== UNKNOWN) build.dockerfile ??= posix.join(text(build.context) ?? ".", "Dockerfile");
    const context = text(build.context);
    const dockerfile = text(build.dockerfile);
    if (context !== undefined && dockerfile !== undefined) {
      const problem = dockerfileProblem(context, dockerfile);
      if (problem) failures.push({ property: "build.dockerfile", reason: problem });
      else build.contextDigest = await contextDigest(context, dockerfile);
    }
    if (build.platform === undefined || build.platform === null) {
      build.platform = hostPlatform;
      note(
        `Building your image for ${hostPlatform} architecture.\n` +
          "To ensure you are building for the correct platform, consider explicitly setting the `platform` field on ImageBuildOptions.",
      );
    }
    const builder = text(build.builderVersion);
    if (builder !== undefined && builder !== "BuilderBuildKit") {
      failures.push({
        property: "build.builderVersion",
        reason: `${builder} is not served by the closed-network plugin: BuilderBuildKit only`,
      });
    }
    inputs.build = isSecret(news.build) ? { ...news.build, value: build } : build;
  }

  const image = readInputs(inputs);
  // A name for the local store may be short; one that is pushed, or whose cache is pulled, names its registry.
  const names = [
    ...(image.skipPush && image.build.cacheFrom.length === 0 ? [] : [image.imageName]),
    ...image.build.cacheFrom,
  ];
  for (const name of names.filter((name) => name !== "")) {
    try {
      parseReference(name);
    } catch (error) {
      failures.push({ property: name === image.imageName ? "imageName" : "build.cacheFrom", reason: messageOf(error) });
    }
  }
  return { inputs, failures };
}

/** The inputs as values of their types; unknown ones are absent or empty. */
export function readInputs(inputs: Values): ImageInputs {
  const all = unwrapSecrets(inputs);
  const build = isValues(all.build) ? all.build : {};
  const registry = isValues(all.registry) ? all.registry : {};
  const cache = isValues(build.cacheFrom) ? build.cacheFrom.images : undefined;
  const args = isValues(build.args) ? Object.entries(build.args) : [];
  return {
    imageName: text(all.imageName) ?? "",
    skipPush: all.skipPush === true,
    buildOnPreview: all.buildOnPreview === true,
    build: {
      context: text(build.context) ?? ".",
      dockerfile: text(build.dockerfile) ?? "Dockerfile",
      args: Object.fromEntries(args.flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : []))),
      platform: text(build.platform),
      target: text(build.target),
      network: text(build.network),
      addHosts: texts(build.addHosts),
      cacheFrom: texts(cache),
    },
    registry: { server: text(registry.server), username: text(registry.username), password: text(registry.password) },
  };
}

/** True when a build could start: everything that it depends on is known. */
export function isBuildable(inputs: Values): boolean {
  return !containsUnknown(inputs.imageName) && !containsUnknown(inputs.build);
}

function dockerfileProblem(context: string, dockerfile: string): string | undefined {
  if (!existsSync(dockerfile)) {
    if (isAbsolute(dockerfile))
      return `expected a relative Dockerfile path; got ${JSON.stringify(dockerfile)} instead, which does not exist`;
    const below = posix.join(context, dockerfile);
    return `could not open dockerfile at relative path ${JSON.stringify(dockerfile)}${existsSync(below) ? `. Try setting \`dockerfile\` to ${JSON.stringify(below)}` : ""}`;
  }
  const ignore = [`${dockerfile}.dockerignore`, join(context, ".dockerignore")].find((path) => existsSync(path));
  return ignore && `${ignore} is not read by the closed-network plugin: keep only what the build needs in its context`;
}

function plain(value: Value): Value {
  const inner = isSecret(value) ? value.value : value;
  return inner === null ? undefined : inner;
}

function text(value: Value): string | undefined {
  const inner = plain(value);
  return typeof inner === "string" ? inner : undefined;
}

function texts(value: Value): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}
