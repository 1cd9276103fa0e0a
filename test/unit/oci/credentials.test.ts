// Docker's credential files and helpers: the exact host or nothing.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dockerCredentials } from "../../../lib/oci/credentials";
import { identify } from "../../../lib/process";
import { refused } from "../../support/refused";

const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("docker credentials", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "credentials-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const environment = () => ({ DOCKER_CONFIG: dir, HOME: dir, PATH: `${dir}/bin:${process.env.PATH}` });
  const find = (config: unknown, host: string) => {
    writeFileSync(join(dir, "config.json"), typeof config === "string" ? config : JSON.stringify(config));
    return dockerCredentials(environment()).find(host);
  };
  const helper = (name: string, script: string) => {
    mkdirSync(join(dir, "bin"), { recursive: true });
    const path = join(dir, "bin", `docker-credential-${name}`);
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
  };

  it("are none without a docker config", async () =>
    assert.equal(await dockerCredentials(environment()).find("a.example"), undefined));

  it("are read from ~/.docker where DOCKER_CONFIG is not set", async () => {
    mkdirSync(join(dir, ".docker"));
    writeFileSync(
      join(dir, ".docker", "config.json"),
      JSON.stringify({ auths: { "a.example": { auth: base64("u:p") } } }),
    );
    assert.deepEqual(await dockerCredentials({ HOME: dir }).find("a.example"), { username: "u", password: "p" });
  });

  for (const key of [
    "a.example:5000",
    "https://a.example:5000",
    "https://a.example:5000/v1/",
    "https://a.example:5000/v2/",
    "http://a.example:5000",
  ]) {
    it(`are found under ${key}`, async () => {
      assert.deepEqual(await find({ auths: { [key]: { auth: base64("u:p:q") } } }, "a.example:5000"), {
        username: "u",
        password: "p:q",
      });
    });
  }

  const strangers = [
    "a.example",
    "a.example:5001",
    "b.a.example:5000",
    "a.example:5000.evil.example",
    "evil-a.example:5000",
    "https://a.example:5000/path",
    "A.example:5000",
    "*",
    "",
    "https://index.docker.io/v1/",
  ];
  for (const key of strangers) {
    it(`of ${JSON.stringify(key)} are not given to a.example:5000`, async () => {
      assert.equal(await find({ auths: { [key]: { auth: base64("u:p") } } }, "a.example:5000"), undefined);
    });
  }

  for (const host of ["docker.io", "index.docker.io", "registry-1.docker.io"]) {
    it(`of Docker Hub are kept under its key of old and serve ${host}`, async () => {
      assert.deepEqual(await find({ auths: { "https://index.docker.io/v1/": { auth: base64("u:p") } } }, host), {
        username: "u",
        password: "p",
      });
    });
  }

  for (const host of ["index.docker.io.evil.example", "docker.io.evil.example", "evil-docker.io", "mirror.docker.io"]) {
    it(`of Docker Hub are not given to ${host}`, async () => {
      assert.equal(
        await find(
          { auths: { "https://index.docker.io/v1/": { auth: base64("u:p") }, "docker.io": { auth: base64("u:p") } } },
          host,
        ),
        undefined,
      );
    });
  }

  it("of Docker Hub's key are not found through other spellings of it", async () => {
    for (const key of [
      "index.docker.io",
      "https://index.docker.io",
      "https://index.docker.io/v2/",
      "http://index.docker.io/v1/",
    ]) {
      assert.equal(await find({ auths: { [key]: { auth: base64("u:p") } } }, "docker.io"), undefined, key);
    }
  });

  it("may be an identity token, or a name and a password beside each other", async () => {
    assert.deepEqual(
      await find({ auths: { "a.example": { auth: base64("u:"), identitytoken: "refresh" } } }, "a.example"),
      { identityToken: "refresh" },
    );
    assert.deepEqual(await find({ auths: { "a.example": { username: "u", password: "p" } } }, "a.example"), {
      username: "u",
      password: "p",
    });
    assert.equal(await find({ auths: { "a.example": {} } }, "a.example"), undefined);
  });

  it("are never taken from a prototype", async () => {
    assert.equal(await find({ auths: {}, credHelpers: {} }, "constructor"), undefined);
    assert.equal(await find({ auths: {}, credHelpers: {} }, "__proto__"), undefined);
  });

  for (const text of [
    "{",
    "[]",
    "null",
    '"x"',
    '{"auths": []}',
    '{"credHelpers": 3}',
    '{"auths":{"a.example":{"auth":"bm9jb2xvbg=="}}}',
  ]) {
    it(`are refused with the file's name when it holds ${text}`, async () => {
      const error = await refused("docker-config-malformed", () => find(text, "a.example"));
      assert.match(error.message, /config\.json/);
    });
  }

  it("in a broken file are not printed", async () => {
    const error = await refused("docker-config-malformed", () =>
      find('{"auths":{"a.example":{"auth":"c2VjcmV0"}', "a.example"),
    );
    assert.doesNotMatch(error.message, /c2VjcmV0/);
  });

  it("come from the helper of the very host, which is given the host and nothing else", async () => {
    helper("mine", `cat > ${dir}/asked; echo '{"ServerURL":"x","Username":"u","Secret":"s"}'`);
    helper("other", "exit 9");
    const config = { credHelpers: { "a.example": "mine", "b.example": "other" }, credsStore: "other" };
    assert.deepEqual(await find(config, "a.example"), { username: "u", password: "s" });
    assert.equal(readFileSync(join(dir, "asked"), "utf8"), "a.example");
  });

  it("come from the store for every other host, Docker Hub by its key of old", async () => {
    helper("store", `cat > ${dir}/asked; echo '{"Username":"<token>","Secret":"refresh"}'`);
    assert.deepEqual(await find({ credsStore: "store" }, "docker.io"), { identityToken: "refresh" });
    assert.equal(readFileSync(join(dir, "asked"), "utf8"), "https://index.docker.io/v1/");
  });

  it("that a helper does not have are looked for in the file", async () => {
    helper("store", "echo 'credentials not found in native keychain'; exit 1");
    assert.equal(await find({ credsStore: "store" }, "a.example"), undefined);
    assert.deepEqual(
      await find({ credsStore: "store", auths: { "a.example": { auth: base64("u:p") } } }, "a.example"),
      { username: "u", password: "p" },
    );
  });

  it("helpers see no variable that is not on the list", async () => {
    helper(
      "env",
      `cat >/dev/null; echo "{\\"Username\\":\\"u\\",\\"Secret\\":\\"$AWS_PROFILE-$PULUMI_ACCESS_TOKEN\\"}"`,
    );
    writeFileSync(join(dir, "config.json"), JSON.stringify({ credsStore: "env" }));
    const found = await dockerCredentials({ ...environment(), AWS_PROFILE: "dev", PULUMI_ACCESS_TOKEN: "pul-1" }).find(
      "a.example",
    );
    assert.deepEqual(found, { username: "u", password: "dev-" });
  });

  const failing: readonly [string, string, RegExp][] = [
    ["is missing", "", /docker-credential-broken .*not on the PATH/],
    ["fails", "cat >/dev/null; echo 'keyring is locked'; exit 1", /keyring is locked/],
    ["answers no JSON", "cat >/dev/null; echo hello", /not JSON/],
    [
      "answers with bytes that are no UTF-8",
      'cat >/dev/null; printf \'{"Username":"u","Secret":"\\351"}\'',
      /not UTF-8/,
    ],
    ["answers without an end", "cat >/dev/null; head -c 3000000 /dev/zero | tr '\\0' x", /its answer has no end/],
    ["answers without a secret", "cat >/dev/null; echo '{}'", /no Username and Secret/],
  ];
  for (const [what, script, expected] of failing) {
    it(`a helper that ${what} is named`, async () => {
      if (script !== "") helper("broken", script);
      const error = await refused("credential-helper-failed", () =>
        find({ credHelpers: { "a.example": "broken" } }, "a.example"),
      );
      assert.match(error.message, expected);
    });
  }

  it("a helper that hangs is given up in time, with all that it started", async () => {
    helper("broken", `cat >/dev/null; sleep 32 & echo $! > ${dir}/pid; wait`);
    writeFileSync(join(dir, "config.json"), JSON.stringify({ credsStore: "broken" }));
    const begun = Date.now();
    const error = await refused("credential-helper-failed", () =>
      dockerCredentials(environment(), { timeout: 500 }).find("a.example"),
    );
    assert.match(
      error.message,
      /docker-credential-broken gave nothing for a\.example: it did not answer within 0\.5 s/,
    );
    assert.ok(Date.now() - begun < 5000);
    assert.equal(identify(Number(readFileSync(join(dir, "pid"), "utf8"))), undefined);
  });

  it("a helper that fails with the answer on its screen is not quoted", async () => {
    helper("broken", `cat >/dev/null; echo '{"Username":"u","Secret":"canary"}'; exit 3`);
    const error = await refused("credential-helper-failed", () => find({ credsStore: "broken" }, "a.example"));
    assert.match(error.message, /it ended with 3;/);
  });

  it("a helper is told where Google's credentials are", async () => {
    helper(
      "gcloud",
      `cat >/dev/null; echo "{\\"Username\\":\\"$CLOUDSDK_CONFIG\\",\\"Secret\\":\\"$GCE_METADATA_HOST\\"}"`,
    );
    writeFileSync(join(dir, "config.json"), JSON.stringify({ credHelpers: { "gcr.io": "gcloud" } }));
    const env = { ...environment(), CLOUDSDK_CONFIG: "/config", GCE_METADATA_HOST: "metadata" };
    assert.deepEqual(await dockerCredentials(env).find("gcr.io"), { username: "/config", password: "metadata" });
  });

  for (const name of ["../evil", "a b", "x;y", "", 3]) {
    it(`a helper is never started by the name ${JSON.stringify(name)}`, async () => {
      if (name === "") assert.equal(await find({ credHelpers: { "a.example": name } }, "a.example"), undefined);
      else await refused("credential-helper-failed", () => find({ credHelpers: { "a.example": name } }, "a.example"));
    });
  }
});
