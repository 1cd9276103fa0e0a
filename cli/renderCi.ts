// policy-platform render ci: the CI file that an application team commits to check its chart with the released image.
import { fromStackFile } from "../config/load";
import { parseSettings } from "../config/parse";
import type { ConsumerRequest, RegistryLogin } from "../lib/ci/checks";
import { type Consumer, renderConsumerCi } from "../lib/ci/render";
import { PlatformError } from "../lib/errors";
import { RegistryClient } from "../lib/oci/client";
import { formatReference, parseReference, parseRepository, type Reference } from "../lib/oci/reference";
import { registryCredentials } from "../lib/oci/registryCredentials";
import { repositoryNames } from "../lib/registry/names";
import { stackClient } from "../lib/registry/stackClient";
import { isVersion, versionTags } from "../lib/release/versions";
import type { Place } from "./place";
import { answer, exitCodes, narrate, type Output } from "./screen";

/** The options as they were typed. */
export interface RenderCiOptions {
  readonly consumer: Consumer;
  readonly image?: string;
  readonly chart: string;
  readonly values?: readonly string[];
  readonly policies: readonly string[];
  readonly environment?: string;
  readonly kubernetes?: string;
  readonly ruleset: string;
  readonly registryLogin?: RegistryLogin;
}

/** `place` is asked for only where no image is named. */
export async function renderCi(options: RenderCiOptions, place: () => Place, output: Output): Promise<number> {
  const { consumer, chart, values = [], policies, environment, kubernetes, ruleset } = options;
  const found = options.image === undefined ? await lastRelease(place()) : await namedImage(options.image);
  const isLoopback = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:|$)/.test(found.image.registry);
  if (isLoopback) narrate("doing", `${found.image.registry} is reached from this machine alone, not by a CI host`);
  const request: ConsumerRequest = {
    ...found,
    ...{ chart, values, policies, ruleset },
    ...(environment === undefined ? {} : { environment }),
    ...(kubernetes === undefined ? {} : { kubernetes }),
    registryLogin: options.registryLogin ?? (isLoopback ? "none" : "password"),
  };
  const content = renderConsumerCi(consumer, request);
  const image = formatReference(found.image);
  answer(output, { consumer, image, version: found.version ?? null, content }, [content.trimEnd()]);
  narrate("done", `a file for ${consumer}, with ${found.version ?? "an image"} ${found.image.digest}`);
  return exitCodes.ok;
}

type Found = Pick<ConsumerRequest, "image" | "version" | "named">;

/** What the stack's highest version names. */
async function lastRelease({ stack, projectDir, stackFile }: Place): Promise<Found> {
  const settings = parseSettings(fromStackFile(stackFile, stack).raw, { stack, projectDir });
  const name = repositoryNames(settings.registry).releases(settings.image.name);
  const repository = parseRepository(name);
  narrate("doing", `reading ${name}`);
  const client = stackClient(settings.registry);
  const [version] = versionTags(await client.tags(repository));
  const release = version && (await client.resolve(repository, version));
  if (!release) {
    throw new PlatformError("release-missing", {
      what: `${name} holds no version`,
      rule: "the file names the image of a release",
      fix: `release first (pulumi up --stack ${stack}), or name an image with --image`,
    });
  }
  return { image: { ...repository, digest: release.digest }, version };
}

/** An image by digest needs no registry; a tag is looked up. */
async function namedImage(text: string): Promise<Found> {
  const { registry, path, tag, digest } = parseReference(text);
  const version = tag !== undefined && isVersion(tag) ? { version: tag } : {};
  if (digest !== undefined) return { image: { registry, path, digest }, named: text, ...version };
  const wanted: Reference = { registry, path, tag: tag ?? "latest" };
  const found = await new RegistryClient({ credentials: registryCredentials() }).resolve(
    { registry, path },
    wanted.tag!,
  );
  if (!found) {
    throw new PlatformError("release-missing", {
      what: `there is no image ${formatReference(wanted)}`,
      rule: "the file names an image that is there, by its digest",
      fix: "check --image",
    });
  }
  narrate("doing", `${formatReference(wanted)} is ${found.digest}`);
  return { image: { registry, path, digest: found.digest }, named: text, ...version };
}
