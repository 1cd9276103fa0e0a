// The program: settings → plan → components → outputs. It composes; every rule is in config/, every decision in lib/.
import * as pulumi from "@pulumi/pulumi";
import { BaseImage } from "./components/baseImage";
import { PlatformImage } from "./components/platformImage";
import { PolicyRepository } from "./components/policyRepository";
import { asRunError, known } from "./components/program";
import { PolicyRegistry } from "./components/registry";
import { Release } from "./components/release";
import { ReleaseGate } from "./components/releaseGate";
import { Tool } from "./components/tool";
import { settingsFromPulumi } from "./config/load";
import { planRelease } from "./lib/plan";
import { mapRecord } from "./lib/record";
import { dropPulumiFrames } from "./lib/stackTraces";

dropPulumiFrames();

export = () => asRunError(program);

async function program() {
  const settings = settingsFromPulumi();
  const { insecure } = settings.registry;
  const plan = await planRelease(settings, {
    stack: pulumi.getStack(),
    projectDir: process.cwd(),
    preview: pulumi.runtime.isDryRun(),
  });
  for (const line of plan.lines) pulumi.log.info(line);

  const { names, address } = new PolicyRegistry("registry", settings.registry);
  const repositories = mapRecord(settings.policies, (source, name) => {
    const args = { ...source, layer: plan.folders[name], as: name, insecure };
    return new PolicyRepository(name, { repository: names.policies(name), ...args }).reference;
  });
  const tools = mapRecord(settings.tools, ({ version, path, image, release, smoke }, name) => {
    const source = image ? { image: image.reference, member: image.member, digest: image.digest } : {};
    const download = release && { ...release, digest: release.digest ?? plan.downloaded[name] };
    const args = { version, path, release: download, mirrors: settings.mirrors, insecure, ...source };
    return { version, ...smoke, reference: new Tool(name, { repository: names.tool(name), ...args }).reference };
  });
  const candidates = names.candidates(settings.image.name);
  const releases = names.releases(settings.image.name);
  const base = new BaseImage("base", settings.base).reference;
  const image = new PlatformImage("image", { candidates, base, tools, repositories, user: settings.image.user });
  const { inputDigest, buildUrn } = image;

  const gate = new ReleaseGate("gate", {
    candidates,
    releases,
    digest: plan.released ?? image.digest,
    built: image.digest,
    inputDigest,
    tools,
    repositories,
    smoke: settings.gate.smoke,
    buildUrn,
    insecure,
  });
  const release = new Release("release", {
    from: candidates,
    to: releases,
    digest: gate.digest,
    inputDigest,
    version: known(plan.version),
    commitTag: known(plan.commitTag),
    buildUrn,
    insecure,
  });

  return {
    registry: address,
    version: known(plan.version),
    image: {
      repository: releases,
      digest: release.digest,
      reference: release.reference,
      tags: release.tags,
      inputDigest,
    },
    gate: gate.result,
    artifacts: {},
    bundles: {},
    clusters: {},
    changes: known(plan.changes),
  };
}
