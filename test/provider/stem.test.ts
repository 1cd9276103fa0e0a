// The stem of a release on a real engine and a real registry: what is built from it is, byte for byte, what is built without it.
import assert from "node:assert/strict";
import { render, sourceDateEpoch } from "../../lib/dockerfile/render";
import { RegistryClient } from "../../lib/oci/client";
import { copyGraph } from "../../lib/oci/copy";
import { type Digest, sha256 } from "../../lib/oci/digest";
import { layerImage } from "../../lib/oci/layer";
import { configType, manifestType } from "../../lib/oci/mediaTypes";
import { parsePinned, parseRepository } from "../../lib/oci/reference";
import type { Inputs } from "../../lib/pins/model";
import { findStem, leaveStem } from "../../lib/release/stem";
import {
  dockerfileContext,
  pushFiles,
  shellFiles,
  startDockerEngine,
  type TestEngine,
  textFile,
} from "../support/dockerEngine";
import { startRegistry, type TestRegistry } from "../support/registry";
import { type ScriptedServer, startScriptedServer } from "../support/scriptedServer";

describe("the stem of a release", function () {
  this.timeout(120_000);
  const client = new RegistryClient();
  let registry: TestRegistry;
  let proxy: ScriptedServer;
  let docker: TestEngine;
  let base: Digest;
  const tools: Record<string, { digest: Digest; version: string }> = {};

  const at = (path: string) => parseRepository(`${proxy.host}/${path}`);
  const releases = () => at("releases/policy-platform");
  const addresses = () => ({
    base: `${proxy.host}/layers/base`,
    tools: { greet: `${proxy.host}/layers/tools/greet`, yq: `${proxy.host}/layers/tools/yq` },
    repositories: {
      one: `${proxy.host}/layers/repositories/one`,
      two: `${proxy.host}/layers/repositories/two`,
      yq: `${proxy.host}/layers/repositories/yq`,
    },
  });
  const repository = async (name: "one" | "two" | "yq", text: string, file = "a") => {
    const pushed = await pushFiles(client, addresses().repositories[name], [
      textFile(`/repos/${name}/policies/${file}.yaml`, text),
    ]);
    return { digest: parsePinned(pushed).digest };
  };
  const pins = async (text: string, more: Partial<Inputs> = {}): Promise<Inputs> => ({
    format: 1,
    base,
    image: { user: "65532:65532" },
    tools,
    repositories: { one: await repository("one", text), two: await repository("two", "second\n") },
    ...more,
  });
  /** On an engine that has forgotten everything. */
  const build = async (dockerfile: string): Promise<Digest> => {
    const reference = `${proxy.host}/candidates/policy-platform:build`;
    const contextTar = dockerfileContext([dockerfile.trimEnd()]);
    await docker.engine.build({ contextTar, tags: [reference], buildArgs: { SOURCE_DATE_EPOCH: sourceDateEpoch } });
    const digest = await docker.engine.push(reference);
    await docker.engine.removeImage(reference);
    await docker.engine.pruneBuildCache();
    return digest;
  };
  const release = async (inputs: Inputs) => {
    const digest = await build(render(inputs, addresses()));
    await copyGraph(client, { from: at("candidates/policy-platform"), to: releases(), digest });
    await leaveStem(client, releases(), digest);
    return { repository: releases(), digest };
  };

  before(async () => {
    [registry, docker] = await Promise.all([startRegistry(), startDockerEngine({ own: true })]);
    proxy = await startScriptedServer(() => "forward", { forwardTo: registry.host, keepBodies: false });
    base = await pushBase();
    for (const name of ["greet", "yq"] as const) {
      const file = textFile(`/usr/local/bin/${name}`, `#!/bin/bash\necho ${name} 1.0.0\n`, true);
      tools[name] = {
        digest: parsePinned(await pushFiles(client, addresses().tools[name], [file])).digest,
        version: "1.0.0",
      };
    }
  });
  after(async () => {
    await docker?.stop();
    await proxy?.stop();
    await registry?.stop();
  });

  it("gives the very image that a build of all its parts gives, and reads no tool and no base for it", async () => {
    const last = await release(await pins("first\n"));
    const edited = await pins("edited\n", { image: { user: "0:0" }, artifacts: { environments: ["dev"] } });
    const stem = await findStem(client, { repository: releases(), last, inputs: edited, isBuilt: false });
    assert.ok(stem);
    const whole = await build(render(edited, addresses()));
    const asked = proxy.requests.length;
    assert.equal(await build(render(edited, addresses(), stem)), whole);
    const others = proxy.requests.slice(asked).filter(({ path }) => /^\/v2\/layers\/(?!repositories\/)/.test(path));
    assert.deepEqual(others, []);
  });

  it("holds no policy that was deleted, of a repository with a tool's name either", async () => {
    const first = await pins("", { repositories: { yq: await repository("yq", "first\n", "deleted") } });
    const edited = await pins("", { repositories: { yq: await repository("yq", "second\n") } });
    const last = await release(first);
    const stem = await findStem(client, { repository: releases(), last, inputs: edited, isBuilt: false });
    assert.ok(stem);
    const whole = await build(render(edited, addresses()));
    assert.equal(await build(render(edited, addresses(), stem)), whole);
  });

  it("is one and the same for all releases of its base and tools, and is sent once: two documents, no layer", async () => {
    const first = await release(await pins("first\n"));
    const before = proxy.requests.length;
    const second = await release(await pins("third\n", { image: { user: "0:0" } }));
    const uploads = proxy.requests
      .slice(before)
      .filter(({ method, path }) => method === "PUT" && path.includes("/releases/"));
    assert.equal(uploads.filter(({ path }) => path.includes("/manifests/")).length, 1, "the release itself");
    const search = { repository: releases(), inputs: await pins("fourth\n"), isBuilt: false };
    assert.equal(
      await findStem(client, { ...search, last: first }),
      await findStem(client, { ...search, last: second }),
    );
  });

  /** With settings of its own, of each kind that the Dockerfile sets as well. */
  async function pushBase(): Promise<Digest> {
    const { layer, open } = await layerImage(shellFiles());
    const place = at("layers/base");
    await client.pushBlob(place, layer, { stream: async () => ({ size: layer.size, stream: open() }) });
    const config = Buffer.from(
      JSON.stringify({
        architecture: "amd64",
        config: {
          Cmd: ["/bin/sh"],
          Entrypoint: ["/bin/false"],
          Env: ["PATH=/usr/local/bin:/bin", "HOME=/root", "LAST=1"],
          Labels: { maintainer: "somebody", "dev.policychain.inputs": "{}" },
          StopSignal: "SIGINT",
          User: "nobody",
          WorkingDir: "/srv",
        },
        history: [{ created_by: "COPY / / # somebody's" }, { created_by: "LABEL", empty_layer: true }],
        os: "linux",
        rootfs: { diff_ids: [layer.digest], type: "layers" },
      }),
    );
    await client.pushBlob(place, { digest: sha256(config), size: config.length }, { bytes: config });
    const descriptor = { digest: sha256(config), mediaType: configType, size: config.length };
    const layers = [{ ...layer, mediaType: "application/vnd.oci.image.layer.v1.tar" }];
    const manifest = JSON.stringify({ config: descriptor, layers, mediaType: manifestType, schemaVersion: 2 });
    return client.putManifest(place, sha256(manifest), Buffer.from(manifest), manifestType);
  }
});
