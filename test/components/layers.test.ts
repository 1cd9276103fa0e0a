import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { BaseImage } from "../../components/baseImage";
import { PolicyRepository } from "../../components/policyRepository";
import { PolicyRegistry } from "../../components/registry";
import { Tool } from "../../components/tool";
import { folderLayerImage } from "../../lib/oci/layer";
import { only, record } from "../support/mocks";
import { unwrap } from "../support/unwrap";

const digest = `sha256:${"a".repeat(64)}`;
const pinned = `registry.example/layers/tools/yq@${digest}`;
const folder = "policies/security-policy";

/** What the plugin answers, in preview too: the digest it was given, or the one it computed. */
const answers = {
  "policychain:index:Manifest": (inputs: Record<string, unknown>) => ({
    digest: inputs.digest ?? digest,
    reference: `${inputs.repository}@${inputs.digest ?? digest}`,
  }),
};

for (const preview of [false, true])
  describe(`the sources of layers${preview ? " in a preview" : ""}`, () => {
    it("a policy folder is pushed as the layer image whose digest its content alone decides", async () => {
      const recorded = await record(preview, answers);
      const repository = new PolicyRepository("security-policy", { repository: "127.0.0.1:5000/layers/x", folder });
      await unwrap(repository.reference);
      const { digest: expected, files } = await folderLayerImage(folder, { at: "/repos/security-policy" });
      assert.deepEqual(only(recorded, "policychain:index:Manifest", "security-policy-layer").inputs, {
        repository: "127.0.0.1:5000/layers/x",
        digest: expected,
        files,
        folder: { path: folder, at: "/repos/security-policy" },
      });
    });

    it("a policy repository given by git is pushed as the layer image that its pin names", async () => {
      const recorded = await record(preview, answers);
      const git = { url: "https://git.example.com/team.git", commit: "0".repeat(40), path: "policies" };
      await unwrap(new PolicyRepository("team", { repository: "127.0.0.1:5000/layers/x", git, digest }).reference);
      assert.deepEqual(only(recorded, "policychain:index:Manifest", "team-layer").inputs, {
        repository: "127.0.0.1:5000/layers/x",
        digest,
        git: { ...git, at: "/repos/team" },
      });
    });

    it("a folder of a foreign image is repacked as the layer image that its pin names", async () => {
      const recorded = await record(preview, answers);
      const args = { repository: "127.0.0.1:5000/layers/x", image: pinned, path: "/repos/x", digest };
      await unwrap(new PolicyRepository("team", args).reference);
      assert.deepEqual(only(recorded, "policychain:index:Manifest", "team-layer").inputs, {
        repository: "127.0.0.1:5000/layers/x",
        digest,
        imageFolder: { reference: pinned, path: "/repos/x", at: "/repos/team" },
      });
    });

    it("a policy repository given by digest pushes nothing", async () => {
      const recorded = await record(preview, answers);
      const repository = new PolicyRepository("team", { repository: "unused.example/x", image: pinned });
      assert.equal(await unwrap(repository.reference), pinned);
      assert.deepEqual(
        recorded.filter(({ type }) => type.includes("Manifest")),
        [],
      );
    });

    it("a tool given as a layer image pushes nothing", async () => {
      const recorded = await record(preview, answers);
      const tool = new Tool("yq", { version: "4.54.1", repository: "127.0.0.1:5000/layers/tools/yq", image: pinned });
      assert.equal(await unwrap(tool.reference), pinned);
      assert.deepEqual(
        recorded.filter(({ type }) => type.includes("Manifest")),
        [],
      );
    });

    it("a tool's release is pushed as a layer image with the binary on the PATH", async () => {
      const recorded = await record(preview, answers);
      const release = {
        url: "https://example.com/yq_linux_amd64.tar.gz",
        sha256: "b".repeat(64),
        digest,
        member: "yq",
      };
      await unwrap(
        new Tool("yq", { version: "4.54.1", repository: "127.0.0.1:5000/layers/tools/yq", release }).reference,
      );
      assert.deepEqual(only(recorded, "policychain:index:Manifest", "yq-layer").inputs, {
        repository: "127.0.0.1:5000/layers/tools/yq",
        digest,
        release: { url: release.url, sha256: release.sha256, member: "yq", at: "/usr/local/bin/yq" },
      });
    });

    it("a base is what its digest says", async () => {
      await record(preview);
      assert.equal(await unwrap(new BaseImage("base", { image: pinned }).reference), pinned);
    });

    it("a registry that allows two levels joins repository names by a dash", async () => {
      await record(preview);
      const { names } = new PolicyRegistry("registry", { address: "docker.io/acme", separator: "-" });
      assert.equal(names.policies("security-policy"), "docker.io/acme/layers-repositories-security-policy");
    });

    it("a registry is spoken to over TLS unless the program says otherwise", async () => {
      await record(preview);
      assert.equal(new PolicyRegistry("a", { address: "registry.example.com" }).insecure, false);
      assert.equal(new PolicyRegistry("b", { address: "registry.example.com", insecure: true }).insecure, true);
    });
  });

describe("a component with no source or with two", () => {
  const both = { repository: "127.0.0.1:5000/layers/x", image: pinned };

  it("is refused with the two keys between which to choose", async () => {
    await record(false);
    assert.throws(() => new PolicyRepository("a", { ...both, folder }), /exactly one of folder, git and image/);
    assert.throws(
      () => new PolicyRepository("b", { repository: "127.0.0.1:5000/layers/x" }),
      /exactly one of folder, git and image/,
    );
    const release = { url: "https://example.com/yq", sha256: "b".repeat(64) };
    assert.throws(() => new Tool("c", { ...both, version: "1.0.0", release }), /exactly one of image and release/);
    assert.throws(
      () => new Tool("d", { repository: "127.0.0.1:5000/layers/x", version: "1.0.0" }),
      pulumi.InputPropertyError,
    );
  });
});

describe("a registry that cannot be meant", () => {
  it("is refused with everything that is wrong with it", async () => {
    await record(false);
    const args = {
      kind: "elsewhere" as "existing",
      address: "http://registry.example.com",
      separator: "_" as "-",
    };
    const refused = (error: unknown) => {
      assert.ok(error instanceof pulumi.InputPropertiesError);
      const reasons = error.errors!.map(({ propertyPath, reason }) => `${propertyPath} ${reason}`);
      assert.deepEqual(reasons, [
        "kind is not one of existing artifactRegistry",
        "separator is not one of / -",
        "address has a scheme: TLS is used, and plain http on loopback or with insecure: true",
      ]);
      return true;
    };
    assert.throws(() => new PolicyRegistry("registry", args), refused);
  });

  it("is refused by the grammar of references, before anything is named after it", async () => {
    await record(false);
    for (const address of ["", "registry", "registry.example.com/", "registry.example.com/Team", "a.example:99999"])
      assert.throws(() => new PolicyRegistry("registry", { address }), pulumi.InputPropertiesError, address);
  });
});
