// A stack that builds: settings → plan → components → outputs. It composes; every rule is in config/, every decision in lib/.
import * as pulumi from "@pulumi/pulumi";
import { BaseImage } from "../components/baseImage";
import { PlatformImage } from "../components/platformImage";
import { PolicyRepository } from "../components/policyRepository";
import { asBuilt, known, stateOf } from "../components/program";
import type { PolicyRegistry } from "../components/registry";
import { Release } from "../components/release";
import { ReleaseGate } from "../components/releaseGate";
import { Tool } from "../components/tool";
import type { BuildSettings } from "../config/settings";
import { findStackBase } from "../lib/base/find";
import type { Digest } from "../lib/oci/digest";
import type { ArtifactPlan } from "../lib/plan/artifacts";
import { planRelease } from "../lib/plan/plan";
import { mapRecord } from "../lib/record";
import { artifactOutputs } from "./artifacts";
import { clusterOutputs } from "./clusterOutputs";
import { ownRegistry } from "./ownRegistry";
import type { StackPlace } from "./place";

/** The outputs of the stack. */
export async function release(settings: BuildSettings, registry: PolicyRegistry, place: StackPlace) {
  const { names, address, insecure } = registry;
  const own = await ownRegistry(settings.registry, registry, place);
  let resources: Promise<unknown> | undefined;
  const state = () => (resources ??= stateOf());
  const found = await findStackBase(own.client, settings, state);
  const base = new BaseImage("base", { ...settings.base, repository: names.base(), ...found }).reference;
  const plan = await planRelease(own.client, settings, { ...place, state, base: await asBuilt(found, base) });
  for (const line of [...own.lines(), ...(found?.lines ?? []), ...plan.lines]) pulumi.log.info(line);

  const candidates = names.candidates(settings.image.name);
  const releases = names.releases(settings.image.name);
  const repositories = mapRecord(settings.policies, (source, name) => {
    const args = { ...source, digest: plan.fetched[name], layer: plan.folders[name], as: name, insecure };
    return new PolicyRepository(name, { repository: names.policies(name), ...args }).reference;
  });
  const tools = mapRecord(settings.tools, ({ image, release, version, path }, name) => {
    const source = { image: image?.reference, member: image?.member, digest: image?.digest };
    const download = release && { ...release, digest: release.digest ?? plan.downloaded[name] };
    const args = { version, path, ...source, release: download, mirrors: settings.mirrors, insecure };
    return { version, reference: new Tool(name, { repository: names.tool(name), ...args }).reference };
  });
  const { environments, allow } = settings.artifacts;
  const { user } = settings.image;
  const contents = { base, tools, repositories, user, environments, allow, bundles: settings.bundles };
  const image = new PlatformImage("image", { candidates, ...contents, stem: plan.stem, built: plan.built });
  const inputDigest = plan.inputDigest ?? image.inputDigest;
  const subject = { inputDigest, buildUrn: image.buildUrn, insecure };
  const gate = new ReleaseGate("gate", {
    ...subject,
    candidates,
    releases,
    digest: plan.released ?? image.digest,
    repositories,
    tools: mapRecord(settings.tools, ({ version, smoke }) => ({ ...smoke, version, command: [...smoke.command] })),
    tests: plan.tests,
    environments,
    allow,
    announced: announcedIn(plan.artifacts?.artifacts ?? {}),
    ...settings.gate,
    built: image.digest,
  });
  const released = new Release("release", {
    ...subject,
    source: candidates,
    to: known(own.unread.size === 0 ? releases : undefined),
    digest: gate.digest,
    version: known(plan.version),
    commitTag: known(plan.commitTag),
    artifacts: Object.fromEntries(
      environments.map((environment) => {
        const repository = known(own.unread.size === 0 ? names.artifacts(environment) : undefined);
        // What the plan knows shows in a preview; what the gate has seen is published, or nothing is.
        const planned = plan.artifacts?.artifacts[environment];
        const seen = (part: "digest" | "revision") =>
          gate.artifacts.apply((all) => all?.[environment]?.[part]) as pulumi.Output<string>;
        const made = {
          ...planned,
          digest: planned?.digest ?? seen("digest"),
          gated: seen("digest"),
          revision: planned?.revision ?? seen("revision"),
          helm: settings.tools.helm?.smoke.command[0],
          kyverno: settings.tools.kyverno?.version,
        };
        return [environment, { repository, made: { environment, repositories, ...made, allow } }];
      }),
    ),
  });
  const { digest, reference, tags } = released;
  const documents = async (environment: string, its: Digest) =>
    plan.artifacts?.artifacts[environment]?.digest === its ? plan.artifacts.documents(environment) : undefined;
  return {
    registry: address,
    version: known(plan.version),
    image: { repository: releases, digest, reference, tags, inputDigest },
    gate: gate.result,
    artifacts: artifactOutputs(released.artifacts, names.artifacts),
    bundles: {},
    clusters: await clusterOutputs(settings, { released, own, home: names.artifacts, documents }),
    changes: known(plan.changes),
  };
}

/** Digests of the artifacts that are known before the gate has run, by environment. */
function announcedIn(artifacts: ArtifactPlan["artifacts"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(artifacts).flatMap(([name, { digest }]) => (digest ? [[name, digest]] : [])),
  );
}
