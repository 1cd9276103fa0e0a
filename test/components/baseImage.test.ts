import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { BaseImage } from "../../components/baseImage";
import { asBuilt } from "../../components/program";
import type { FoundBase } from "../../lib/base/find";
import { baseKey } from "../../lib/base/packages";
import { renderBase } from "../../lib/dockerfile/renderBase";
import { sha256 } from "../../lib/oci/digest";
import { only, record } from "../support/mocks";
import { unwrap } from "../support/unwrap";

const image = `registry.example/layers/debian@sha256:${"a".repeat(64)}`;
const repository = "127.0.0.1:5000/layers/base";
const packages = { apt: { hello: "2.10-3" } };
const digest = sha256("built");
const type = "docker:index/image:Image";

/** A registry that the build was pushed to; in a preview of a new build the digest is unknown. */
const pushed = { [type]: () => ({ repoDigest: `${repository}@${digest}` }) };
const found: FoundBase = { name: `${repository}:key`, build: true, user: "", lines: [] };

describe("the component of a base", () => {
  const home = process.cwd();
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), "base-image-"));
    process.chdir(dir); // the build context is written below the project
  });
  after(() => {
    process.chdir(home);
    rmSync(dir, { recursive: true });
  });

  for (const preview of [false, true])
    describe(preview ? "in a preview" : "in an update", () => {
      it("without packages is the image itself, and builds nothing", async () => {
        const recorded = await record(preview, pushed);
        assert.equal(await unwrap(new BaseImage("base", { image, repository }).reference), image);
        assert.deepEqual(
          recorded.filter((one) => one.type === type),
          [],
        );
      });

      it("with packages is built under the key of its pins, with the engine's own network", async () => {
        const recorded = await record(preview, pushed);
        const base = new BaseImage("base", { image, packages, repository, user: "nonroot" });
        assert.equal(await unwrap(base.reference), `${repository}@${digest}`);
        const { imageName, build } = only(recorded, type, "base-build").inputs as {
          imageName: string;
          build: Record<string, string>;
        };
        assert.equal(imageName, `${repository}:${baseKey({ image, packages })}`);
        const { context, dockerfile, ...rest } = build;
        assert.deepEqual(rest, { platform: "linux/amd64", builderVersion: "BuilderBuildKit", network: "host" });
        assert.equal(dockerfile, `${context}/Dockerfile`);
        assert.equal(readFileSync(dockerfile!, "utf8"), renderBase({ image, packages }, "nonroot"));
      });

      it("that another stack has built is taken by its digest, and builds nothing", async () => {
        const recorded = await record(preview, pushed);
        const other = sha256("another");
        const base = new BaseImage("base", { image, packages, repository, digest: other, build: false });
        assert.equal(await unwrap(base.reference), `${repository}@${other}`);
        assert.deepEqual(
          recorded.filter((one) => one.type === type),
          [],
        );
      });
    });

  it("is unknown in a preview as long as its build is, and then the plan knows of no digest", async () => {
    await record(true, { [type]: () => ({ repoDigest: undefined }) });
    const base = new BaseImage("base", { image, packages, repository });
    assert.equal(await unwrap(base.reference), undefined);
    assert.deepEqual(await asBuilt(found, base.reference), found);
  });

  it("is handed to the plan with the digest of its build", async () => {
    await record(false, pushed);
    const base = new BaseImage("base", { image, packages, repository });
    assert.deepEqual(await asBuilt(found, base.reference), { ...found, digest });
    assert.equal(await asBuilt(undefined, pulumi.output(image)), undefined, "a base without packages needs none");
  });

  it("that is built again in a preview is known no more, whatever it was before", async () => {
    await record(true, { [type]: () => ({ repoDigest: undefined }) });
    const base = new BaseImage("base", { image, packages, repository, digest });
    assert.deepEqual(await asBuilt({ ...found, digest }, base.reference), found);
  });

  it("with packages needs a repository, and a digest where nothing is built", async () => {
    await record(false, pushed);
    assert.throws(() => new BaseImage("a", { image, packages }), /needed with packages/);
    assert.throws(() => new BaseImage("b", { image, packages, repository, build: false }), /where nothing is built/);
  });
});
