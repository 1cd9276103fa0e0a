// A release builds from what the last one has below the policies, and says nothing of it: its screens are those of any release.
import assert from "node:assert/strict";
import { appendFileSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { RegistryClient } from "../../lib/oci/client";
import { parsePinned, parseRepository } from "../../lib/oci/reference";
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

  it("is composed of its parts where that image was cleaned away, and leaves another one", async () => {
    edit();
    const stem = (await up())!;
    const { digest } = parsePinned(stem);
    const answer = await fetch(`http://${registry.host}/v2/releases/policy-platform/manifests/${digest}`, {
      method: "DELETE",
    });
    assert.equal(answer.status, 202);
    edit();
    assert.equal(await up(), undefined);
    const releases = parseRepository(`${registry.host}/releases/policy-platform`);
    assert.ok(await new RegistryClient().resolve(releases, digest));
    edit();
    assert.equal(await up(), stem);
  });
});
