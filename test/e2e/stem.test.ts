// A release builds from what the last one has below the policies, and says nothing of it: its screens are those of any release.
import assert from "node:assert/strict";
import { appendFileSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { RegistryClient } from "../../lib/oci/client";
import { type Digest, sha256 } from "../../lib/oci/digest";
import { imageManifest } from "../../lib/oci/imageConfig";
import { parsePinned, parseRepository, type Repository } from "../../lib/oci/reference";
import { createProject, expectSuccess, type Project } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { type ScriptedServer, startScriptedServer } from "../support/scriptedServer";
import { pushTool, smallConfiguration } from "../support/smallStack";

const edited = "policies/security-policy/policies/disallow-latest-tag.yaml";

describe("a release after another one", function () {
  this.timeout(120_000);
  let registry: TestRegistry;
  let proxy: ScriptedServer;
  let project: Project;

  const edit = () => appendFileSync(join(project.dir, edited), "# edited\n");
  const forget = () => rmSync(join(project.dir, ".policy-platform"), { recursive: true });
  /** The Dockerfiles of this checkout. */
  const dockerfiles = () => {
    const folder = join(project.dir, ".policy-platform/context");
    return readdirSync(folder).map((name) => readFileSync(join(folder, name, "Dockerfile"), "utf8"));
  };
  const client = new RegistryClient();
  const releases = () => parseRepository(`${registry.host}/releases/policy-platform`);
  const remove = async (path: string) =>
    assert.equal((await fetch(`http://${registry.host}/v2/${path}`, { method: "DELETE" })).status, 202);
  const raised = (version: string) => version.replace(/\d+$/, (patch) => `${Number(patch) + 1}`);
  const stemIn = (dockerfile: string) =>
    /^FROM (\S+\/releases\/policy-platform@sha256:[0-9a-f]{64})$/m.exec(dockerfile)?.[1];
  /** In a fresh checkout; gives what it was built from, if not from its parts. */
  const up = async () => {
    forget();
    await project.up();
    const [dockerfile, ...others] = dockerfiles();
    assert.deepEqual(others, []);
    return stemIn(dockerfile!);
  };

  before(async () => {
    registry = await startRegistry();
    proxy = await startScriptedServer(() => "forward", { forwardTo: registry.host, keepBodies: false });
    project = await createProject(await smallConfiguration(proxy.host));
    await project.up();
  });
  after(async () => {
    project?.remove();
    await proxy?.stop();
    await registry?.stop();
  });

  it("is composed of its parts where it is the first", () => assert.deepEqual(dockerfiles().map(stemIn), [undefined]));

  it("with a policy edited starts from the last one, and sends its policies and no layer more", async () => {
    edit();
    const asked = proxy.requests.length;
    assert.ok(await up());
    const sent = proxy.requests
      .slice(asked)
      .flatMap(({ method, path }) => (method === "PUT" && path.includes("/uploads/") ? [path.split("/")[2]] : []));
    assert.deepEqual(
      new Set(sent),
      new Set(["candidates", "layers"]),
      "nothing is uploaded to releases: all is mounted",
    );
    assert.equal((await project.outputs()).version, "v1.0.1");
  });

  it("is what it was in the next preview and update, in a fresh checkout too", async () => {
    forget();
    await expectSuccess(project.pulumi("preview", "--expect-no-changes"));
    await expectSuccess(project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes"));
  });

  it("goes back to pins that were released before without a build", async () => {
    const before = (await project.outputs()).image.digest;
    const text = readFileSync(join(project.dir, edited), "utf8");
    project.write(edited, text.replace("# edited\n", ""));
    await project.up();
    project.write(edited, text);
    await project.up();
    assert.equal((await project.outputs()).image.digest, before);
  });

  it("starts from the same image again and again, until a tool is another one", async () => {
    edit();
    const first = await up();
    edit();
    assert.equal(await up(), first);
    const tool = await pushTool(proxy.host, "greet", "1.0.1", "echo greet 1.0.1");
    project.configure((config) => {
      config["policy-platform:tools"] = { greet: tool };
    });
    assert.equal(await up(), undefined);
    edit();
    const next = await up();
    assert.ok(next !== undefined && next !== first);
  });

  it("is built anew, and released, where a red gate was followed by a clean-up of image and start", async () => {
    edit();
    const expecting = (expect: string) =>
      project.configure((config) => {
        config["policy-platform:tools"].greet.smoke.expect = expect;
      });
    expecting("^nothing (\\S+)$");
    forget();
    const red = await project.pulumi("up", "--yes", "--skip-preview");
    assert.notEqual(red.code, 0);
    const stem = stemIn(dockerfiles()[0]!);
    assert.ok(stem, red.stdout);
    const candidates = parseRepository(`${registry.host}/candidates/policy-platform`);
    const built = await Promise.all(
      (await client.tags(candidates)).map(async (tag) => (await client.resolve(candidates, tag))?.digest),
    );
    for (const digest of new Set(built)) await remove(`candidates/policy-platform/manifests/${digest}`);
    await remove(`releases/policy-platform/manifests/${parsePinned(stem).digest}`);
    expecting("^greet (\\S+)$");
    assert.equal(await up(), undefined);
  });

  it("does not start from a release that somebody else pushed with these pins, and that it took as its own", async () => {
    edit();
    await up();
    const { image, version } = await project.outputs();
    const theirs = await pushWithOtherTool(image.digest);
    await client.putManifest(releases(), raised(version), theirs.bytes, theirs.mediaType);
    await project.commit("The same pins at another commit");
    await up();
    assert.equal((await project.outputs()).image.digest, theirs.digest, "taken, as its label says these pins");
    edit();
    await up();
    const { layers } = await imageManifest(client, releases(), (await project.outputs()).image.digest);
    assert.ok(!layers.some(({ digest }) => digest === theirs.layer), "a layer of theirs is in what was built since");
  });

  it("is composed of its parts where that image was cleaned away, and leaves another one", async () => {
    edit();
    const stem = (await up())!;
    const { digest } = parsePinned(stem);
    await remove(`releases/policy-platform/manifests/${digest}`);
    edit();
    assert.equal(await up(), undefined);
    assert.ok(await client.resolve(releases(), digest));
    edit();
    assert.equal(await up(), stem);
  });

  /** The same image with other bytes for its tool, not tagged. */
  async function pushWithOtherTool(digest: Digest) {
    let version = "";
    project.configure((config) => {
      version = config["policy-platform:tools"].greet.version;
    });
    const tool = parsePinned((await pushTool(registry.host, "greet", version, `echo greet ${version} # theirs`)).image);
    const {
      layers: [layer],
      config,
    } = await imageManifest(client, tool, tool.digest);
    const document = async (repository: Repository, of: Digest) =>
      JSON.parse((await client.blob(repository, of, 2 ** 20)).toString());
    const diffId = (await document(tool, config.digest)).rootfs.diff_ids[0];
    const image = await client.manifest(releases(), digest);
    const manifest = JSON.parse(image!.bytes.toString());
    const settings = await document(releases(), manifest.config.digest);
    const at = manifest.layers.length - 3; // below the policies and WORKDIR
    settings.rootfs.diff_ids[at] = diffId;
    manifest.layers[at] = { digest: layer!.digest, mediaType: layer!.mediaType, size: layer!.size };
    const bytes = Buffer.from(JSON.stringify(settings));
    manifest.config = { ...manifest.config, digest: sha256(bytes), size: bytes.length };
    const layerBytes = await client.blob(tool, layer!.digest, 2 ** 20);
    await client.pushBlob(releases(), layer!, { bytes: layerBytes });
    await client.pushBlob(releases(), manifest.config, { bytes });
    const text = Buffer.from(JSON.stringify(manifest));
    return { digest: sha256(text), bytes: text, mediaType: image!.mediaType, layer: layer!.digest };
  }
});
