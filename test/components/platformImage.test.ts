import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { PlatformImage } from "../../components/platformImage";
import { ReleaseGate } from "../../components/releaseGate";
import { only, record } from "../support/mocks";
import { unwrap } from "../support/unwrap";

const hex = (letter: string) => `sha256:${letter.repeat(64)}`;
const built = hex("d");
const args = {
  candidates: "127.0.0.1:5000/candidates/policy-platform",
  base: `127.0.0.1:5000/layers/base@${hex("a")}`,
  tools: { yq: { version: "4.54.1", reference: `127.0.0.1:5000/layers/tools/yq@${hex("b")}` } },
  repositories: { "security-policy": `127.0.0.1:5000/layers/repositories/security-policy@${hex("c")}` },
};
const dockerType = "docker:index/image:Image";
const answers = {
  [dockerType]: (inputs: Record<string, unknown>) => ({
    repoDigest: `${String(inputs.imageName).split(":5000")[0]}:5000/candidates/policy-platform@${built}`,
  }),
  "policychain:index:GateRun": () => ({
    passed: true,
    checks: [{ name: "smoke: yq", status: "passed", detail: "4.54.1" }],
  }),
};

for (const preview of [false, true])
  describe(`the platform image${preview ? " in a preview" : ""}`, () => {
    it("is built from a context that holds the Dockerfile alone and is named by its inputs", async () => {
      const recorded = await record(preview, answers);
      const image = new PlatformImage("image", args);
      const inputDigest = (await unwrap(image.inputDigest))!;
      await unwrap(image.buildUrn); // the inputs are known before the build is declared
      const { inputs } = only(recorded, dockerType, "image-build");
      const build = inputs.build as Record<string, unknown>;
      assert.equal(inputs.imageName, `${args.candidates}:${inputDigest.slice(7, 19)}`);
      assert.match(String(build.context), /^\.policy-platform\/context\/[0-9a-f]{12}$/);
      assert.deepEqual(build, {
        context: build.context,
        dockerfile: `${build.context}/Dockerfile`,
        platform: "linux/amd64",
        builderVersion: "BuilderBuildKit",
        args: { SOURCE_DATE_EPOCH: "0" },
      });
      assert.match(readFileSync(`${build.context}/Dockerfile`, "utf8"), new RegExp(`^FROM ${args.base}$`, "m"));
    });

    it("starts from the stem that is given, without a tool, and stays as it was built where it was built before", async () => {
      const stem = `127.0.0.1:5000/releases/policy-platform@${hex("f")}`;
      const contextOf = async (more: object) => {
        const recorded = await record(preview, answers);
        await unwrap(new PlatformImage("image", { ...args, ...more }).buildUrn);
        return String((only(recorded, dockerType, "image-build").inputs.build as Record<string, unknown>).context);
      };
      const anew = await contextOf({});
      const stemmed = await contextOf({ stem });
      const dockerfile = readFileSync(`${stemmed}/Dockerfile`, "utf8");
      assert.match(dockerfile, new RegExp(`^FROM ${stem}$`, "m"));
      assert.doesNotMatch(dockerfile, /tool-yq|layers\/base/);
      assert.equal(await contextOf({ stem, built: anew }), anew);
      assert.equal(await contextOf({ stem, built: stemmed }), stemmed);
      assert.equal(await contextOf({ stem, built: ".policy-platform/context/000000000000" }), anew);
      assert.equal(await contextOf({ built: stemmed }), anew);
    });

    it("has the same inputs wherever its layers are stored", async () => {
      await record(preview, answers);
      const elsewhere = { ...args, base: args.base.replace("127.0.0.1:5000", "registry.example") };
      assert.equal(
        await unwrap(new PlatformImage("a", elsewhere).inputDigest),
        await unwrap(new PlatformImage("b", args).inputDigest),
      );
    });

    it("is another image for another user", async () => {
      await record(preview, answers);
      const root = new PlatformImage("a", { ...args, user: "0:0" });
      assert.notEqual(await unwrap(root.inputDigest), await unwrap(new PlatformImage("b", args).inputDigest));
    });

    it("passes the gate on the digest that the registry has, with the file lists of its repositories", async () => {
      const recorded = await record(preview, answers);
      const gate = new ReleaseGate("gate", {
        candidates: args.candidates,
        releases: "127.0.0.1:5000/releases/policy-platform",
        digest: built,
        inputDigest: hex("e"),
        tools: { yq: { version: "4.54.1", command: ["yq", "--version"], expect: "v(.*)" } },
        repositories: args.repositories,
      });
      await unwrap(gate.result);
      assert.deepEqual(only(recorded, "policychain:index:GateRun", "gate-run").inputs, {
        candidate: args.candidates,
        release: "127.0.0.1:5000/releases/policy-platform",
        digest: built,
        inputDigest: hex("e"),
        tools: { yq: { version: "4.54.1", command: ["yq", "--version"], expect: "v(.*)" } },
        repositories: {
          "security-policy": { digest: hex("c"), layers: "127.0.0.1:5000/layers/repositories/security-policy" },
        },
        policyTests: "optional",
        environments: [],
        allow: [],
        integration: {},
        size: {},
        limits: {
          smoke: { timeoutSeconds: 60, memoryBytes: 536_870_912, outputBytes: 1_048_576 },
          checks: { timeoutSeconds: 600, memoryBytes: 2_147_483_648, outputBytes: 67_108_864 },
        },
      });
    });
  });

describe("a platform image with an input that is not known yet", () => {
  it("declares its build in the preview without a name, and writes no Dockerfile", async () => {
    await record(true, answers);
    const image = new PlatformImage("image", { ...args, base: pulumi.output(pulumi.unknown as string) });
    assert.equal(await unwrap(image.inputDigest), undefined);
  });
});
