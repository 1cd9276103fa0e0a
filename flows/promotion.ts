// A stack that promotes: takes the release of another stack by digest, as it is. It builds nothing and tests nothing again.
import * as pulumi from "@pulumi/pulumi";
import { known, outputsOf, stateOf } from "../components/program";
import type { PolicyRegistry } from "../components/registry";
import { Release, ReleaseSource } from "../components/release";
import type { PromotionSettings } from "../config/settings";
import { sourceStack } from "../config/sourceStack";
import type { RegistryClient } from "../lib/oci/client";
import type { Digest } from "../lib/oci/digest";
import { parseRepository } from "../lib/oci/reference";
import { type PromotionPlan, planPromotion } from "../lib/plan/promotion";
import { sourceUnreadable, sourceWarnings } from "../lib/promotion/source";
import { mapRecord } from "../lib/record";
import { leftLayers } from "../lib/registry/created";
import type { RepositoryNames } from "../lib/registry/names";
import { artifactOutputs } from "./artifacts";
import { clusterOutputs } from "./clusterOutputs";
import { ownRegistry } from "./ownRegistry";
import type { StackPlace } from "./place";

/** The outputs of the stack, of the same shape as those of one that builds. */
export async function promotion(settings: PromotionSettings, registry: PolicyRegistry, place: StackPlace) {
  const { stack } = place;
  const { names, address, insecure } = registry;
  const own = await ownRegistry(settings.registry, registry, place);
  const { from, version, digest, stack: source } = settings.promotion;
  const resources = stateOf();
  const [plan, warnings, left] = await Promise.all([
    planPromotion(own.client, settings, {
      stack,
      source: () => sourceStack(settings.promotion, place),
      state: () => resources,
    }),
    source === undefined ? [] : crossCheck(source, { version, digest, stack }),
    resources.then((its) => leftLayers(settings.registry, its, stack)),
  ]);
  for (const line of [...own.lines(), ...plan.lines]) pulumi.log.info(line);
  for (const line of [...left, ...warnings]) pulumi.log.warn(line);

  const releases = names.releases(settings.image.name);
  const { inputDigest, commitTag, changes } = plan;
  const released = new Release("release", {
    from: ReleaseSource.release,
    source: from,
    to: known(own.unread.size === 0 ? releases : undefined),
    digest,
    inputDigest,
    version,
    commitTag,
    insecure,
    artifacts: mapRecord(plan.artifacts, (taken, environment) => ({
      repository: known(own.unread.size === 0 ? names.artifacts(environment) : undefined),
      taken,
    })),
  });
  const { reference, tags } = released;
  return {
    registry: address,
    version,
    image: { repository: releases, digest: released.digest, reference, tags, inputDigest },
    gate: released.digest.apply((its) => ({ digest: its, passed: true, checks: [releasedThere(from, version)] })),
    artifacts: artifactOutputs(released.artifacts, names.artifacts),
    bundles: {},
    clusters: await clusterOutputs(settings, {
      released,
      own,
      home: names.artifacts,
      documents: (environment, its) => takenDocuments(own.client, plan.artifacts, { environment, digest: its, names }),
    }),
    changes,
  };
}

/** Of an artifact that is yet to be copied: what it holds where it comes from. */
async function takenDocuments(
  client: RegistryClient,
  taken: PromotionPlan["artifacts"],
  { environment, digest, names }: { environment: string; digest: Digest; names: RepositoryNames },
) {
  const isHere = await client.resolve(parseRepository(names.artifacts(environment)), digest);
  if (isHere) return undefined;
  const { readArtifact } = await import("../lib/flux/read"); // not for a stack without clusters
  return (await readArtifact(client, parseRepository(taken[environment]!.source), digest)).documents;
}

/** The gate of a promotion: the release that it takes was tested before it got its version. */
function releasedThere(from: string, version: string) {
  return { name: "released", status: "passed", detail: `${version} of ${from}, which no untested image gets` };
}

async function crossCheck(name: string, promoted: { version: string; digest: `sha256:${string}`; stack: string }) {
  const outputs = await outputsOf(name).catch((error: Error) => {
    throw sourceUnreadable(name, promoted.stack, error.message.split("\n")[0]!);
  });
  return sourceWarnings(outputs, { name, ...promoted });
}
