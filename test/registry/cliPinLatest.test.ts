// The newest version of an entry, and the version that a pin leads to. Images lie in a real registry; the host of releases is a
// server of this machine that answers as GitHub does.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { RegistryClient } from "../../lib/oci/client";
import { folderLayerImage, layerImage, pushLayerImage } from "../../lib/oci/layer";
import { parsePinned, parseRepository } from "../../lib/oci/reference";
import { keepVariables } from "../support/environment";
import { pushRelease } from "../support/pushRelease";
import { startRegistry, type TestRegistry } from "../support/registry";
import { type ScriptedServer, startScriptedServer } from "../support/scriptedServer";
import { run } from "../unit/cli/run";
import { makeProject, pinned } from "../unit/config/valid";

const binary = "#!/bin/sh\n";

describe("policy-platform pin --latest", () => {
  let registry: TestRegistry;
  let server: ScriptedServer;
  let restore: () => void;
  const client = new RegistryClient();
  const codeOf = ({ error }: Record<string, unknown>) => (error as { code?: string } | undefined)?.code;

  before(async () => {
    restore = keepVariables();
    process.env.XDG_CACHE_HOME = mkdtempSync(join(tmpdir(), "pin-cache-"));
    process.env.PATH = "/nowhere"; // no engine: the registry alone is believed
    server = await startScriptedServer(() => ({}));
    registry = await startRegistry();
    const image = await layerImage([
      { path: "/usr/local/bin/tool", executable: true, size: binary.length, open: () => Buffer.from(binary) },
    ]);
    for (const name of ["base", "tool", "untagged"]) {
      const repository = parseRepository(`${registry.host}/${name}`);
      await pushLayerImage(client, repository, image);
      const tags = ["latest", "3.9.0", "3.20.1", "v4.0.0-rc.1", "3.21.0-alpine"];
      for (const tag of name === "untagged" ? ["latest"] : tags)
        await client.putManifest(repository, tag, image.manifest, "application/vnd.oci.image.manifest.v1+json");
    }
  });

  beforeEach(() =>
    server.answer(({ path }) => {
      const redirect = (location: string) => ({ status: 302, headers: { location } });
      if (path === "/gh/mikefarah/yq/releases/latest") return redirect("/gh/mikefarah/yq/releases/tag/v4.60.2");
      if (path === "/old/name/releases/latest") return redirect("/new/name/releases/latest");
      if (path === "/new/name/releases/latest") return redirect(`http://${server.host}/new/name/releases/tag/v2.0.0`);
      if (path === "/none/none/releases/latest") return redirect("/none/none/releases");
      if (path === "/far/away/releases/latest") return redirect("http://127.0.0.1:1/far/away/releases/latest");
      return path.includes("/download/") ? { body: binary } : { status: 404 };
    }),
  );

  after(async () => {
    restore();
    await server.stop();
    await registry.stop();
  });

  function project(config: string) {
    const folder = makeProject();
    const file = join(folder, "Pulumi.dev.yaml");
    writeFileSync(join(folder, "Pulumi.yaml"), "name: policy-platform\n");
    writeFileSync(file, config);
    return {
      folder,
      text: () => readFileSync(file, "utf8"),
      pin: (...argv: string[]) => run("pin", ...argv, "--stack", "dev", "--cwd", folder),
      entry: (key: string) => parse(readFileSync(file, "utf8")).config[`policy-platform:${key}`],
    };
  }

  const toolAt = (url: string) =>
    `config:\n  policy-platform:tools: {tool: {version: "1.0.0", release: {url: "${url}"}}}\n`;

  it("stand-in: finds a tool of the catalogue by the page of its newest release, through a mirror", async () => {
    const { pin, entry } = project(
      `config:\n  policy-platform:mirrors: {"github.com": "http://${server.host}/gh"}\n  policy-platform:tools: {}\n`,
    );
    const { code, stderr } = await pin("yq", "--latest");
    assert.equal(code, 0, stderr);
    const { yq } = entry("tools");
    assert.equal(yq.version, "4.60.2");
    assert.equal(yq.release.url, "https://github.com/mikefarah/yq/releases/download/v4.60.2/yq_linux_amd64");
  });

  it("stand-in: follows a repository that was renamed, for any tool whose releases are kept like that", async () => {
    const { pin, entry } = project(toolAt(`http://${server.host}/old/name/releases/download/v1.0.0/tool`));
    const { code, stderr } = await pin("tool", "--latest");
    assert.equal(code, 0, stderr);
    assert.equal(entry("tools").tool.version, "2.0.0");
    assert.equal(entry("tools").tool.release.url, `http://${server.host}/old/name/releases/download/v2.0.0/tool`);
  });

  it("stand-in: says that a page leads nowhere, follows it to no other host, and writes nothing", async () => {
    for (const name of ["none/none", "far/away", "not/there"]) {
      const { pin, text } = project(toolAt(`http://${server.host}/${name}/releases/download/v1.0.0/tool`));
      const before = text();
      const { code, stderr, data } = await pin("tool", "--latest", "-o", "json");
      assert.deepEqual([code, codeOf(data)], [1, "latest-unknown"]);
      assert.match(stderr, /releases\/latest leads to no release; .*; name the version, or add a mirror/);
      assert.equal(text(), before);
    }
  });

  it("says that nothing tells the newest version of a tool from elsewhere, and how to name it", async () => {
    const { pin } = project(toolAt("https://downloads.example.com/v1.0.0/tool"));
    const { code, stderr, data } = await pin("tool", "--latest", "-o", "json");
    assert.deepEqual([code, codeOf(data)], [1, "latest-unknown"]);
    assert.match(
      stderr,
      /nothing says where .* tools\.tool stands; .*; policy-platform pin tools\.tool VERSION --stack dev/,
    );
  });

  it("takes the highest version among the tags of an image, written like the present one", async () => {
    const { pin, entry } = project(
      `config:\n  policy-platform:base: {image: "${registry.host}/base:3.9.0"}\n  policy-platform:tools: {tool: {version: "3.9.0", image: "${registry.host}/tool:3.9.0-alpine"}}\n`,
    );
    assert.equal((await pin("base", "--latest")).code, 0);
    assert.match(entry("base").image, /\/base:3\.20\.1@sha256:[0-9a-f]{64}$/);
    const { code, stderr } = await pin("tool", "--latest");
    assert.equal(code, 0, stderr);
    assert.equal(entry("tools").tool.version, "3.21.0");
    assert.match(entry("tools").tool.image, /\/tool:3\.21\.0-alpine@sha256:/);
  });

  it("says that an image has no version among its tags", async () => {
    const { pin } = project(`config:\n  policy-platform:base: {image: "${registry.host}/untagged:latest"}\n`);
    const { code, stderr, data } = await pin("base", "--latest", "-o", "json");
    assert.deepEqual([code, codeOf(data)], [1, "latest-unknown"]);
    assert.match(stderr, /\/untagged has no version among its tags/);
  });

  it("takes no version beside it", async () => {
    const { pin } = project(`config:\n  policy-platform:base: {image: "${registry.host}/base:3.9.0"}\n`);
    const { code, stderr } = await pin("base", "3.9.0", "--latest");
    assert.equal(code, 2);
    assert.match(stderr, /a version, "3\.9\.0", and --latest; .*; leave one of them out/);
  });

  describe("in a stack that has released", () => {
    const stackFile = (host: string) => `config:
  policy-platform:registry: {address: "${host}"}
  policy-platform:base: {image: "${pinned("layers/base")}"}
  policy-platform:tools: {kyverno: {version: "3.9.0", image: "${registry.host}/tool:3.9.0@sha256:${"a".repeat(64)}"}}
  policy-platform:policies: {security-policy: {folder: policies/security-policy}}
`;

    before(async () => {
      const { folder } = project("config: {}\n");
      const layer = await folderLayerImage(join(folder, "policies/security-policy"), { at: "/repos/security-policy" });
      await pushLayerImage(client, parseRepository(`${registry.host}/layers/repositories/security-policy`), layer);
      await pushRelease(client, parseRepository(`${registry.host}/releases/policy-platform`), {
        version: "v1.0.0",
        inputs: {
          format: 1,
          base: parsePinned(pinned("layers/base")).digest,
          image: { user: "65532:65532" },
          repositories: { "security-policy": { digest: layer.digest } },
          tools: { kyverno: { version: "3.9.0", digest: `sha256:${"a".repeat(64)}` } },
        },
      });
    });

    it("says which version the raised tool leads to, and why", async () => {
      const { pin } = project(stackFile(registry.host));
      const { code, stdout, stderr } = await pin("kyverno", "--latest");
      assert.equal(code, 0, stderr);
      assert.match(
        stdout,
        /tools\.kyverno\.version: "3\.9\.0" → 3\.20\.1\n(?:.*\n)*v1\.0\.0 → v2\.0\.0 \(tool upgrade\)\n$/,
      );
    });

    it("answers programs", async () => {
      const { pin } = project(stackFile(registry.host));
      const { next, required, reason } = (await pin("kyverno", "3.20.1", "-o", "json")).data;
      assert.deepEqual([next, required, reason], ["v2.0.0", "major", "v1.0.0 → v2.0.0 (tool upgrade)"]);
    });

    it("says that a version which is set is too low for the new pin, which stands all the same", async () => {
      const { pin, entry } = project(`${stackFile(registry.host)}  policy-platform:version: v1.0.1\n`);
      const { code, stdout, stderr } = await pin("kyverno", "3.20.1");
      assert.equal(code, 0, stderr);
      assert.match(
        stderr,
        /version v1\.0\.1 is too low: .*tool upgrade.*pulumi config set policy-platform:version v2\.0\.0/,
      );
      assert.match(stdout, /\nthis pin asks for a major version at least \(tool upgrade\)\n$/);
      assert.equal(entry("tools").kyverno.version, "3.20.1");
    });

    it("says what the pin asks for where the registry of releases does not answer", async () => {
      const { pin } = project(stackFile("127.0.0.1:1"));
      const { code, stdout, stderr } = await pin("kyverno", "3.20.1");
      assert.equal(code, 0, stderr);
      assert.match(stderr, /the next version is not known: .*127\.0\.0\.1:1/);
      assert.match(stdout, /\nthis pin asks for a major version at least \(tool upgrade\)\n$/);
    }).timeout(90_000);
  });
});
