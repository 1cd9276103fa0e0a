// From one registry to another through the real engine: what was released there is here by the same digest, without a build.
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../lib/exec";
import { golden } from "../support/golden";
import { createProject, expectSuccess, type Project, type ProjectStack } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { diffScreen, screen } from "../support/screen";
import { type ScriptedServer, startScriptedServer } from "../support/scriptedServer";
import { smallConfiguration } from "../support/smallStack";

const edited = "policies/security-policy/policies/disallow-latest-tag.yaml";

describe("a promotion", function () {
  this.timeout(180_000);
  let dev: TestRegistry;
  let storage: string;
  let behind: TestRegistry;
  let prod: ScriptedServer; // counts every request
  let project: Project;
  let promoting: ProjectStack;
  const released: Record<string, any>[] = [];

  before(async () => {
    storage = mkdtempSync(join(tmpdir(), "dev-registry-"));
    dev = await startRegistry({ storage });
    behind = await startRegistry();
    prod = await startScriptedServer(() => "forward", { forwardTo: behind.host, keepBodies: false });
    project = await createProject(await smallConfiguration(dev.host));
    await project.up();
    released.push(await project.outputs());
    promoting = await project.addStack("prod", {
      "policy-platform:registry": { kind: "existing", address: `${prod.host}/policy` },
      "policy-platform:promotion": promotionOf(released[0]!),
    });
  });
  after(async () => {
    project?.remove();
    await prod?.stop();
    await behind?.stop();
    await dev?.stop();
    rmSync(storage, { recursive: true, force: true });
  });

  /** What `policy-platform promote` writes. */
  const promotionOf = ({ image, version }: Record<string, any>) => ({
    from: image.repository,
    version,
    digest: image.digest,
    commit: image.tags[0].replace(/^sha-/, ""),
  });
  const promote = (outputs: Record<string, any>, more = {}) =>
    promoting.configure((config) => {
      config["policy-platform:promotion"] = { ...promotionOf(outputs), ...more };
    });
  const digestAt = async (repository: string, tag: string) => {
    const image = `docker://${repository}:${tag}`;
    const args = ["inspect", "--tls-verify=false", "--format", "{{.Digest}}", image];
    return (await expectSuccess(exec("skopeo", args))).stdout.trim();
  };
  /** Both registries under one name each. */
  const shown = (text: string) => text.replaceAll(dev.host, "<dev>");
  const here = () => `${prod.host}/policy/releases/policy-platform`;
  const withoutDocker = () => promoting.with({ DOCKER_HOST: "unix:///nonexistent/docker.sock" });

  it("is previewed as the first release of its target, and writes nothing", async () => {
    const before = prod.requests.length;
    const { stdout } = await expectSuccess(promoting.pulumi("preview"));
    golden("screens/promotion-first-preview.golden", screen(shown(stdout), prod.host));
    const written = prod.requests.slice(before).filter(({ method }) => !/^(GET|HEAD)$/.test(method));
    assert.deepEqual(written, []);
  });

  it("gives the target the same digest under version, commit and latest, without Docker", async () => {
    await expectSuccess(withoutDocker().pulumi("up", "--yes", "--skip-preview"));
    const { image, version, gate, changes, registry } = await promoting.outputs();
    const [{ image: source, ...there }] = released as [Record<string, any>];
    assert.equal(registry, `${prod.host}/policy`);
    assert.equal(version, there.version);
    assert.deepEqual(image, { ...source, repository: here(), reference: `${here()}@${source.digest}` });
    assert.deepEqual([gate.digest, gate.passed], [source.digest, true]);
    assert.equal(changes.bump, "first");
    for (const tag of image.tags) assert.equal(await digestAt(here(), tag), await digestAt(source.repository, tag));
  });

  it("changes nothing in the second run, writes nothing, and asks nothing of the source", async () => {
    await dev.stop();
    try {
      const before = prod.requests.length;
      const { stdout } = await promoting.up();
      assert.match(stdout, /is promoted: nothing to do/);
      assert.doesNotMatch(stdout, /created|updated|replaced/);
      const written = prod.requests.slice(before).filter(({ method }) => !/^(GET|HEAD)$/.test(method));
      assert.deepEqual(written, []);
    } finally {
      dev = await startRegistry({ port: Number(dev.host.split(":")[1]), storage });
    }
  });

  it("of the next release is previewed as release notes: the version, each pin that changes, and the policy files", async () => {
    appendFileSync(join(project.dir, edited), "# edited\n");
    await project.up();
    released.push(await project.outputs());
    promote(released[1]!);
    const plain = await expectSuccess(promoting.pulumi("preview"));
    golden("screens/promotion-preview.golden", screen(shown(plain.stdout), prod.host));
    const detailed = await expectSuccess(promoting.pulumi("preview", "--diff"));
    golden("screens/promotion-preview-diff.golden", diffScreen(shown(detailed.stdout), prod.host));
  });

  it("moves only what the target lacks: two manifests' worth of small blobs, and no tool again", async () => {
    const before = prod.requests.length;
    await promoting.up();
    const blobs = prod.requests
      .slice(before)
      .filter(({ method, path }) => method === "PUT" && /\/blobs\/uploads\//.test(path));
    assert.equal(blobs.length, 2, "the policy layer and the configuration");
    assert.equal(await digestAt(here(), "latest"), released[1]!.image.digest);
    assert.equal(await digestAt(here(), released[0]!.version), released[0]!.image.digest);
  });

  it("of a lower version is refused without rollback: true, with the line that allows it", async () => {
    promote(released[0]!);
    const { code, stdout, stderr } = await promoting.pulumi("preview");
    assert.notEqual(code, 0);
    const line = "policy-platform promote local prod --version v1.0.0 --rollback";
    assert.match(
      stdout + stderr,
      new RegExp(`v1\\.0\\.0 is below v1\\.0\\.1, the highest version of [^;]+; [^;]+; ${line}`),
    );
    assert.equal(await digestAt(here(), "latest"), released[1]!.image.digest);
  });

  it("back to the version before moves latest and nothing else", async () => {
    promote(released[0]!, { rollback: true });
    const { stdout: preview } = await expectSuccess(promoting.pulumi("preview"));
    golden("screens/promotion-rollback.golden", screen(shown(preview), prod.host));
    const before = prod.requests.length;
    await promoting.up();
    const written = prod.requests.slice(before).filter(({ method }) => !/^(GET|HEAD)$/.test(method));
    assert.deepEqual(
      written.map(({ method, path }) => `${method} ${path}`),
      ["PUT /v2/policy/releases/policy-platform/manifests/latest"],
    );
    assert.equal(await digestAt(here(), "latest"), released[0]!.image.digest);
    assert.equal(await digestAt(here(), released[1]!.version), released[1]!.image.digest);
  });

  it("says nothing to do while it stays rolled back", async () => {
    const { stdout } = await promoting.up();
    assert.match(stdout, /v1\.0\.0 \([0-9a-f]{12}\) is promoted: nothing to do/);
  });
});
