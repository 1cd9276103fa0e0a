// Tools that are neither in the catalogue nor ours: a version, a source, a path and how they print their version are enough.
// Releases come from a file server on loopback, the image from a registry of somebody else; two entries are those of the page
// docs/how-to/add-a-tool.md, as they stand there.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { parse } from "yaml";
import { exec } from "../../lib/exec";
import { RegistryClient } from "../../lib/oci/client";
import { layerImage, pushLayerImage } from "../../lib/oci/layer";
import { parsePinned, parseRepository } from "../../lib/oci/reference";
import { createProject, expectSuccess, type Project } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { runImage } from "../support/runImage";
import { type ScriptedAnswer, type ScriptedServer, startScriptedServer } from "../support/scriptedServer";
import { smallConfiguration } from "../support/smallStack";
import { tarball } from "../support/tarball";
import { zipball } from "../support/zipball";

const root = join(__dirname, "..", "..");
const page = readFileSync(join(root, "docs/how-to/add-a-tool.md"), "utf8");
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs"))].map(([, text]) => text!);

describe("a tool of one's own", function () {
  this.timeout(120_000);
  let dir: string;
  let registry: TestRegistry;
  let files: ScriptedServer;
  let project: Project;
  /** Would be there if a release had been started on this machine. */
  let trace: string;
  const names = ["packed", "zipped", "plain", "greet", "odd"];
  /** What the file server answers to everything, for a while. */
  let instead: ScriptedAnswer | undefined;
  const served = new Map<string, Buffer>();
  const script = (name: string) =>
    Buffer.from(
      `#!/bin/bash\n{ echo ran >> ${trace}; } 2>/dev/null\necho "${name}, a tool; version 1.2.0 (\${1-none})"\n`,
    );
  const policyPlatform = (...args: string[]) =>
    exec(process.execPath, [join(root, "dist/cli/policy-platform.js"), ...args, "--stack", "local"], {
      cwd: project.dir,
      env: { ...project.env, XDG_CACHE_HOME: join(dir, "cache") },
    });
  const up = () => project.with({ XDG_CACHE_HOME: join(dir, "cache") }).pulumi("up", "--yes", "--skip-preview");
  const tools = () => {
    let found: Record<string, any> = {};
    project.configure((config) => {
      found = config["policy-platform:tools"];
    });
    return found;
  };

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), "own-tools-"));
    trace = join(dir, "trace");
    registry = await startRegistry();
    files = await startScriptedServer(({ path }) => {
      if (instead !== undefined) return instead;
      const body = served.get(path);
      return body === undefined ? { status: 404 } : { body, headers: { "content-type": "application/octet-stream" } };
    });
    served.set(
      "/1.2.0/packed.tar.gz",
      gzipSync(await tarball({ name: "packed-1.2.0/bin/packed", mode: 0o755, content: script("packed") })),
    );
    served.set(
      "/1.2.0/zipped.zip",
      zipball([
        { name: "LICENSE", content: "ours" },
        { name: "zipped", content: script("zipped") },
      ]),
    );
    served.set("/1.2.0/plain", script("plain"));
    for (const version of ["1.2.0", "1.3.0"]) {
      const name = `greet-${version}/greet`;
      const content = Buffer.from(`#!/bin/bash\n{ echo ran >> ${trace}; } 2>/dev/null\necho greet v${version}\n`);
      const archive = gzipSync(await tarball({ name: "LICENSE" }, { name, mode: 0o755, content }));
      served.set(`/greet/${version}/greet_linux_amd64.tar.gz`, archive);
    }
    const odd = Buffer.from("#!/bin/bash\necho odd 1.2.0\n");
    const other = Buffer.from("not for us");
    const image = await layerImage([
      { path: "/opt/odd/bin/odd-cli", executable: true, size: odd.length, open: () => odd },
      { path: "/etc/other", executable: false, size: other.length, open: () => other },
    ]);
    const foreign = parseRepository(`${registry.host}/somebody/odd`);
    const client = new RegistryClient();
    await pushLayerImage(client, foreign, image);
    const manifest = await client.manifest(foreign, image.digest);
    await client.putManifest(foreign, "1.2.0", manifest!.bytes, manifest!.mediaType);

    const configuration = await smallConfiguration(registry.host);
    const release = (path: string, more: object = {}) => ({ url: `http://${files.host}/1.2.0/${path}`, ...more });
    const smoke = (name: string) => ({ args: ["--version"], expect: `^${name}, .* version (\\S+) \\(--version\\)$` });
    configuration["policy-platform:tools"] = {
      packed: {
        version: "1.2.0",
        release: release("packed.tar.gz"),
        path: "/opt/packed/bin/packed",
        smoke: smoke("packed"),
      },
      zipped: { version: "1.2.0", release: release("zipped.zip", { member: "zipped" }), smoke: smoke("zipped") },
      plain: { version: "1.2.0", release: release("plain"), smoke: { args: [], expect: "^plain, .*\\(none\\)$" } },
      ...Object.assign({}, ...blocks("yaml").map((text) => parse(text.replace("registry.example.com", registry.host)))),
    };
    configuration["policy-platform:mirrors"] = { "downloads.example.com": `http://${files.host}` };
    project = await createProject(configuration);
  });
  after(async () => {
    project?.remove();
    await files?.stop();
    await registry?.stop();
    rmSync(dir, { recursive: true });
  });

  it("is refused without its pins, each with the line that looks them up", async () => {
    const { code, stdout } = await project.pulumi("preview");
    assert.notEqual(code, 0);
    for (const name of names) assert.ok(stdout.includes(`policy-platform pin ${name} `), stdout);
  });

  it("is told what its address gives where that is not the file, and nothing is written", async () => {
    const before = JSON.stringify(tools());
    const page = { body: "<!doctype html><title>Sign in</title>", headers: { "content-type": "text/html" } };
    for (const [answer, message] of [
      [page, /gave a web page/],
      [{ status: 404 }, /answered 404/],
      [{ status: 403 }, /answered 403; .*no credentials are sent/],
      [{ body: zipball([{ name: "../plain" }]) }, /entry "\.\.\/plain" of .* leads out of the archive/],
    ] as const) {
      instead = answer;
      const { code, stderr } = await policyPlatform("pin", "plain");
      assert.equal(code, 1);
      assert.match(stderr, message);
    }
    instead = undefined;
    assert.equal(JSON.stringify(tools()), before);
  });

  it("is pinned: checksum and layer digest of a release, digests of an image", async () => {
    const lines = [...page.matchAll(/policy-platform pin (greet|odd)(?=[`\n])/g)].map(([, name]) => name!);
    assert.deepEqual(lines.sort(), ["greet", "odd"]);
    for (const name of ["packed", "zipped", "plain", ...lines]) await expectSuccess(policyPlatform("pin", name));
    const { packed, odd } = tools();
    assert.match(packed.release.sha256, /^[0-9a-f]{64}$/);
    assert.match(packed.release.digest, /^sha256:[0-9a-f]{64}$/);
    assert.match(odd.image.reference, /somebody\/odd:1\.2\.0@sha256:[0-9a-f]{64}$/);
    assert.match(odd.image.digest, /^sha256:[0-9a-f]{64}$/);
    const again = await expectSuccess(policyPlatform("pin", "packed"));
    assert.match(again.stdout + again.stderr, /was pinned already/);
  });

  it("is released from a tar.gz, a zip, a plain file and an image of others; nothing of it runs before the gate", async () => {
    await expectSuccess(project.pulumi("preview"));
    const asked = files.requests.length;
    await expectSuccess(up());
    assert.equal(files.requests.length, asked, "the pins' downloads are in the cache");
    const { gate, image } = await project.outputs();
    const passed = gate.checks.filter(({ status }: { status: string }) => status === "passed");
    for (const name of names)
      assert.deepEqual(
        passed.find((check: { name: string }) => check.name === `smoke: ${name}`)?.detail,
        "1.2.0",
        JSON.stringify(gate.checks),
      );
    assert.equal(existsSync(trace), false, "a release was started on this machine");
    const { stdout } = await runImage(image.reference, ["bash", "-c", "odd; ls -d /opt/* /etc/other /LICENSE"], {
      env: project.env,
    });
    assert.equal(stdout, "odd 1.2.0\n/opt/packed\n");
  });

  it("is raised by its version alone, which is replaced in its address and its member", async () => {
    const { greet } = tools();
    await expectSuccess(policyPlatform("pin", "greet", "1.3.0"));
    assert.equal(tools().greet.release.url, greet.release.url.replace("1.2.0", "1.3.0"));
    assert.equal(tools().greet.release.member, "greet-1.3.0/greet");
    const { stdout } = await expectSuccess(project.pulumi("preview"));
    assert.match(stdout, /tools greet: 1\.2\.0 → 1\.3\.0 \(tool upgrade\)/);
    await expectSuccess(up());
  });

  it("whose file was exchanged on its server is refused before anything is built, and the tags stay", async () => {
    const before = (await project.outputs()).version;
    served.set("/1.2.0/plain", Buffer.concat([script("plain"), Buffer.from("# and more\n")]));
    rmSync(join(dir, "cache"), { recursive: true });
    const { digest } = parsePinned((await project.outputs()).image.reference);
    // The layer is in the registry: there is nothing to download, and nothing changes.
    await expectSuccess(up());
    project.configure((config) => {
      config["policy-platform:tools"].plain.path = "/usr/local/bin/plain2";
      delete config["policy-platform:tools"].plain.release.digest;
    });
    const { code, stdout } = await up();
    assert.notEqual(code, 0);
    assert.match(
      stdout,
      /has the sha256 [0-9a-f]{64}, not [0-9a-f]{64}; a download is used only when it is the file that was pinned/,
    );
    const outputs = await project.outputs();
    assert.equal(outputs.version ?? before, before);
    const releases = parseRepository(`${registry.host}/releases/policy-platform`);
    assert.equal((await new RegistryClient().resolve(releases, "latest"))?.digest, digest);
  });
});
