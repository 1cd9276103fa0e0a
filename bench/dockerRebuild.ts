// Rebuilds one platform image with every cache of the engine emptied in between, then on an engine that has never built
// anything, and compares the digests that the registry gives. Also prints how many bytes the image unpacks to, against the
// bytes that went in. Needs root and the engine's programs (npm run local); touches no engine that is already there.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createGunzip } from "node:zlib";
import type { DockerEngine } from "../lib/docker/engine";
import { render, sourceDateEpoch } from "../lib/dockerfile/render";
import { RegistryClient } from "../lib/oci/client";
import type { Digest } from "../lib/oci/digest";
import { imageManifest } from "../lib/oci/imageConfig";
import { parsePinned, parseReference } from "../lib/oci/reference";
import type { Inputs } from "../lib/pins/model";
import { dockerfileContext, pushFiles, shellFiles, startDockerEngine, textFile } from "../test/support/dockerEngine";
import { startRegistry } from "../test/support/registry";

const rounds = 5;

/** Bytes that do not compress, the same in each run. */
function noise(name: string, megabytes: number): Buffer {
  const blocks = Array.from({ length: megabytes * 16_384 }, (_, index) =>
    createHash("sha512").update(`${name}${index}`).digest(),
  );
  return Buffer.concat(blocks);
}

async function main(): Promise<void> {
  const registry = await startRegistry({ onDisk: true });
  const client = new RegistryClient();
  const files = {
    base: [...shellFiles(), textFile("/usr/share/base", noise("base", 20))],
    "tools/yq": [textFile("/usr/local/bin/yq", noise("yq", 14), true)],
    "tools/kyverno": [textFile("/usr/local/bin/kyverno", noise("kyverno", 40), true)],
    "repositories/security-policy": ["a", "b", "c"].map((name) =>
      textFile(`/repos/security-policy/policies/${name}.yaml`, `kind: ${name}\n`),
    ),
  };
  const given = Object.values(files)
    .flat()
    .reduce((sum, { size }) => sum + size, 0);
  const pinned: Record<string, Digest> = {};
  for (const [name, entries] of Object.entries(files)) {
    pinned[name] = parsePinned(await pushFiles(client, `${registry.host}/layers/${name}`, entries)).digest;
  }
  const inputs: Inputs = {
    base: pinned.base!,
    format: 1,
    image: { user: "65532:65532" },
    repositories: { "security-policy": { digest: pinned["repositories/security-policy"]! } },
    tools: {
      kyverno: { digest: pinned["tools/kyverno"]!, version: "1.13.2" },
      yq: { digest: pinned["tools/yq"]!, version: "4.54.1" },
    },
  };
  const at = (path: string) => `${registry.host}/layers/${path}`;
  const dockerfile = render(inputs, {
    base: at("base"),
    repositories: { "security-policy": at("repositories/security-policy") },
    tools: { kyverno: at("tools/kyverno"), yq: at("tools/yq") },
  });
  const reference = `${registry.host}/candidates/policy-platform:bench`;
  const digests: Digest[] = [];
  const build = async (engine: DockerEngine, what: string) => {
    const start = Date.now();
    await engine.build({
      contextTar: dockerfileContext([dockerfile.trimEnd()]),
      tags: [reference],
      buildArgs: { SOURCE_DATE_EPOCH: sourceDateEpoch },
      platform: "linux/amd64",
    });
    const digest = await engine.push(reference);
    digests.push(digest);
    console.log(`${what}: ${digest} in ${((Date.now() - start) / 1000).toFixed(1)} s`);
    await engine.removeImage(reference);
    await engine.pruneBuildCache();
  };

  try {
    for (const engines of [rounds, 1]) {
      const { engine, stop } = await startDockerEngine({ own: true });
      try {
        for (let round = 1; round <= engines; round++) {
          await build(engine, engines === 1 ? "new data root" : `rebuild ${round} of ${rounds}, caches pruned`);
        }
      } finally {
        await stop();
      }
    }
    const { registry: host, path } = parseReference(reference);
    let unpacked = 0;
    for (const layer of (await imageManifest(client, { registry: host, path }, digests[0]!)).layers) {
      const { stream } = await client.blobStream({ registry: host, path }, layer.digest);
      for await (const chunk of layer.mediaType.endsWith("gzip") ? stream.pipe(createGunzip()) : stream)
        unpacked += chunk.length;
    }
    console.log(`same digest ${digests.filter((digest) => digest === digests[0]).length} of ${digests.length}`);
    console.log(`bytes unpacked / bytes given: ${unpacked} / ${given} = ${(unpacked / given).toFixed(3)}`);
    assert.equal(new Set(digests).size, 1, "the image is not reproducible");
    assert.ok(unpacked <= given * 1.02, "the image unpacks to more than went in");
  } finally {
    await registry.stop();
  }
}

void main();
