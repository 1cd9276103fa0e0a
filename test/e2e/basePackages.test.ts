// A base with packages through the whole program: built once by the real engine from the mirror that this machine's apt uses,
// found again by every stack, and refused where it cannot be had.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { baseKey } from "../../lib/base/packages";
import { childEnvironment } from "../../lib/exec";
import { RegistryClient } from "../../lib/oci/client";
import { sha256 } from "../../lib/oci/digest";
import { containerSettings } from "../../lib/oci/imageConfig";
import { readManifest } from "../../lib/oci/manifest";
import { manifestType } from "../../lib/oci/mediaTypes";
import { parseRepository } from "../../lib/oci/reference";
import { inputsLabel } from "../../lib/pins/model";
import { repair } from "../../lib/repair";
import { offeredVersions, pushAptBase } from "../support/aptBase";
import { pushFiles, shellFiles } from "../support/dockerEngine";
import { golden } from "../support/golden";
import { killProcesses, processesOf } from "../support/processes";
import { createProject, expectSuccess, type Project } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { runImage } from "../support/runImage";
import { screen } from "../support/screen";
import { smallConfiguration } from "../support/smallStack";

describe("a base with packages", function () {
  this.timeout(180_000);
  const client = new RegistryClient();
  let hello: string;
  let tree: string;
  let both: { hello: string; tree: string };
  let registry: TestRegistry;
  let image: string;
  let configuration: Record<string, unknown>;
  let project: Project;
  const projects: Project[] = [];

  const bases = () => parseRepository(`${registry.host}/layers/base`);
  const keyOf = (apt: Record<string, string>) => baseKey({ image, packages: { apt } });
  const pinned = (apt: Record<string, string>) => ({
    ...configuration,
    "policy-platform:base": { image, packages: { apt } },
  });
  const create = async (config: Record<string, unknown>) => {
    const made = await createProject(config);
    projects.push(made);
    return made;
  };
  const pin = (apt: Record<string, string>) =>
    project.configure((config) => {
      config["policy-platform:base"] = { image, packages: { apt } };
    });
  const built = async (apt: Record<string, string> = both) => (await client.resolve(bases(), keyOf(apt)))?.digest;
  const baseOf = async (digest: string) => {
    const releases = parseRepository(`${registry.host}/releases/policy-platform`);
    const { labels } = await containerSettings(client, releases, digest as never);
    return JSON.parse(labels[inputsLabel]!).base;
  };
  const up = ["up", "--yes", "--skip-preview"];
  const preview = async (...args: string[]) => (await expectSuccess(project.pulumi("preview", ...args))).stdout;
  const refusedUp = async () => {
    const { code, stdout, stderr } = await project.pulumi(...up);
    assert.notEqual(code, 0, stdout);
    return stdout + stderr;
  };
  const dropTag = (key: string) =>
    rmSync(join(registry.dir, "storage/docker/registry/v2/repositories/layers/base/_manifests/tags", key), {
      force: true,
      recursive: true,
    });

  before(async () => {
    both = await offeredVersions("hello", "tree");
    ({ hello, tree } = both);
    registry = await startRegistry();
    configuration = await smallConfiguration(registry.host);
    image = await pushAptBase(client, `${registry.host}/layers/debian`, { user: "nonroot" });
    project = await create(pinned(both));
  });
  after(async () => {
    for (const one of projects) one.remove();
    await registry?.stop();
  });

  it("is previewed with every row, and with what is unknown and why on one line", async () => {
    golden("screens/base-unbuilt-preview.golden", screen(await preview(), registry.host));
    assert.equal(await built(), undefined);
  });

  it("is built first, then the image on it, and all is released in one update", async () => {
    await project.up();
    const { image: released, version, gate } = await project.outputs();
    assert.equal(version, "v1.0.0");
    assert.equal(gate.passed, true);
    assert.equal(await baseOf(released.digest), await built(), "the image's inputs name the base that was built");
    const run = async (...argv: string[]) => (await runImage(released.reference, argv, { env: project.env })).stdout;
    assert.match(await run("hello"), /Hello, world!/);
    assert.match(await run("tree", "--version"), /^tree v/);
  });

  it("carries its pins, keeps its user, and is a small gzipped layer on the image that it was built of", async () => {
    const digest = (await built())!;
    const { labels, user } = await containerSettings(client, bases(), digest);
    assert.equal(user, "nonroot");
    const source = image.slice(image.indexOf("@") + 1);
    assert.deepEqual(JSON.parse(labels["dev.policychain.base"]!), { image: source, packages: { apt: both } });
    const answer = (await client.manifest(bases(), digest))!;
    const content = readManifest(answer.bytes, answer.mediaType);
    assert.ok(content.kind === "manifest");
    assert.equal(content.layers.length, 2);
    for (const { mediaType } of content.layers) assert.match(mediaType, /gzip$/);
    assert.ok(content.layers[1]!.size < 512 * 1024, `${content.layers[1]!.size} bytes for two small packages`);
  });

  it("is known at the second preview, which shows no change, in a fresh checkout too; a second update does nothing", async () => {
    rmSync(join(project.dir, ".policy-platform"), { recursive: true });
    await preview("--expect-no-changes");
    const before = await built();
    assert.match((await project.up()).stdout, /v1\.0\.0 \(unchanged\)[\s\S]*\d+ unchanged/);
    assert.equal(await built(), before);
  });

  it("is found by a stack on another machine, which builds no base and knows its version at preview", async () => {
    const other = await create(pinned(both));
    const before = await built();
    const { stdout } = await expectSuccess(other.pulumi("preview"));
    assert.doesNotMatch(stdout, /base-build/);
    assert.match(stdout, /version {2}: "v1\.0\.0"/);
    await other.up();
    assert.equal((await other.outputs()).image.digest, (await project.outputs()).image.digest);
    assert.equal(await built(), before);
    await expectSuccess(other.pulumi("preview", "--expect-no-changes"));
  });

  it("with a version that the index has no more is refused with what there is, and so is a package that is not there", async () => {
    const { image: released } = await project.outputs();
    pin({ hello: "0.1-1", tree, "no-such-package": "1.0" });
    const output = await refusedUp();
    assert.ok(output.includes(`hello 0.1-1 is not in the package index any more, which has ${hello}`), output);
    assert.match(output, /no package no-such-package is in the package index/);
    assert.match(output, /; pin one that it has in policy-platform:base\.packages/);
    const releases = parseRepository(`${registry.host}/releases/policy-platform`);
    assert.deepEqual(
      (await client.tags(releases)).filter((tag) => tag.startsWith("v")),
      ["v1.0.0"],
    );
    assert.equal((await client.resolve(releases, "latest"))!.digest, released.digest);
  });

  it("with other packages is another base, and going back builds nothing", async () => {
    pin({ hello });
    await project.up();
    const { version, image: released } = await project.outputs();
    assert.equal(version, "v1.0.1");
    assert.equal(await baseOf(released.digest), await built({ hello }));
    pin(both);
    const before = await built();
    const back = await preview();
    assert.match(back, /- +docker:index:Image base-build delete/, "the state forgets the other one");
    assert.doesNotMatch(back, /built first/);
    await project.up();
    assert.equal(await built(), before);
    await preview("--expect-no-changes");
  });

  it("is built once although the run is killed between base and image", async () => {
    const apt = { tree };
    const other = await create(pinned(apt));
    const child = spawn("pulumi", [...up, "-s", "local", "--non-interactive"], {
      cwd: other.dir,
      env: { ...childEnvironment(), ...other.env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk));
    const ended = new Promise((resolve) => child.on("exit", resolve));
    let base: string | undefined;
    while (base === undefined && child.exitCode === null) {
      await sleep(20);
      base = await built(apt);
    }
    killProcesses(processesOf(other.dir));
    await ended;
    assert.ok(base, output);
    await repair({ stack: "local", projectDir: other.dir, env: { ...childEnvironment(), ...other.env } });
    await other.up();
    assert.doesNotMatch(output, /image-build created/);
    assert.equal(await built(apt), base);
    assert.equal(await baseOf((await other.outputs()).image.digest), base);
    await expectSuccess(other.pulumi("preview", "--expect-no-changes"));
  });

  describe("whose tag is not what it was", () => {
    let apt: Record<string, string>;
    let own: string;
    before(async () => {
      apt = { hello };
      project = await create(pinned({ tree, hello: hello }));
      pin(apt);
      dropTag(keyOf(apt));
      await project.up();
      own = (await client.resolve(bases(), keyOf(apt)))!.digest;
    });

    it("goes on with what this stack built when the tag is gone, and says so", async () => {
      dropTag(keyOf(apt));
      const output = await preview("--expect-no-changes");
      assert.match(
        output,
        /tag [0-9a-f]{12} is gone from .*layers\/base: this stack goes on with what it built; pulumi up --replace 'urn:/,
      );
    });

    it("that is gone altogether breaks no release, stops the next one, and is built again by the line that says so", async () => {
      const response = await fetch(`http://${registry.host}/v2/layers/base/manifests/${own}`, { method: "DELETE" });
      assert.equal(response.status, 202);
      assert.match(
        await preview("--expect-no-changes"),
        /is gone from its registry: this stack goes on with what it built/,
      );
      project.configure((config) => {
        config["policy-platform:image"] = { name: "policy-platform", user: "0:0" };
      });
      const output = await refusedUp();
      const [, urn] = /build it again: pulumi up --replace '(urn:[^']+)'/.exec(output) ?? [];
      assert.ok(urn, output);
      await project.up("--replace", urn);
      own = (await client.resolve(bases(), keyOf(apt)))!.digest;
      assert.equal(await baseOf((await project.outputs()).image.digest), own);
      await preview("--expect-no-changes");
    });

    it("is what the tag names when somebody built it a second time", async () => {
      const second = await builtAgain(own);
      await client.putManifest(bases(), keyOf(apt), second.bytes, manifestType);
      const output = await preview();
      assert.match(output, new RegExp(`was built a second time, and names ${second.digest} instead of ${own} now`));
      assert.match(output, /base/);
      await project.up();
      assert.equal(await baseOf((await project.outputs()).image.digest), second.digest);
      await preview("--expect-no-changes");
    });

    it("is refused when the tag names an image of other pins", async () => {
      const foreign = (await client.manifest(
        parseRepository(`${registry.host}/layers/debian`),
        image.slice(image.indexOf("@") + 1),
      ))!;
      await copyInto(foreign);
      await client.putManifest(bases(), keyOf(apt), foreign.bytes, foreign.mediaType);
      const { code, stdout, stderr } = await project.pulumi("preview");
      assert.notEqual(code, 0);
      assert.match(
        stdout + stderr,
        /names sha256:[0-9a-f]{64}, which does not carry the pins of this base; [^;]+; find out who pushed it/,
      );
    });
  });

  it("on an image without a shell is refused with what to do", async () => {
    const bare = await pushFiles(client, `${registry.host}/layers/bare`, shellFiles());
    project.configure((config) => {
      config["policy-platform:base"] = { image: bare, packages: { apt: both } };
    });
    assert.match(await refusedUp(), /has no \/bin\/sh; [^;]+; pin a base that has both/);
  });

  it("is never taken for unbuilt when the registry does not say so", async () => {
    const closed = await startRegistry({ basic: true });
    try {
      project.configure((config) => {
        config["policy-platform:registry"].address = closed.host;
      });
      const { code, stdout, stderr } = await project.with({ DOCKER_CONFIG: project.dir }).pulumi("preview");
      assert.notEqual(code, 0);
      assert.match(stdout + stderr, /asks for a name and password, and no credentials for it are in the docker config/);
      assert.doesNotMatch(stdout, /built first/);
    } finally {
      await closed.stop();
    }
  });

  /** The same base as another build would have made it: other bytes, the same pins. */
  async function builtAgain(digest: string): Promise<{ digest: string; bytes: Buffer }> {
    const { bytes } = (await client.manifest(bases(), digest))!;
    const manifest = JSON.parse(bytes.toString());
    const config = JSON.parse((await client.blob(bases(), manifest.config.digest)).toString());
    const other = Buffer.from(JSON.stringify({ ...config, created: "2020-01-01T00:00:00Z" }));
    await client.pushBlob(bases(), { digest: sha256(other), size: other.length }, { bytes: other });
    const text = Buffer.from(
      JSON.stringify({ ...manifest, config: { ...manifest.config, digest: sha256(other), size: other.length } }),
    );
    return { digest: sha256(text), bytes: text };
  }

  /** Blobs of a manifest of layers/debian, into layers/base. */
  async function copyInto({ bytes }: { bytes: Buffer }): Promise<void> {
    const { config, layers } = JSON.parse(bytes.toString());
    for (const { digest, size } of [config, ...layers]) {
      const blob = await client.blob(parseRepository(`${registry.host}/layers/debian`), digest, 2 ** 28);
      await client.pushBlob(bases(), { digest, size }, { bytes: blob });
    }
  }
});
