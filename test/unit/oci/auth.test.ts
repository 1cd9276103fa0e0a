// Who gets which credential: challenges, token servers, redirects, other hosts.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseChallenges } from "../../../lib/oci/challenge";
import { RegistryClient } from "../../../lib/oci/client";
import { type Credentials, dockerCredentials } from "../../../lib/oci/credentials";
import { allowsPlainHttp, isLoopback, isSameRepository, refuseHop, registryOrigin } from "../../../lib/oci/hosts";
import { refused } from "../../support/refused";
import { digestOf, emptyManifest, manifestAnswer, notFound, quickLimits } from "../../support/scriptedRegistry";
import {
  type Script,
  type ScriptedAnswer,
  type ScriptedServer,
  startScriptedServer,
} from "../../support/scriptedServer";

const basic = `Basic ${Buffer.from("u:p").toString("base64")}`;
const blob = Buffer.from("content");

describe("registry authentication", () => {
  const servers: ScriptedServer[] = [];
  const start = async (script: Script) => {
    const server = await startScriptedServer(script);
    servers.push(server);
    return server;
  };
  afterEach(async () => void (await Promise.all(servers.splice(0).map((server) => server.stop()))));

  const client = (credentials: Credentials | undefined, asked: string[] = []) =>
    new RegistryClient({
      limits: quickLimits,
      credentials: {
        find: async (host) => {
          asked.push(host);
          return credentials;
        },
      },
    });
  const user = { username: "u", password: "p" };
  const bearer = (realm: string, scope = "") => ({
    status: 401,
    headers: { "www-authenticate": `Bearer realm="${realm}",service="svc"${scope === "" ? "" : `,scope="${scope}"`}` },
  });

  it("asks anonymously first and looks for credentials only when asked to", async () => {
    const registry = await start(() => notFound);
    const asked: string[] = [];
    assert.deepEqual(await client(user, asked).tags({ registry: registry.host, path: "a" }), []);
    assert.equal(registry.requests[0]!.headers.authorization, undefined);
    assert.deepEqual(asked, []);
  });

  it("answers a basic challenge, and sends it unasked from then on", async () => {
    const registry = await start(({ headers }) =>
      headers.authorization === basic ? notFound : { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } },
    );
    const asked: string[] = [];
    const registryClient = client(user, asked);
    await registryClient.tags({ registry: registry.host, path: "a" });
    await registryClient.tags({ registry: registry.host, path: "b" });
    assert.deepEqual(
      registry.requests.map(({ headers }) => headers.authorization),
      [undefined, basic, basic],
    );
    assert.deepEqual(asked, [registry.host]);
  });

  it("fetches a token for the scope it needs, once, and the scope the registry names beside it", async () => {
    const registry = await start(({ path, headers }) => {
      if (path.startsWith("/token")) return { body: JSON.stringify({ token: "t1", expires_in: 300 }) };
      return headers.authorization === "Bearer t1"
        ? notFound
        : bearer(`http://${registry.host}/token?x=1`, "repository:other:pull");
    });
    const registryClient = client(user);
    const repository = { registry: registry.host, path: "a/b" };
    await registryClient.tags(repository);
    await registryClient.tags(repository);
    assert.equal(await registryClient.resolve(repository, "v1"), undefined);
    const tokens = registry.requests.filter(({ path }) => path.startsWith("/token"));
    assert.equal(tokens.length, 1);
    assert.equal(
      tokens[0]!.path,
      "/token?x=1&service=svc&scope=repository%3Aa%2Fb%3Apull&scope=repository%3Aother%3Apull",
    );
    assert.equal(tokens[0]!.headers.authorization, basic);
    assert.equal(registry.requests.filter(({ headers }) => headers.authorization === "Bearer t1").length, 3);
  });

  it("asks for pull and push where it writes, and keeps the two tokens apart", async () => {
    const registry = await start(({ path, method, headers }) => {
      if (path.startsWith("/token"))
        return { body: JSON.stringify({ access_token: new URL(path, "http://x").searchParams.get("scope") }) };
      if (headers.authorization === undefined) return bearer(`http://${registry.host}/token`);
      return method === "HEAD" ? { status: 404 } : { status: 403 };
    });
    const registryClient = client(undefined);
    const repository = { registry: registry.host, path: "a" };
    assert.equal(await registryClient.hasBlob(repository, digestOf("x")), false);
    await refused("registry-unauthorized", () =>
      registryClient.pushBlob(repository, { digest: digestOf(blob), size: blob.length }, { bytes: blob }),
    );
    const sent = registry.requests.map(({ method, headers }) => `${method} ${headers.authorization}`);
    assert.deepEqual(sent.slice(-2), ["HEAD Bearer repository:a:pull,push", "POST Bearer repository:a:pull,push"]);
    assert.equal(
      registry.requests
        .filter(({ path }) => path.startsWith("/token"))
        .every(({ headers }) => headers.authorization === undefined),
      true,
    );
  });

  it("asks for the right to pull from where a blob is mounted", async () => {
    const registry = await start(({ path, method, headers }) => {
      if (path.startsWith("/token")) return { body: JSON.stringify({ token: "t" }) };
      if (headers.authorization === undefined) return bearer(`http://${registry.host}/token`);
      return method === "HEAD" ? { status: 404 } : { status: 201 };
    });
    const result = await client(user).pushBlob(
      { registry: registry.host, path: "to" },
      { digest: digestOf(blob), size: 7 },
      { bytes: blob },
      { mountFrom: { registry: registry.host, path: "from" } },
    );
    assert.equal(result, "mounted");
    const scopes = registry.requests
      .filter(({ path }) => path.startsWith("/token"))
      .map(({ path }) => new URL(path, "http://x").searchParams.getAll("scope"));
    assert.deepEqual(scopes, [["repository:to:pull,push"], ["repository:from:pull", "repository:to:pull,push"]]);
  });

  it("renews a token that is refused, once", async () => {
    let valid = "t1";
    let made = 0;
    const registry = await start(({ path, headers }) => {
      if (path.startsWith("/token")) return { body: JSON.stringify({ token: `t${++made}`, expires_in: 3600 }) };
      return headers.authorization === `Bearer ${valid}` ? notFound : bearer(`http://${registry.host}/token`);
    });
    const registryClient = client(user);
    await registryClient.tags({ registry: registry.host, path: "a" });
    valid = "t2";
    await registryClient.tags({ registry: registry.host, path: "a" });
    valid = "never";
    await refused("registry-unauthorized", () => registryClient.tags({ registry: registry.host, path: "a" }));
    assert.equal(made, 3);
  });

  it("fetches one token for many requests at the same time", async () => {
    const registry = await start(({ path, headers }) => {
      if (path.startsWith("/token")) return { body: JSON.stringify({ token: "t" }), delay: 20 };
      return headers.authorization === "Bearer t" ? { status: 404 } : bearer(`http://${registry.host}/token`);
    });
    const registryClient = client(user);
    await Promise.all(
      [1, 2, 3, 4, 5].map((n) => registryClient.hasBlob({ registry: registry.host, path: "a" }, digestOf(String(n)))),
    );
    assert.equal(registry.requests.filter(({ path }) => path.startsWith("/token")).length, 1);
  });

  it("exchanges an identity token by POST, so that it stands in no address", async () => {
    const registry = await start(({ path, headers }) => {
      if (path.startsWith("/token")) return { body: JSON.stringify({ access_token: "t" }) };
      return headers.authorization === "Bearer t" ? notFound : bearer(`http://${registry.host}/token`);
    });
    await client({ identityToken: "refresh" }).tags({ registry: registry.host, path: "a" });
    const token = registry.requests.find(({ path }) => path.startsWith("/token"))!;
    assert.equal(`${token.method} ${token.path}`, "POST /token");
    assert.deepEqual(Object.fromEntries(new URLSearchParams(token.body.toString())), {
      grant_type: "refresh_token",
      client_id: "policy-platform",
      refresh_token: "refresh",
      service: "svc",
      scope: "repository:a:pull",
    });
  });

  it("says where credentials come from when there are none, or wrong ones", async () => {
    const registry = await start(() => ({ status: 401, headers: { "www-authenticate": 'Basic realm="x"' } }));
    const repository = { registry: registry.host, path: "a" };
    const none = await refused("registry-unauthorized", () => client(undefined).tags(repository));
    assert.match(none.message, /no credentials for it are in the docker config.*docker login 127\.0\.0\.1/);
    const wrong = await refused("registry-unauthorized", () => client(user).tags(repository));
    assert.match(wrong.message, /answered 401 to GET/);
    assert.doesNotMatch(wrong.message, new RegExp(basic.slice(6)));
    await refused("registry-unauthorized", () => client({ identityToken: "x" }).tags(repository));
  });

  it("tells missing rights from missing credentials", async () => {
    const registry = await start(({ path, headers }): ScriptedAnswer => {
      if (path.startsWith("/token")) return { body: JSON.stringify({ token: "t" }) };
      const challenge = bearer(`http://${registry.host}/token`);
      if (headers.authorization === undefined) return challenge;
      return {
        status: 401,
        headers: { "www-authenticate": `${challenge.headers["www-authenticate"]},error="insufficient_scope"` },
      };
    });
    const error = await refused("registry-forbidden", () => client(user).tags({ registry: registry.host, path: "a" }));
    assert.match(error.message, /answered 401/);
    const nobody = await refused("registry-unauthorized", () =>
      client(undefined).tags({ registry: registry.host, path: "a" }),
    );
    assert.match(nobody.message, /answered 401 .*no credentials for it were found.*docker login/);
  });

  it("sends a service account's key as Google's registries take it, with its lines, quotes and colons", async () => {
    const key = JSON.stringify(
      { type: "service_account", private_key: "-----BEGIN-----\na:b\n-----END-----\n" },
      null,
      2,
    );
    for (const [username, password] of [
      ["_json_key", key],
      ["_json_key_base64", Buffer.from(key).toString("base64")],
    ] as const) {
      const expected = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
      for (const scheme of ["basic", "bearer"]) {
        const registry = await start(({ path, headers }): ScriptedAnswer => {
          const isToken = path.startsWith("/token");
          const wanted = scheme === "basic" || isToken ? expected : "Bearer t";
          if (headers.authorization === wanted)
            return isToken ? { body: '{"token":"t"}' } : { body: '{"tags":["v1"]}' };
          if (isToken) return { status: 401 };
          return scheme === "basic"
            ? { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } }
            : bearer(`http://${registry.host}/token`);
        });
        const dir = mkdtempSync(join(tmpdir(), "json-key-"));
        const auth = Buffer.from(`${username}:${password}`).toString("base64");
        writeFileSync(join(dir, "config.json"), JSON.stringify({ auths: { [registry.host]: { auth } } }));
        const credentials = dockerCredentials({ DOCKER_CONFIG: dir });
        const tags = new RegistryClient({ limits: quickLimits, credentials }).tags({
          registry: registry.host,
          path: "a",
        });
        assert.deepEqual(await tags, ["v1"], `${username} by ${scheme}`);
        rmSync(dir, { recursive: true });
      }
    }
  });

  it("says so when a 401 asks for nothing we know", async () => {
    for (const headers of [{}, { "www-authenticate": "Negotiate" }, { "www-authenticate": '"' }] as Record<
      string,
      string
    >[]) {
      const registry = await start(() => ({ status: 401, headers }));
      await refused("registry-unauthorized", () => client(user).tags({ registry: registry.host, path: "a" }));
    }
  });

  const tokenAnswers: readonly [string, string, object][] = [
    ["refuses", "registry-unauthorized", { status: 401 }],
    ["forbids", "registry-unauthorized", { status: 403 }],
    ["is down", "registry-unavailable", { status: 503 }],
    ["throttles", "registry-throttled", { status: 429 }],
    ["answers a web page", "registry-answer", { body: "<html>" }],
    ["answers no token", "registry-answer", { body: "{}" }],
    ["answers a token that would add a header", "registry-answer", { body: JSON.stringify({ token: "a\r\nx: y" }) }],
    ["redirects", "registry-answer", { status: 302, headers: { location: "http://127.0.0.1:1/" } }],
  ];
  for (const [what, code, answer] of tokenAnswers) {
    it(`reports a token server that ${what}`, async () => {
      const registry = await start(({ path }) =>
        path.startsWith("/token") ? answer : bearer(`http://${registry.host}/token`),
      );
      await refused(code, () => client(user).tags({ registry: registry.host, path: "a" }));
    });
  }

  for (const realm of ["http://tokens.example/token", "ftp://127.0.0.1/", "/token", "", "http://u:p@127.0.0.1/"]) {
    it(`gives no credential to the token server ${JSON.stringify(realm)}`, async () => {
      const registry = await start(() => bearer(realm));
      const asked: string[] = [];
      await refused("registry-answer", () => client(user, asked).tags({ registry: registry.host, path: "a" }));
      assert.deepEqual(asked, []);
    });
  }

  it("lets the token server live on another port of this machine", async () => {
    const tokens = await start(() => ({ body: JSON.stringify({ token: "t" }) }));
    const registry = await start(({ headers }) =>
      headers.authorization === "Bearer t" ? notFound : bearer(`http://${tokens.host}/token`),
    );
    await client(user).tags({ registry: registry.host, path: "a" });
    assert.equal(tokens.requests[0]!.headers.authorization, basic);
  });

  it("never lets a credential follow a redirect to another host, nor answers that host's challenge", async () => {
    const storage = await start(({ headers }) =>
      headers.authorization === undefined ? { body: blob } : { status: 400 },
    );
    const registry = await start(({ headers, path }): ScriptedAnswer => {
      if (headers.authorization !== basic) return { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } };
      return { status: 307, headers: { location: `http://${storage.host}/storage${path}?signature=abc` } };
    });
    const registryClient = client(user);
    assert.deepEqual(await registryClient.blob({ registry: registry.host, path: "a" }, digestOf(blob)), blob);
    storage.answer(() => ({ status: 401, headers: { "www-authenticate": 'Basic realm="evil"' } }));
    const error = await refused("registry-unauthorized", () =>
      registryClient.blob({ registry: registry.host, path: "a" }, digestOf(blob)),
    );
    assert.match(error.message, new RegExp(storage.host));
    assert.doesNotMatch(error.message, /signature/);
    assert.deepEqual(
      storage.requests.map(({ headers }) => headers.authorization),
      [undefined, undefined],
    );
  });

  it("does not give the credential back after a detour over another host", async () => {
    const other = await start(({ path }) => ({
      status: 302,
      headers: { location: `http://${registry.host}${path}&back` },
    }));
    const registry: ScriptedServer = await start(({ headers, path }): ScriptedAnswer => {
      if (path.endsWith("back")) return { body: headers.authorization ?? "none" };
      if (headers.authorization !== basic) return { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } };
      return { status: 302, headers: { location: `http://${other.host}${path}?x` } };
    });
    const digest = digestOf("none");
    assert.equal((await client(user).blob({ registry: registry.host, path: "a" }, digest)).toString(), "none");
  });

  it("keeps the credential on a redirect within the registry", async () => {
    const registry = await start(({ headers, path }): ScriptedAnswer => {
      if (headers.authorization !== basic) return { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } };
      return path.includes("moved")
        ? manifestAnswer(emptyManifest)
        : { status: 301, headers: { location: `/v2/moved/manifests/v1` } };
    });
    assert.equal(
      (await client(user).manifest({ registry: registry.host, path: "a" }, "v1"))?.digest,
      digestOf(JSON.stringify(emptyManifest)),
    );
  });

  for (const location of [
    "http://storage.example/x",
    "ftp://127.0.0.1/",
    "http://u:p@127.0.0.1/",
    "http://[",
    "file:///etc/passwd",
  ]) {
    it(`refuses a redirect to ${location}`, async () => {
      const registry = await start(() => ({ status: 302, headers: { location } }));
      await refused("registry-answer", () => client(user).blob({ registry: registry.host, path: "a" }, digestOf(blob)));
    });
  }

  it("ends a circle of redirects", async () => {
    const registry = await start(({ path }) => ({ status: 302, headers: { location: path } }));
    await refused("registry-answer", () => client(user).blob({ registry: registry.host, path: "a" }, digestOf(blob)));
    assert.equal(registry.requests.length, 6);
  });
});

describe("challenges", () => {
  it("are read one after the other, quoted or not", () => {
    assert.deepEqual(
      parseChallenges(
        'Basic realm="a, b", charset=UTF-8, Bearer realm="https://x/t?a=b",service="s\\"q",scope="repository:a:pull,push"',
      ),
      [
        { scheme: "basic", parameters: { realm: "a, b", charset: "UTF-8" } },
        { scheme: "bearer", parameters: { realm: "https://x/t?a=b", service: 's"q', scope: "repository:a:pull,push" } },
      ],
    );
    assert.deepEqual(parseChallenges("Negotiate, Basic realm=x"), [
      { scheme: "negotiate", parameters: {} },
      { scheme: "basic", parameters: { realm: "x" } },
    ]);
    assert.deepEqual(parseChallenges(""), []);
  });

  it("that are nonsense take no time", () => {
    const started = Date.now();
    for (const text of [
      'Bearer realm="'.repeat(5000),
      `Bearer ${"a=".repeat(5000)}`,
      `${" ".repeat(9000)}x`,
      '"'.repeat(9000),
    ])
      parseChallenges(text);
    assert.ok(Date.now() - started < 1000);
  });
});

describe("hosts", () => {
  it("are on this machine only by their whole name", () => {
    for (const host of [
      "localhost",
      "localhost:5000",
      "127.0.0.1",
      "127.0.0.1:5000",
      "127.9.9.9",
      "[::1]",
      "[::1]:5000",
    ])
      assert.equal(isLoopback(host), true, host);
    for (const host of [
      "localhost.example",
      "registry.localhost:5000",
      "127.0.0.1.example",
      "127.example",
      "0.0.0.0",
      "10.0.0.1",
      "[::2]",
      "notlocalhost",
      "128.0.0.1",
    ])
      assert.equal(isLoopback(host), false, host);
  });

  it("are reached over TLS unless they are on this machine or listed, port included", () => {
    assert.equal(registryOrigin("127.0.0.1:5000", []).href, "http://127.0.0.1:5000/");
    assert.equal(registryOrigin("ghcr.io", []).href, "https://ghcr.io/");
    assert.equal(registryOrigin("docker.io", []).href, "https://registry-1.docker.io/");
    assert.equal(registryOrigin("r.example:5000", ["r.example:5000"]).href, "http://r.example:5000/");
    assert.equal(allowsPlainHttp("r.example", ["r.example:5000"]), false);
    assert.equal(allowsPlainHttp("evil-r.example:5000", ["r.example:5000"]), false);
  });

  it("are one under any of their names, and another under another port or path", () => {
    const isSame = (one: string, other: string, path = "p") =>
      isSameRepository({ registry: one, path: "p" }, { registry: other, path });
    for (const [one, other] of [
      ["docker.io", "index.docker.io"],
      ["registry-1.docker.io", "docker.io:443"],
      ["GHCR.io", "ghcr.io:443"],
      ["127.0.0.1:80", "127.0.0.1"],
    ] as const)
      assert.ok(isSame(one, other) && isSame(other, one), `${one} ${other}`);
    for (const [one, other] of [
      ["docker.io", "docker.io.example"],
      ["127.0.0.1:443", "127.0.0.1"],
      ["r.example:80", "r.example"],
      ["r.example:5000", "r.example:5001"],
    ] as const)
      assert.equal(isSame(one, other), false, `${one} ${other}`);
    assert.equal(isSame("ghcr.io", "ghcr.io", "q"), false);
  });

  it("are not followed from TLS to plain http, not even on this machine", () => {
    const to = (text: string) => new URL(text);
    assert.equal(refuseHop(to("https://a"), to("https://b"), []), undefined);
    assert.match(refuseHop(to("https://a"), to("http://127.0.0.1"), []) ?? "", /plain http/);
    assert.match(refuseHop(to("https://a"), to("http://b"), ["b"]) ?? "", /plain http/);
    assert.equal(refuseHop(to("http://a"), to("http://b"), ["b"]), undefined);
    assert.match(refuseHop(to("http://a"), to("http://c"), ["b"]) ?? "", /neither on this machine nor listed/);
  });
});
