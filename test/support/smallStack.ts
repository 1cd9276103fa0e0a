// A stack that builds and tests in a second: the prepared base, and tools that are a few lines of shell.
// Everything else is what a user runs: only the tools' size differs.

import { RegistryClient } from "../../lib/oci/client";
import { copyGraph } from "../../lib/oci/copy";
import { layerImage, pushLayerImage } from "../../lib/oci/layer";
import { formatReference, parsePinned, parseRepository } from "../../lib/oci/reference";
import { preparedPins } from "./project";

/** Configuration of one tool as it stands in a stack file. */
export interface ToolPin {
  version: string;
  image: string;
  smoke: { args: string[]; expect: string };
}

/** Pushes `script` as the tool `/usr/local/bin/<name>` and returns its pin; `version` is what the gate is to find. */
export async function pushTool(registry: string, name: string, version: string, script: string): Promise<ToolPin> {
  const content = Buffer.from(`#!/bin/bash\n${script}\n`);
  const path = `/usr/local/bin/${name}`;
  const image = await layerImage([{ path, executable: true, size: content.length, open: () => content }]);
  const repository = parseRepository(`${registry}/layers/tools/${name}`);
  const digest = await pushLayerImage(new RegistryClient(), repository, image);
  return {
    version,
    image: formatReference({ ...repository, digest }),
    smoke: { args: ["--version"], expect: `^${name} (\\S+)$` },
  };
}

/** The whole configuration: base copied to `registry`, tool `greet` 1.0.0, the sample policies. */
export async function smallConfiguration(registry: string): Promise<Record<string, unknown>> {
  const base = parsePinned(preparedPins()["policy-platform:base"].image);
  const to = parseRepository(`${registry}/layers/base`);
  await copyGraph(new RegistryClient(), { from: base, to, digest: base.digest });
  return {
    "policy-platform:registry": { kind: "existing", address: registry },
    "policy-platform:base": { image: formatReference({ ...to, digest: base.digest }) },
    "policy-platform:tools": { greet: await pushTool(registry, "greet", "1.0.0", "echo greet 1.0.0") },
    "policy-platform:policies": { "security-policy": { folder: "policies/security-policy" } },
  };
}
