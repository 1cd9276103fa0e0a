// A released image as its registry has it: its pins, its tags, and the files of its policy repositories.
import { PlatformError } from "../errors";
import type { ImageContent } from "../flux/imageArtifact";
import type { RegistryClient } from "../oci/client";
import { type Digest, isDigest } from "../oci/digest";
import { imageLabels } from "../oci/imageConfig";
import { formatReference, parseReference, type Repository } from "../oci/reference";
import { type Inputs, inputsLabel, parseInputs } from "../pins/model";
import { policyReader } from "../promotion/policies";
import { mapRecord, mapRecordAsync } from "../record";
import { versionTags } from "./versions";

export interface ReleasedContent extends ImageContent {
  readonly repository: Repository;
  readonly digest: Digest;
  readonly inputs: Inputs;
  /** The tag that it was named by, or its versions, highest first. */
  readonly tags: readonly string[];
  /** As people name it. */
  readonly shown: string;
}

/** Versions among which that of a digest is looked for. */
const maxVersions = 100;

/**
 * Reads it. `release`: a tag or a digest among the releases, or a full reference; default: the highest version.
 * Errors: `candidate-missing`, `image-foreign`, `image-unreadable`, those of the registry.
 */
export async function releasedContent(
  client: RegistryClient,
  releases: Repository,
  release: string | undefined,
): Promise<ReleasedContent> {
  const { repository, digest, tags } = await find(client, releases, release);
  const shown = formatReference({ ...repository, ...(tags[0] === undefined ? { digest } : { tag: tags[0] }) });
  const label = (await imageLabels(client, repository, digest))[inputsLabel];
  if (label === undefined)
    throw new PlatformError("image-foreign", {
      what: `${shown} has no label ${inputsLabel}`,
      rule: "an image names itself what it was made of",
      fix: "name an image that this program built",
    });
  const inputs = parseInputs(label);
  const read = await policyReader(client, { repository, digest, inputs });
  const repositories = await mapRecordAsync(inputs.repositories, async (_pin, name) => {
    const files = await read(name);
    if (typeof files === "string") throw unreadable(shown, name, files);
    return new Map([...files].map(([path, content]) => [path, Buffer.from(content)]));
  });
  return {
    repository,
    digest,
    inputs,
    tags,
    shown,
    repositories,
    digests: mapRecord(inputs.repositories, (pin) => pin.digest),
    helm: inputs.tools.helm?.digest,
    allow: inputs.artifacts?.allow ?? [],
  };
}

interface Found {
  readonly repository: Repository;
  readonly digest: Digest;
  readonly tags: readonly string[];
}

async function find(client: RegistryClient, releases: Repository, release: string | undefined): Promise<Found> {
  const { repository, name } = placed(releases, release);
  if (name !== undefined && isDigest(name))
    return { repository, digest: name, tags: await versionsOf(client, repository, name) };
  const tag = name ?? versionTags(await client.tags(repository))[0];
  const found = tag === undefined ? undefined : await client.resolve(repository, tag);
  if (tag === undefined || !found)
    throw new PlatformError("candidate-missing", {
      what: `there is no image ${formatReference({ ...repository, ...(tag !== undefined && { tag }) })}`,
      rule: "what is compared was released",
      fix: "name a release that is there, or make one: pulumi up",
    });
  // `latest` and what names a commit are on the image alone, or on both: its version is on both.
  const versions = versionTags([tag]).length > 0 ? [] : await versionsOf(client, repository, found.digest);
  return { repository, digest: found.digest, tags: [tag, ...versions] };
}

function placed(releases: Repository, release: string | undefined): { repository: Repository; name?: string } {
  if (release === undefined) return { repository: releases };
  if (isDigest(release) || /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(release))
    return { repository: releases, name: release };
  const { registry, path, tag, digest } = parseReference(release);
  return { repository: { registry, path }, name: digest ?? tag };
}

async function versionsOf(client: RegistryClient, repository: Repository, digest: Digest): Promise<string[]> {
  const versions = versionTags(await client.tags(repository)).slice(0, maxVersions);
  for (const tag of versions) if ((await client.resolve(repository, tag))?.digest === digest) return [tag];
  return [];
}

function unreadable(shown: string, name: string, why: string): PlatformError {
  return new PlatformError("image-unreadable", {
    what: `the policies of ${name} in ${shown} cannot be read: ${why}`,
    rule: "an image has a layer for each policy repository",
    fix: "release it again with this program",
  });
}
