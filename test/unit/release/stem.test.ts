import assert from "node:assert/strict";
import { sha256 } from "../../../lib/oci/digest";
import type { ImageManifest } from "../../../lib/oci/imageConfig";
import { configType, manifestType } from "../../../lib/oci/mediaTypes";
import { parseRepository } from "../../../lib/oci/reference";
import type { Inputs } from "../../../lib/pins/model";
import { builtImage } from "../../../lib/release/built";
import { findStem, stemOf } from "../../../lib/release/stem";
import { labelsFor, MemoryRegistry } from "./memoryRegistry";

const digest = (text: string) => sha256(text);
const pins: Inputs = {
  format: 1,
  base: digest("base"),
  image: { user: "65532:65532" },
  tools: {
    helm: { digest: digest("helm"), version: "3.19.0" },
    yq: { digest: digest("yq"), version: "4.54.1" },
  },
  repositories: { "security-policy": { digest: digest("policies") } },
};
const copied = { created_by: "COPY / / # buildkit" };
/** Base of two layers, two tools, one repository, and the folder that WORKDIR makes. */
const history = [
  { created_by: "a base" },
  { created_by: "ENV A=1", empty_layer: true },
  { created_by: "more of it" },
  copied,
  copied,
  copied,
  { created_by: "ENV HOME=/tmp", empty_layer: true },
  { created_by: "WORKDIR /repos" },
];
const layers = ["base-1", "base-2", "helm", "yq", "policies", "workdir"].map((name) => ({
  mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
  digest: digest(name),
  size: name.length,
}));
const manifest: ImageManifest = {
  kind: "manifest",
  mediaType: manifestType,
  digest: digest("image"),
  config: { mediaType: configType, digest: digest("config"), size: 1 },
  layers,
};
const document = (inputs: Inputs = pins, more: object = {}) => ({
  architecture: "amd64",
  os: "linux",
  created: "1970-01-01T00:00:00Z",
  config: {
    Cmd: ["/bin/bash"],
    Env: ["PATH=/bin", "HOME=/tmp"],
    Labels: { maintainer: "somebody", ...labelsFor(inputs) },
    StopSignal: "SIGINT",
    User: inputs.image.user,
    WorkingDir: "/repos",
  },
  history,
  rootfs: { type: "layers", diff_ids: layers.map(({ digest: layer }) => digest(`unpacked ${layer}`)) },
  ...more,
});
const stemDigest = (inputs: Inputs) => stemOf(manifest, document(inputs))?.stem.digest;

describe("the stem of an image", () => {
  it("has the layers of base and tools, their history, and what the base says of itself", () => {
    const { inputs, stem } = stemOf(manifest, document())!;
    assert.deepEqual(inputs, pins);
    assert.equal(stem.digest, sha256(stem.manifest));
    const { config, layers: kept, ...rest } = JSON.parse(stem.manifest.toString());
    assert.deepEqual(rest, { mediaType: manifestType, schemaVersion: 2 });
    assert.deepEqual(kept, layers.slice(0, 4));
    assert.deepEqual(config, { digest: sha256(stem.config), mediaType: configType, size: stem.config.length });
    assert.deepEqual(JSON.parse(stem.config.toString()), {
      architecture: "amd64",
      config: { Env: ["PATH=/bin", "HOME=/tmp"], Labels: { maintainer: "somebody" }, StopSignal: "SIGINT" },
      created: "1970-01-01T00:00:00Z",
      history: history.slice(0, 5),
      os: "linux",
      rootfs: { diff_ids: document().rootfs.diff_ids.slice(0, 4), type: "layers" },
    });
  });

  it("is the same whatever policies and user the image has, and another one with other layers", () => {
    const other = { ...pins, image: { user: "0:0" }, repositories: { "security-policy": { digest: digest("x") } } };
    assert.equal(stemDigest(other), stemDigest(pins));
    const raised = { ...manifest, layers: layers.with(2, { ...layers[2]!, digest: digest("helm 2") }) };
    assert.notEqual(stemOf(raised, document())!.stem.digest, stemDigest(pins));
  });

  it("ends with the last tool, in the order of the Dockerfile", () => {
    const three = { ...pins, repositories: { ...pins.repositories, a: { digest: digest("a") } } };
    const found = stemOf(manifest, document(three, { history: history.with(2, copied) }));
    assert.equal(JSON.parse(found!.stem.manifest.toString()).layers.length, 3, "two tools above one layer of base");
    assert.equal(stemOf(manifest, document({ ...pins, tools: {} })), undefined, "an image without tools has none");
  });

  for (const name of ["helm", "other", "base"])
    it(`ends below the policies where a repository and a tool have one name, ${name}`, () => {
      const tools = { [name]: pins.tools.helm!, yq: pins.tools.yq! };
      const found = stemOf(manifest, document({ ...pins, tools, repositories: { [name]: { digest: digest("x") } } }));
      assert.deepEqual(JSON.parse(found!.stem.manifest.toString()).layers, layers.slice(0, 4));
    });

  for (const [what, foreign] of Object.entries({
    "without our labels": document(pins, { config: { Labels: { maintainer: "somebody" } } }),
    "without labels": document(pins, { config: {} }),
    "without settings": document(pins, { config: null }),
    "whose label does not match its digest": document(pins, {
      config: { Labels: { ...labelsFor(pins), "dev.policychain.input-digest": digest("other") } },
    }),
    "whose history has another number of layers": document(pins, { history: history.slice(1) }),
    "without a history": document(pins, { history: undefined }),
    "with other layers than it says": document(pins, { rootfs: { type: "layers", diff_ids: [digest("one")] } }),
  }))
    it(`is not made of an image ${what}`, () => assert.equal(stemOf(manifest, foreign as never), undefined));
});

describe("what a build starts from", () => {
  const repository = parseRepository("127.0.0.1:5000/releases/policy-platform");
  const put = (registry: MemoryRegistry, text: string) => registry.put(text);
  /** A registry with one release, and its stem beside it. */
  const released = (withStem = true) => {
    const registry = new MemoryRegistry();
    const config = JSON.stringify(document());
    const described = { mediaType: configType, digest: put(registry, config), size: config.length };
    const image = put(registry, JSON.stringify({ schemaVersion: 2, config: described, layers }));
    const { stem } = stemOf({ ...manifest, config: described }, document())!;
    if (withStem) put(registry, stem.manifest.toString());
    return { registry, stem: stem.digest, last: { repository, digest: image } };
  };
  const edited = { ...pins, repositories: { "security-policy": { digest: digest("edited") } } };
  const search = { repository, inputs: edited, isBuilt: false };

  it("is the stem of what the stack built last, while base and tools are the same", async () => {
    const { registry, last, stem } = released();
    assert.equal(
      await findStem(registry.client(), { ...search, last }),
      `127.0.0.1:5000/releases/policy-platform@${stem}`,
    );
  });

  it("is nothing for another base, another tool, one tool less, or a format that is not the release's", async () => {
    const { registry, last } = released();
    const { yq: _, ...fewer } = pins.tools;
    for (const inputs of [
      { ...edited, base: digest("base 2") },
      { ...edited, tools: { ...pins.tools, yq: { digest: digest("yq 2"), version: "4.54.2" } } },
      { ...edited, tools: fewer },
      { ...edited, format: 2 },
    ])
      assert.equal(await findStem(registry.client(), { ...search, inputs, last }), undefined);
  });

  it("is nothing where the stack built nothing, and where that is gone", async () => {
    const { registry, last } = released();
    assert.equal(await findStem(registry.client(), { ...search, last: undefined }), undefined);
    assert.deepEqual(registry.requests, [], "a stack without a build asks nothing");
    registry.lose(last.digest);
    assert.equal(await findStem(registry.client(), { ...search, last }), undefined);
  });

  it("is nothing where the stem is not there, unless it only tells how the image was built before", async () => {
    const { registry, last, stem } = released(false);
    assert.equal(await findStem(registry.client(), { ...search, last }), undefined);
    const before = await findStem(registry.client(), { ...search, last, isBuilt: true });
    assert.equal(before, `127.0.0.1:5000/releases/policy-platform@${stem}`);
    registry.lose(last.digest);
    const anew = await findStem(registry.client(), { ...search, last, isBuilt: true });
    assert.equal(anew, undefined, "an image that is gone is to be built again, which needs a stem that is there");
  });

  it("is not found out of a registry that refuses to say", async () => {
    const { registry, last } = released();
    registry.refuses = "registry-forbidden";
    await assert.rejects(findStem(registry.client(), { ...search, last }), { code: "registry-forbidden" });
  });
});

describe("the build of an image", () => {
  const image = (imageName: string, more: object = {}) => ({
    type: "docker:index/image:Image",
    outputs: { imageName, ...more },
  });

  it("is read from the state by the repository that it was pushed to, and by nothing else", () => {
    const state = {
      a: image("h/base:1", { context: ".policy-platform/context/aaa" }),
      b: image("h/candidates/x:1", {
        context: ".policy-platform/context/bbb",
        repoDigest: `h/candidates/x@${digest("b")}`,
      }),
      c: { type: "policychain:index:Tag", outputs: { imageName: "h/candidates/y:2", context: "no" } },
      d: image("h/candidates/z:3", { context: 7, repoDigest: "h/candidates/z:3" }),
      e: { type: "docker:index/image:Image" },
    };
    const built = { urn: "b", name: "h/candidates/x:1", digest: digest("b"), context: ".policy-platform/context/bbb" };
    assert.deepEqual(builtImage(state, "h/candidates/x"), built);
    assert.deepEqual(builtImage(state, "h/candidates/z"), { urn: "d", name: "h/candidates/z:3" });
    for (const name of ["h/candidates/y", "h/candidates", "candidates/x"])
      assert.equal(builtImage(state, name), undefined);
    assert.equal(builtImage(undefined, "h/candidates/x"), undefined);
  });
});
