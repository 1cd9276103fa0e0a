// Downloads come from a scripted server, images from the real registry: both on this machine.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { parse } from "yaml";
import { RegistryClient } from "../../lib/oci/client";
import { dockerCredentials } from "../../lib/oci/credentials";
import { sha256 } from "../../lib/oci/digest";
import { layerImage, pushLayerImage } from "../../lib/oci/layer";
import { parseRepository } from "../../lib/oci/reference";
import { keepVariables } from "../support/environment";
import { dockerConfig, startRegistry, type TestRegistry } from "../support/registry";
import { type ScriptedServer, startScriptedServer } from "../support/scriptedServer";
import { tarball } from "../support/tarball";
import { run } from "../unit/cli/run";
import { makeProject } from "../unit/config/valid";

const binary = "#!/bin/sh\necho tool 2.0.0\n";
const hexOf = (bytes: string | Buffer) => sha256(bytes).slice("sha256:".length);

function fileEntry(path: string, content: string) {
  return { path, executable: true, size: content.length, open: () => Buffer.from(content) };
}

describe("policy-platform pin", () => {
  let registry: TestRegistry;
  let server: ScriptedServer;
  let restore: () => void;
  let archive: Buffer;
  let layer: string;

  before(async () => {
    restore = keepVariables();
    process.env.XDG_CACHE_HOME = mkdtempSync(join(tmpdir(), "pin-cache-"));
    archive = gzipSync(
      await tarball({ name: "tool", mode: 0o755, content: binary }, { name: "LICENSE", content: "x" }),
    );
    server = await startScriptedServer(() => ({}));
    registry = await startRegistry();
    const client = new RegistryClient();
    const image = await layerImage([fileEntry("/usr/local/bin/yq", binary)]);
    layer = image.digest;
    for (const name of ["layers/base", "tools/yq", "layers/repositories/p"]) {
      const repository = parseRepository(`${registry.host}/${name}`);
      await pushLayerImage(client, repository, image);
      for (const tag of ["12", "v4.60.0"])
        await client.putManifest(repository, tag, image.manifest, "application/vnd.oci.image.manifest.v1+json");
    }
  });

  beforeEach(() =>
    server.answer(({ path }) =>
      path.endsWith(".tar.gz") ? { body: archive } : path.endsWith("/bare") ? { body: binary } : { status: 404 },
    ),
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
    const text = () => readFileSync(file, "utf8");
    return {
      folder,
      file,
      text,
      pin: (...argv: string[]) => run("pin", ...argv, "--stack", "dev", "--cwd", folder),
      tools: () => parse(text()).config["policy-platform:tools"],
    };
  }

  it("fills in checksum and layer digest of a release, and keeps the rest of the file as it is", async () => {
    const { text, pin } = project(`# pins
config:
  policy-platform:tools:
    tool:     # ours
      version: "2.0.0"
      release:
        url: http://${server.host}/v2.0.0/tool.tar.gz   # where it is
        member: tool
  policy-platform:version:   auto
`);
    const { code, stdout, stderr } = await pin("tool");
    assert.equal(code, 0, stderr);
    const { digest } = await layerImage([fileEntry("/usr/local/bin/tool", binary)]);
    assert.equal(
      text(),
      `# pins
config:
  policy-platform:tools:
    tool:     # ours
      version: "2.0.0"
      release:
        url: http://${server.host}/v2.0.0/tool.tar.gz   # where it is
        member: tool
        sha256: "${hexOf(archive)}"
        digest: "${digest}"
  policy-platform:version:   auto
`,
    );
    assert.deepEqual(stdout.trimEnd().split("\n"), [
      `policy-platform:tools.tool.release.sha256: ${hexOf(archive)}`,
      `policy-platform:tools.tool.release.digest: ${digest}`,
    ]);
  });

  it("moves a tool to a version, in its URL too", async () => {
    const { tools, pin } = project(`config:
  policy-platform:tools:
    tool: {version: 1.10, path: /opt/tool, release: {url: "http://${server.host}/v1.10/bare", sha256: "${"a".repeat(64)}"}}
`);
    const { code, data, stderr } = await pin("tool", "v2.0.0", "-o", "json");
    assert.equal(code, 0, stderr);
    const { digest } = await layerImage([fileEntry("/opt/tool", binary)]);
    const release = { url: `http://${server.host}/v2.0.0/bare`, sha256: hexOf(binary), digest };
    assert.deepEqual(tools().tool, { version: "2.0.0", path: "/opt/tool", release });
    const { changes, ...rest } = data as { changes: { key: string; from?: unknown; to: string }[] };
    const reason = "this pin asks for a major version at least (tool upgrade)"; // the registry is not named here
    assert.deepEqual(rest, { stack: "dev", name: "tools.tool", required: "major", reason });
    assert.deepEqual(changes[0], { key: "policy-platform:tools.tool.version", from: 1.1, to: "2.0.0" });
    assert.equal(changes.length, 4);
  });

  it("finds a tool of the catalogue that is not in the file yet, through a mirror", async () => {
    const { text, tools, pin } = project(`config:
  policy-platform:mirrors: {"github.com": "http://${server.host}/mirror"}
`);
    server.answer(() => ({ body: binary }));
    const { code, stderr } = await pin("yq", "4.54.1");
    assert.equal(code, 0, stderr);
    const { yq } = tools();
    assert.equal(yq.release.url, "https://github.com/mikefarah/yq/releases/download/v4.54.1/yq_linux_amd64");
    assert.equal(yq.release.sha256, hexOf(binary));
    assert.equal(yq.version, "4.54.1");
    assert.ok(
      server.lines().some((line) => line === "GET /mirror/mikefarah/yq/releases/download/v4.54.1/yq_linux_amd64"),
    );
    const before = text();
    assert.equal((await pin("yq")).stderr.split("\n").at(-2), "✔ tools.yq was pinned already");
    assert.equal(text(), before);
  });

  it("believes a checksum that stands there, and writes nothing when the download is another", async () => {
    const { text, pin } = project(`config:
  policy-platform:tools:
    tool: {version: "2.0.0", release: {url: "http://${server.host}/other/bare", sha256: "${"b".repeat(64)}"}}
`);
    const before = text();
    const { code, data } = await pin("tool", "-o", "json");
    assert.equal(code, 1);
    assert.equal((data.error as { code: string }).code, "checksum-mismatch");
    assert.equal(text(), before);
  });

  it("resolves the tag of a base, a repository and a tool's image, and keeps the tag for readers", async () => {
    const { text, pin } = project(`config:
  policy-platform:base: {image: "${registry.host}/layers/base:12"}
  policy-platform:policies: {p: {image: "${registry.host}/layers/repositories/p:12@sha256:abc"}}
  policy-platform:tools: {yq: {version: "4.54.1", image: "${registry.host}/tools/yq:v4.54.1"}}
`);
    for (const argv of [["base"], ["policies.p"], ["yq", "4.60.0"]]) assert.equal((await pin(...argv)).code, 0);
    assert.equal(
      text(),
      `config:
  policy-platform:base: {image: "${registry.host}/layers/base:12@${layer}"}
  policy-platform:policies: {p: {image: "${registry.host}/layers/repositories/p:12@${layer}"}}
  policy-platform:tools: {yq: {version: "4.60.0", image: "${registry.host}/tools/yq:v4.60.0@${layer}"}}
`,
    );
  });

  it("takes a tag that names the version already as it is written", async () => {
    const { tools, pin } = project(`config:
  policy-platform:tools: {yq: {version: "4.54.1", image: "${registry.host}/tools/yq:v4.60.0"}}
`);
    assert.equal((await pin("yq", "4.60.0")).code, 0);
    assert.deepEqual(tools().yq, { version: "4.60.0", image: `${registry.host}/tools/yq:v4.60.0@${layer}` });
  });

  it("leaves a tool that is pinned by its digest alone, and says how another version of it is had", async () => {
    const { text, tools, pin, file } = project(`config:
  policy-platform:mirrors: {"github.com": "http://${server.host}/mirror"}
  policy-platform:tools:
    yq:
      version: "4.54.1"
      image: "${registry.host}/tools/yq@${layer}"
`);
    const before = text();
    for (const argv of [["yq"], ["yq", "4.54.1"]]) {
      const { code, stderr } = await pin(...argv);
      assert.deepEqual([code, stderr.split("\n").at(-2)], [0, "✔ tools.yq was pinned already"]);
    }
    const { code, data } = await pin("yq", "4.55.0", "-o", "json");
    assert.equal(code, 1);
    assert.deepEqual(data.error, {
      code: "tag-missing",
      what: `${registry.host}/tools/yq has no tag "4.55.0"`,
      rule: "an image's tag is resolved to its digest",
      fix: "take the tool from its release: pulumi config rm --path 'policy-platform:tools.yq.image' --stack dev && policy-platform pin tools.yq 4.55.0 --stack dev",
    });
    assert.equal(text(), before);

    writeFileSync(file, before.replace(/ +image: .*\n/, "")); // what the first of the two commands does
    server.answer(() => ({ body: binary }));
    assert.equal((await pin("tools.yq", "4.55.0")).code, 0);
    assert.deepEqual(tools().yq, {
      version: "4.55.0",
      release: {
        url: "https://github.com/mikefarah/yq/releases/download/v4.55.0/yq_linux_amd64",
        sha256: hexOf(binary),
        digest: layer,
      },
    });
  });

  it("computes what a file of a foreign image becomes", async () => {
    const { tools, pin } = project(`config:
  policy-platform:tools:
    yq: {version: "4.54.1", image: {reference: "${registry.host}/tools/yq:12", member: /usr/local/bin/yq}}
`);
    assert.equal((await pin("yq")).code, 0);
    assert.deepEqual(tools().yq.image, {
      reference: `${registry.host}/tools/yq:12@${layer}`,
      member: "/usr/local/bin/yq",
      digest: layer,
    });
  });

  it("writes nothing when it cannot find what it looks for", async () => {
    const config = `config:
  policy-platform:base: {image: "${registry.host}/layers/base:nowhere"}
  policy-platform:policies: {p: {folder: policies/security-policy}, yq: {image: "${registry.host}/x"}}
  policy-platform:tools:
    yq: {version: "4.54.1", image: "${registry.host}/tools/yq"}
    gone: {version: "1.0.0", release: {url: "http://${server.host}/missing"}}
    web: {version: "1.0.0", release: {url: "http://${server.host}/page"}}
    fixed: {version: "1.0.0", release: {url: "http://${server.host}/fixed"}}
    latest: {version: latest, release: {url: "http://${server.host}/bare"}}
`;
    const { text, pin } = project(config);
    server.answer(({ path }) =>
      path === "/page" ? { headers: { "content-type": "text/html" }, body: "<p>" } : { status: 404 },
    );
    const cases: readonly (readonly [readonly string[], string, number])[] = [
      [["base"], "tag-missing", 1],
      [["policies.p"], "pin-unknown", 2],
      [["yq"], "pin-unknown", 2],
      [["tools.yq"], "pin-argument", 2],
      [["tools.yq", "latest"], "pin-argument", 2],
      [["gone"], "download-missing", 1],
      [["web"], "download-not-a-file", 1],
      [["fixed", "2.0.0"], "pin-argument", 2],
      [["latest"], "pin-argument", 2],
      [["Nobody!"], "pin-unknown", 2],
      [["sometool", "3.0.0"], "pin-unknown", 2],
    ];
    for (const [argv, expected, exit] of cases) {
      const { code, data, stdout } = await pin(...argv, "-o", "json");
      assert.equal((data.error as { code: string } | undefined)?.code, expected, `${argv.join(" ")}: ${stdout}`);
      assert.equal(code, exit, argv.join(" "));
    }
    assert.equal(text(), config);
  });

  it("refuses a file that was changed meanwhile", async () => {
    const { file, text, pin, folder } = project(`config:
  policy-platform:tools: {tool: {version: "2.0.0", release: {url: "http://${server.host}/v2/bare"}}}
`);
    server.answer(() => {
      writeFileSync(file, "config: {theirs: true}\n");
      return { body: `${binary}#` };
    });
    const { code, stderr } = await pin("tool");
    assert.equal(code, 1);
    assert.match(stderr, /was changed by somebody else/);
    assert.equal(text(), "config: {theirs: true}\n");
    assert.deepEqual(readdirSync(folder).sort(), ["Pulumi.dev.yaml", "Pulumi.yaml", "policies"]);
  });

  it("looks a tag up with the credentials of the docker config", async () => {
    const closed = await startRegistry({ basic: true });
    const logOut = keepVariables();
    try {
      process.env.DOCKER_CONFIG = dockerConfig(closed.host);
      const repository = parseRepository(`${closed.host}/layers/base`);
      const image = await layerImage([fileEntry("/bin/sh", binary)]);
      const client = new RegistryClient({ credentials: dockerCredentials() });
      await pushLayerImage(client, repository, image);
      await client.putManifest(repository, "12", image.manifest, "application/vnd.oci.image.manifest.v1+json");
      const { pin, text } = project(`config:\n  policy-platform:base: {image: "${closed.host}/layers/base:12"}\n`);
      const { code, stderr } = await pin("base");
      assert.equal(code, 0, stderr);
      assert.ok(text().includes(`${closed.host}/layers/base:12@${image.digest}`));
    } finally {
      logOut();
      await closed.stop();
    }
  });

  it("leaves nothing half in the cache when a download is cut", async () => {
    const { pin } = project(`config:
  policy-platform:tools: {tool: {version: "2.0.0", release: {url: "http://${server.host}/v2/cut"}}}
`);
    const answers = [{ body: "x".repeat(1000), cutAfter: 10 }];
    server.answer(() => answers.shift() ?? { status: 404 });
    assert.equal((await pin("tool")).code, 1);
    assert.deepEqual(answers, []);
    const left = readdirSync(join(process.env.XDG_CACHE_HOME!, "policy-platform/downloads"));
    assert.deepEqual(
      left.filter((file) => !/^[0-9a-f]{64}$/.test(file)),
      [],
    );
  });
});
