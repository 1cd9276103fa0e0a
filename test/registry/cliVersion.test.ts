import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { baseDocument, baseKey, baseLabel } from "../../lib/base/packages";
import { RegistryClient } from "../../lib/oci/client";
import { folderLayerImage, pushLayerImage } from "../../lib/oci/layer";
import { parsePinned, parseRepository } from "../../lib/oci/reference";
import { keepVariables } from "../support/environment";
import { pushImage } from "../support/pushImage";
import { pushRelease } from "../support/pushRelease";
import { dockerConfig, startRegistry, type TestRegistry } from "../support/registry";
import { run } from "../unit/cli/run";
import { makeProject, pinned } from "../unit/config/valid";

describe("policy-platform version", () => {
  let registry: TestRegistry;
  let closed: TestRegistry;
  let restore: () => void;
  before(async () => {
    [registry, closed] = await Promise.all([startRegistry(), startRegistry({ basic: true })]);
    restore = keepVariables();
    process.env.PATH = "/nowhere"; // no engine: the registry alone is believed
  });
  after(async () => {
    restore();
    await Promise.all([registry.stop(), closed.stop()]);
  });

  function project(host: string, more = "") {
    const { folder } = projectAt(host, more);
    return (...argv: string[]) => run("version", "--stack", "dev", "--cwd", folder, ...argv);
  }

  function projectAt(host: string, more = "") {
    const folder = makeProject();
    writeFileSync(join(folder, "Pulumi.yaml"), "name: policy-platform\n");
    writeFileSync(
      join(folder, "Pulumi.dev.yaml"),
      `config:
  policy-platform:registry: {address: "${host}"}
  policy-platform:base: {image: "${pinned("layers/base")}"}
  policy-platform:policies: {security-policy: {folder: policies/security-policy}}
${more}`,
    );
    return { folder };
  }

  it("says that nothing was released yet, and which version comes first", async () => {
    const { code, stdout, stderr } = await project(registry.host)();
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "last      no release yet\nrequired  first\nnext      v1.0.0\n");
    assert.match(stderr, /the stack's state was not read \(no command pulumi\)/);
  });

  it("answers programs", async () => {
    const { data } = await project(registry.host)("-o", "json");
    const { reason, ...rest } = data;
    assert.deepEqual(rest, { stack: "dev", next: "v1.0.0", required: "first", changes: [] });
    assert.equal(typeof reason, "string");
  });

  it("waits for the base with packages, and knows the version once any stack has built it", async () => {
    const source = parseRepository(`${registry.host}/layers/debian`);
    const base = {
      image: `${registry.host}/layers/debian@${await pushImage(source, {})}`,
      packages: { apt: { hello: "2.10-3" } },
    };
    const { folder } = projectAt(registry.host);
    const file = join(folder, "Pulumi.dev.yaml");
    writeFileSync(
      file,
      readFileSync(file, "utf8").replace(/policy-platform:base: .*/, `policy-platform:base: ${JSON.stringify(base)}`),
    );
    const version = () => run("version", "--stack", "dev", "--cwd", folder);
    const unbuilt = await version();
    assert.equal(unbuilt.code, 1);
    assert.match(
      unbuilt.stderr,
      /a base with 1 package is built first, as [^;]+ is not there yet; [^;]+; pulumi up --stack dev builds it/,
    );
    await pushImage(
      parseRepository(`${registry.host}/layers/base`),
      { Labels: { [baseLabel]: baseDocument(base) } },
      baseKey(base),
    );
    assert.match((await version()).stdout, /^next {6}v1\.0\.0$/m);
  });

  describe("of a stack that has released", () => {
    let folder: string;
    const released: { digest?: string } = {};
    const ask = async (...argv: string[]) => run("version", "--stack", "dev", "--cwd", folder, ...argv);

    before(async () => {
      ({ folder } = projectAt(registry.host));
      const layer = await folderLayerImage(join(folder, "policies/security-policy"), { at: "/repos/security-policy" });
      const client = new RegistryClient();
      await pushLayerImage(client, parseRepository(`${registry.host}/layers/repositories/security-policy`), layer);
      released.digest = await pushRelease(client, parseRepository(`${registry.host}/releases/policy-platform`), {
        version: "v1.0.0",
        inputs: {
          format: 1,
          base: parsePinned(pinned("layers/base")).digest,
          image: { user: "65532:65532" },
          repositories: { "security-policy": { digest: layer.digest } },
          tools: {},
        },
      });
    });

    it("asks for no step while nothing changed", async () => {
      const { code, stdout, stderr } = await ask();
      assert.equal(code, 0, stderr);
      assert.equal(stdout, `last      v1.0.0 ${released.digest}\nrequired  none\nnext      v1.0.0\n`);
      assert.match(stderr, /✔ v1\.0\.0 \(unchanged\)\n$/);
    });

    it("prints the next version alone, for a script", async () => {
      const { code, stdout, stderr } = await ask("--next");
      assert.equal(code, 0, stderr);
      assert.equal(stdout, "v1.0.0\n");
      assert.deepEqual((await ask("--next", "-o", "json")).data, {
        stack: "dev",
        next: "v1.0.0",
        required: "none",
        reason: "v1.0.0 (unchanged)",
      });
    });

    it("says which step an edit asks for, and why", async () => {
      const file = join(folder, "policies/security-policy/a.yaml");
      const before = readFileSync(file);
      try {
        writeFileSync(file, "a: 2\n");
        const { code, stdout, stderr } = await ask();
        assert.equal(code, 0, stderr);
        const lines = stdout.trimEnd().split("\n");
        assert.deepEqual(lines.slice(0, 3), [
          `last      v1.0.0 ${released.digest}`,
          "required  patch",
          "next      v1.0.1",
        ]);
        assert.equal(lines.length, 4);
        assert.match(lines[3]!, /^ {2}policies security-policy: [0-9a-f]{12} → [0-9a-f]{12} \(policy update\)$/);
        assert.match(stderr, /✔ v1\.0\.0 → v1\.0\.1 \(policy update\)\n$/);
        const { data } = await ask("-o", "json");
        assert.deepEqual(
          [data.required, data.next, data.last],
          ["patch", "v1.0.1", { version: "v1.0.0", ...released }],
        );
      } finally {
        writeFileSync(file, before);
      }
    });

    it("refuses a version that other pins have, and names the next free one", async () => {
      const other = projectAt(registry.host, "  policy-platform:version: v1.0.0\n").folder;
      writeFileSync(join(other, "policies/security-policy/a.yaml"), "a: 3\n");
      const { code, data } = await run("version", "--stack", "dev", "--cwd", other, "-o", "json");
      assert.equal(code, 1);
      const { error } = data as { error: { code: string; fix: string } };
      assert.deepEqual(
        [error.code, error.fix],
        ["version-taken", "take the next free one: pulumi config set policy-platform:version v1.0.1 --stack dev"],
      );
    });
  });

  it("goes on above the v1.0.2 of a script once the line of the how-to was typed", async () => {
    const image = "from-a-script";
    const { folder } = projectAt(registry.host, `  policy-platform:image: {name: ${image}}\n`);
    const file = join(folder, "Pulumi.dev.yaml");
    const ask = () => run("version", "--stack", "dev", "--cwd", folder, "-o", "json");
    const client = new RegistryClient();
    const releases = parseRepository(`${registry.host}/releases/${image}`);
    for (const version of ["v1.0.1", "v1.0.2"]) await pushRelease(client, releases, { version });

    const refused = (await ask()).data.error as { code: string; fix: string };
    assert.equal(refused.code, "release-foreign");
    const line = "pulumi config set policy-platform:version v1.0.3";
    assert.ok(refused.fix.startsWith(`${line} --stack dev, a higher one if you like`), refused.fix);
    assert.ok(readFileSync(join(__dirname, "../../docs/how-to/set-up-a-stack.md"), "utf8").includes(`\n${line}\n`));

    const withAuto = readFileSync(file, "utf8");
    writeFileSync(file, `${withAuto}  policy-platform:version: v1.0.3\n`);
    assert.equal((await ask()).data.reason, "v1.0.2 → v1.0.3 (first release above a foreign image)");
    const layer = await folderLayerImage(join(folder, "policies/security-policy"), { at: "/repos/security-policy" });
    await pushLayerImage(client, parseRepository(`${registry.host}/layers/repositories/security-policy`), layer);
    const inputs = {
      format: 1,
      base: parsePinned(pinned("layers/base")).digest,
      image: { user: "65532:65532" },
      repositories: { "security-policy": { digest: layer.digest } },
      tools: {},
    };
    await pushRelease(client, releases, { version: "v1.0.3", inputs });

    writeFileSync(file, withAuto);
    assert.equal((await ask()).data.reason, "v1.0.3 (unchanged)");
    writeFileSync(join(folder, "policies/security-policy/a.yaml"), "a: 2\n");
    assert.equal((await ask()).data.reason, "v1.0.3 → v1.0.4 (policy update)");
  });

  it("fails when the registry cannot be read, and never takes that for no release", async () => {
    const { code, data } = await project("127.0.0.1:1")("-o", "json");
    assert.equal(code, 1);
    assert.equal((data.error as { code: string }).code, "registry-unavailable");
  }).timeout(90_000);

  it("reads a closed registry with the credentials of the docker config", async () => {
    const logOut = keepVariables();
    try {
      process.env.DOCKER_CONFIG = "/nowhere";
      const refused = await project(closed.host)("-o", "json");
      assert.equal((refused.data.error as { code: string }).code, "registry-unauthorized");
      process.env.DOCKER_CONFIG = dockerConfig(closed.host);
      const { code, stderr } = await project(closed.host)();
      assert.equal(code, 0, stderr);
    } finally {
      logOut();
    }
  });

  it("needs a valid configuration and every digest", async () => {
    const invalid = await project(registry.host, "  policy-platform:versoin: auto\n")("-o", "json");
    assert.equal(invalid.code, 2);
    assert.equal((invalid.data.error as { problems: unknown[] }).problems.length, 1);
    const release = `{version: "4.54.1", release: {url: "https://example.com/yq", sha256: "${"a".repeat(64)}"}}`;
    const unpinned = await project(registry.host, `  policy-platform:tools: {yq: ${release}}\n`)();
    assert.equal(unpinned.code, 2);
    assert.match(unpinned.stderr, /the layer image digest of yq is not pinned; .*; policy-platform pin yq --stack dev/);
  });
});
