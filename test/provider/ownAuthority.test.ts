// A registry over TLS whose certificate comes from a company's own authority: what the command says of it, and what makes it work.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../lib/exec";
import { unreachable } from "../../lib/oci/failures";
import { type Authority, makeAuthority } from "../support/authority";
import { startRegistry, type TestRegistry } from "../support/registry";

const root = join(__dirname, "..", "..");
const name = "registry.acme.test";

describe("stand-in: a registry under a company's name, whose certificate comes from the company's own authority", function () {
  this.timeout(60_000);
  let authority: Authority;
  let registry: TestRegistry;
  let folder: string;
  let host: string;

  before(async () => {
    authority = await makeAuthority(name);
    registry = await startRegistry({ tls: authority });
    host = `${name}:${registry.host.split(":")[1]}`;
    folder = join(mkdtempSync(join(tmpdir(), "own-authority-")), "security-policy");
    cpSync(join(root, "policies/security-policy"), folder, { recursive: true });
  });
  after(async () => {
    await registry?.stop();
    authority?.remove();
    if (folder) rmSync(join(folder, ".."), { recursive: true, force: true });
  });

  const push = (env: Record<string, string> = {}) =>
    exec(
      process.execPath,
      [
        join(root, "dist/cli/policy-platform.js"),
        ...["repository", "push", folder, `${host}/policies/security-policy:v1`, "--skip-tests"],
      ],
      {
        env: {
          NODE_OPTIONS: `--require ${join(root, "test/support/standInHosts.cjs")}`,
          POLICY_PLATFORM_TEST_HOSTS: `${host}=${registry.host}`,
          ...env,
        },
      },
    );

  it("is refused by name, with the file to give to Node and to the Docker engine", async () => {
    const { code, stdout, stderr } = await push();
    assert.notEqual(code, 0);
    assert.match(
      stdout + stderr,
      new RegExp(
        `the certificate of ${host} is not trusted: .*; run the command with NODE_EXTRA_CA_CERTS=<file of that authority>, and give the Docker engine the file as /etc/docker/certs\\.d/${host}/ca\\.crt`,
      ),
    );
    assert.doesNotMatch(stdout + stderr, /trying again/);
  });

  it("works with NODE_EXTRA_CA_CERTS", async () => {
    const { code, stdout, stderr } = await push({ NODE_EXTRA_CA_CERTS: authority.file });
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, new RegExp(`${host}/policies/security-policy:v1@sha256:`));
  });

  it("is asked without the proxy that the environment names, which nobody listens at", async () => {
    const dead = "http://127.0.0.1:9";
    const names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    const proxies = Object.fromEntries(names.map((variable) => [variable, dead]));
    const { code, stdout, stderr } = await push({ NODE_EXTRA_CA_CERTS: authority.file, ...proxies, NO_PROXY: "" });
    assert.equal(code, 0, stdout + stderr);
  });

  it("is told another way out when its certificate is known and does not fit", () => {
    const exchanged = { method: "GET", url: new URL(`https://${host}/v2/`) };
    for (const code of ["CERT_HAS_EXPIRED", "ERR_TLS_CERT_ALTNAME_INVALID"]) {
      const error = unreachable(exchanged, Object.assign(new Error("certificate has expired"), { code }));
      assert.equal(error.code, "registry-untrusted");
      assert.match(error.message, /a certificate that is valid for that name and today/);
    }
  });
});
