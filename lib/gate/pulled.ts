// An image that an engine has for as long as somebody looks at it.
import type { RegistryAuth } from "../docker/auth";
import type { DockerEngine } from "../docker/engine";
import { parsePinned } from "../oci/reference";
import { registryCredentials } from "../oci/registryCredentials";
import { GateContainer, type ProgramLimits, removeLeftovers } from "./container";

/** How it is pulled. */
export interface PullOptions {
  /** Credentials for the pull; default: the docker config's. */
  readonly auth?: RegistryAuth;
  readonly signal?: AbortSignal;
  readonly progress?: (text: string) => void;
}

/** What an engine says of an image. */
export type EngineImage = NonNullable<Awaited<ReturnType<DockerEngine["inspectImage"]>>>;

/**
 * Pulls an image by its digest, whatever the engine has, and gives a container of it that is not started yet. Container and
 * image are gone afterwards; an image that was there before stays. Errors: those of the engine and the registry.
 */
export async function withContainer<T>(
  engine: DockerEngine,
  { image, limits }: { readonly image: string; readonly limits: ProgramLimits },
  { auth, signal, progress = () => undefined }: PullOptions,
  use: (container: GateContainer, image: EngineImage) => Promise<T>,
): Promise<T> {
  parsePinned(image);
  await engine.requireEngine(undefined, signal);
  await removeLeftovers(engine, signal);
  // What is only pulled for this goes afterwards. By a digest every tag of it in its repository would go too, so an image
  // that the engine has already is left alone.
  const known = await engine.inspectImage(image, signal);
  progress("pulling the image");
  await engine.pull(image, {
    auth: auth ?? ((host) => registryCredentials().find(host)),
    onProgress: progress,
    signal,
  });
  const found = await engine.inspectImage(image, signal);
  if (!found) throw new Error(`${image} was pulled and is not in the engine's store`);
  const container = new GateContainer(engine, image, limits, signal);
  try {
    return await use(container, found);
  } finally {
    await container.remove();
    if (!known) await engine.removeImage(image);
  }
}
