// docker:index/image:Image: builds and, in the same step, pushes. Read changes nothing and delete does nothing, as in the official plugin.
import { baseFailure } from "../../../lib/base/failure";
import type { RegistryAuth } from "../../../lib/docker/auth";
import { messageOf, PlatformError } from "../../../lib/errors";
import { RegistryClient } from "../../../lib/oci/client";
import type { Digest } from "../../../lib/oci/digest";
import { formatReference, parseReference } from "../../../lib/oci/reference";
import { registryCredentials } from "../../../lib/oci/registryCredentials";
import {
  type Change,
  type DiffResult,
  isValues,
  type ResourceContext,
  type ResourceHandler,
  secret,
  unwrapSecrets,
  type Value,
  type Values,
} from "../../../provider/host";
import { currentEngine } from "./configure";
import { contextTar } from "./contextTar";
import { checkImage, type ImageInputs, isBuildable, readInputs } from "./inputs";

export const image: ResourceHandler = {
  check: (context, _olds, news) => checkImage(news, context.info),
  async diff(_context, _id, oldInputs, oldOutputs, newInputs) {
    const stored = unwrapSecrets(oldOutputs).__inputs;
    return diffImage(isValues(stored) ? stored : unwrapSecrets(oldInputs), unwrapSecrets(newInputs));
  },
  async create(context, inputs) {
    return { id: readInputs(inputs).imageName, outputs: await make(context, inputs) };
  },
  // The id stays the first name that the image had.
  update: (context, _id, _oldInputs, _oldOutputs, newInputs) => make(context, newInputs),
};

/**
 * Whole top-level inputs, as the official plugin compares them. Of `registry` only another server counts: names and
 * passwords change often and change no image.
 */
export function diffImage(before: Values, after: Values): DiffResult {
  const changes: Record<string, Change> = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const old: Value = before[key] ?? undefined;
    const now: Value = after[key] ?? undefined;
    if (equal(old, now)) continue;
    if (old === undefined) changes[key] = "add";
    else if (now === undefined) changes[key] = "delete";
    else if (key !== "registry" || !isValues(old) || !isValues(now)) changes[key] = "update";
    else if (old.server != null && now.server != null && old.server !== now.server) changes[key] = "update";
  }
  return { changes };
}

async function make(context: ResourceContext, inputs: Values): Promise<Values> {
  const wanted = readInputs(inputs);
  if (context.preview) {
    // Without a build the outputs are absent, which the engine takes for unknown.
    if (!wanted.buildOnPreview) return inputs;
    if (!isBuildable(inputs)) {
      context.warn("Minimum inputs for build are unresolved. Continuing without preview image build.");
      return inputs;
    }
  }
  const engine = currentEngine();
  const { signal, progress } = context;
  const { build, imageName, registry } = wanted;
  const auth = registryAuth(context, wanted);
  const packed = await contextTar(build.context, build.dockerfile);
  progress("Starting Docker build");
  const { imageId } = await engine.build({
    contextTar: packed.tar,
    dockerfile: packed.dockerfile,
    tags: [imageName],
    buildArgs: build.args,
    platform: build.platform,
    target: build.target,
    cacheFrom: build.cacheFrom,
    network: build.network,
    extraHosts: build.addHosts,
    auth,
    onStep: progress,
    explain: baseFailure,
    signal,
  });
  const outputs = {
    dockerfile: packed.relativeDockerfile,
    context: build.context,
    baseImageName: imageName,
    registryServer: registry.server ?? "",
    imageName,
    platform: build.platform,
    __inputs: secret(unwrapSecrets(inputs)),
  };
  if (wanted.skipPush || context.preview) {
    // A handle of the engine's store, not a digest of any registry.
    return { ...outputs, repoDigest: (await engine.inspectImage(imageName, signal))?.id ?? imageId };
  }
  progress("Pushing Image to the registry");
  const digest = await engine.push(imageName, { auth, onProgress: progress, signal });
  await compareWithRegistry(context, imageName, digest, auth);
  const { registry: host, path } = parseReference(imageName);
  return { ...outputs, repoDigest: formatReference({ registry: host, path, digest }) };
}

/** The credentials of the `registry` block for its host and no other; the docker config's for every other. */
function registryAuth(context: ResourceContext, { registry, imageName, skipPush }: ImageInputs): RegistryAuth {
  const { server, username, password } = registry;
  const own = server ? hostOf(server) : skipPush ? undefined : parseReference(imageName).registry;
  if (!username !== !password) {
    const [missing, present] = username ? ["password", "username"] : ["username", "password"];
    context.warn(`${missing} was not set, although ${present} was; using host credentials file`);
  }
  return async (host) =>
    username && password && host === own ? { username, password } : registryCredentials().find(host);
}

/** `https://host:port/path` and `host:port/path` name the host `host:port`. */
function hostOf(server: string): string {
  return server.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
}

/** The registry must have what the engine says that it pushed. A registry that only the engine can look into is only warned of. */
async function compareWithRegistry(
  context: ResourceContext,
  imageName: string,
  pushed: Digest,
  auth: RegistryAuth,
): Promise<void> {
  const reference = parseReference(imageName);
  const client = new RegistryClient({ credentials: { find: auth }, signal: context.signal });
  let found: Digest | undefined;
  try {
    found = (await client.resolve(reference, reference.tag ?? "latest"))?.digest;
  } catch (error) {
    context.signal.throwIfAborted();
    return context.warn(
      `pushed ${imageName} as ${pushed}; the registry could not be asked whether it agrees: ${messageOf(error)}`,
    );
  }
  if (found === pushed) return;
  throw new PlatformError("push-failed", {
    what: `the engine pushed ${imageName} as ${pushed}, and the registry ${found ? `has ${found}` : "does not have it"}`,
    rule: "an image is known by the digest that its registry has",
    fix: "run the command again; when it stays so, look at the registry's log",
  });
}

function equal(a: Value, b: Value): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => equal(item, b[index]));
  if (isValues(a) && isValues(b)) {
    return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) =>
      equal(a[key] ?? undefined, b[key] ?? undefined),
    );
  }
  return a === b && typeof a !== "symbol";
}
