// stand-in: Google's token servers on loopback. Who gets a token, of what it is made, how long it is kept, and what is said when there is none.
import assert from "node:assert/strict";
import { join } from "node:path";
import { inspect } from "node:util";
import { exec } from "../../../lib/exec";
import { RegistryClient } from "../../../lib/oci/client";
import { refusal } from "../../../lib/oci/failures";
import { createGoogleCredentials, isGoogleRegistry } from "../../../lib/oci/googleCredentials";
import { keepVariables } from "../../support/environment";
import { refused } from "../../support/refused";
import { quickLimits } from "../../support/scriptedRegistry";
import {
  type GoogleFiles,
  googleFiles,
  googleHost,
  type StandInGoogle,
  startStandInGoogle,
  startTokenRegistry,
} from "../../support/standInGoogle";

const canary = /canary/;

describe("stand-in: Google's default credentials", function () {
  this.timeout(20_000); // the library is loaded at the first use
  let google: StandInGoogle;
  let files: GoogleFiles;
  let restore: () => void;

  beforeEach(async () => {
    restore = keepVariables();
    google = await startStandInGoogle();
    files = googleFiles();
    for (const name of Object.keys(process.env))
      if (/^(GOOGLE_|GCE_|CLOUDSDK_|METADATA_SERVER_|GCLOUD_)/i.test(name)) delete process.env[name];
    Object.assign(process.env, { HOME: files.dir, METADATA_SERVER_DETECTION: "none" });
  });
  afterEach(async () => {
    restore();
    await google.stop();
    files.remove();
  });

  const onMetadataServer = () =>
    Object.assign(process.env, { METADATA_SERVER_DETECTION: "assume-present", GCE_METADATA_HOST: google.host });
  const useFile = (path: string) => Object.assign(process.env, { GOOGLE_APPLICATION_CREDENTIALS: path });
  /** The library's requests to the addresses that stand in no file, sent to the stand-in. */
  const redirected = ((url: URL | string, init: RequestInit) => {
    const { pathname } = new URL(String(url));
    return fetch(`http://${google.host}${pathname}`, init);
  }) as typeof fetch;
  const found = (token: string) => ({ username: "oauth2accesstoken", password: token, isGoogleToken: true });

  for (const host of [googleHost, "us-docker.pkg.dev", "gcr.io", "eu.gcr.io"])
    it(`are for ${host}`, () => assert.equal(isGoogleRegistry(host), true));
  for (const host of [
    "docker.pkg.dev",
    `${googleHost}:443`,
    `${googleHost}.evil.example`,
    "evil-gcr.io",
    "a.b.gcr.io",
    "gcr.io.",
    "GCR.IO",
    "npm.pkg.dev",
    "docker.io",
    "",
  ])
    it(`are never for ${JSON.stringify(host)}`, async () => {
      onMetadataServer();
      assert.equal(isGoogleRegistry(host), false);
      assert.equal(await createGoogleCredentials().find(host), undefined);
      assert.deepEqual(google.lines(), []);
    });

  it("come from the metadata server of a machine in the cloud", async () => {
    onMetadataServer();
    assert.deepEqual(await createGoogleCredentials().find(googleHost), found("ya29.canary-token"));
    assert.match(google.lines().join(), /GET \/computeMetadata\/v1\/instance\/service-accounts\/default\/token/);
  });

  it("come from workload identity federation, by the token of the subject in a file", async () => {
    useFile(files.externalAccount(google.host));
    assert.deepEqual(await createGoogleCredentials().find(googleHost), found("ya29.canary-token"));
    assert.deepEqual(google.lines(), ["POST /v1/token"]);
    assert.match(google.requests[0]!.body.toString(), /subject_token=canary-subject-token/);
  });

  it("come from workload identity federation as a service account", async () => {
    useFile(files.externalAccount(google.host, true));
    assert.deepEqual(await createGoogleCredentials().find(googleHost), found("ya29.canary-token-impersonated"));
    assert.equal(google.requests[1]!.headers.authorization, "Bearer ya29.canary-token");
  });

  it("come from what gcloud wrote for a person", async () => {
    useFile(files.authorizedUser());
    assert.deepEqual(await createGoogleCredentials({ fetch: redirected }).find(googleHost), found("ya29.canary-token"));
    assert.match(google.requests[0]!.body.toString(), /refresh_token=canary-refresh-token/);
  });

  it("come from a service account's key", async () => {
    useFile(files.serviceAccount());
    assert.deepEqual(await createGoogleCredentials({ fetch: redirected }).find(googleHost), found("ya29.canary-token"));
  });

  it("log a push in to the registry, which gets the token as a password and nothing else of them", async () => {
    useFile(files.externalAccount(google.host));
    const registry = await startTokenRegistry(() => google.token);
    try {
      const credentials = createGoogleCredentials();
      const find = () => credentials.find(googleHost);
      const client = new RegistryClient({ limits: quickLimits, credentials: { find } });
      const repository = { registry: registry.host, path: "acme/policy" };
      assert.deepEqual(await client.tags(repository), ["v1.0.0"]);
      google.token = "ya29.canary-other";
      const error = await refused("registry-unauthorized", () =>
        new RegistryClient({ limits: quickLimits, credentials: { find } }).tags(repository),
      );
      assert.match(error.message, /token server answered 401 .* with an access token of Google's default credentials/);
      assert.doesNotMatch(inspect(error), canary);
    } finally {
      await registry.stop();
    }
  });

  it("are one token for all hosts, however many ask at once", async () => {
    onMetadataServer();
    const store = createGoogleCredentials();
    await Promise.all([store.find(googleHost), store.find("gcr.io"), store.find("eu.gcr.io")]);
    await store.find(googleHost);
    assert.equal(google.lines().length, 1);
  });

  it("are renewed a minute before they end", async () => {
    onMetadataServer();
    google.expiresIn = 50;
    const store = createGoogleCredentials();
    await store.find(googleHost);
    google.token = "ya29.canary-second";
    assert.deepEqual(await store.find(googleHost), found("ya29.canary-second"));
  });

  it("are none where the environment has none, and are looked for again after a login", async () => {
    const store = createGoogleCredentials({ fetch: redirected });
    assert.equal(await store.find(googleHost), undefined);
    useFile(files.authorizedUser());
    assert.deepEqual(await store.find(googleHost), found("ya29.canary-token"));
  });

  for (const status of [401, 403])
    it(`that are missing are asked for where the registry answers ${status} to nobody, with the three ways to log in`, () => {
      const exchanged = { method: "GET", url: new URL(`https://${googleHost}/v2/acme/policy/tags/list`) };
      const error = refusal(exchanged, status, "", { isNobody: true });
      assert.equal(error.code, "google-credentials-missing");
      assert.match(
        error.message,
        /gcloud auth application-default login, or workload identity .* docker login europe-west1-docker/,
      );
    });

  it("that have no right to write name the role", () => {
    const exchanged = { method: "PUT", url: new URL(`https://${googleHost}/v2/acme/policy/manifests/v1`) };
    assert.match(refusal(exchanged, 403, "").message, /roles\/artifactregistry\.writer/);
    assert.match(refusal({ ...exchanged, method: "GET" }, 403, "").message, /roles\/artifactregistry\.reader/);
  });

  it("that have expired or were revoked are told by the server's own word, never by its text", async () => {
    useFile(files.authorizedUser());
    const description = "Token canary-refresh-token has been expired or revoked.";
    google.refusal = { status: 400, body: JSON.stringify({ error: "invalid_grant", error_description: description }) };
    google.refusal = { ...google.refusal, headers: { "content-type": "application/json" } };
    const error = await refused("google-credentials-refused", () =>
      createGoogleCredentials({ fetch: redirected }).find(googleHost),
    );
    assert.match(
      error.message,
      /token server oauth2\.googleapis\.com answered 400 invalid_grant; .*gcloud auth application-default login/,
    );
    assert.doesNotMatch(inspect(error), canary);
  });

  for (const status of [401, 403, 404])
    it(`that a token server answers with ${status} are refused`, async () => {
      useFile(files.externalAccount(google.host));
      google.refusal = { status, body: '{"error":"canary said no, really"}' };
      const error = await refused("google-credentials-refused", () => createGoogleCredentials().find(googleHost));
      assert.match(error.message, new RegExp(`token server 127\\.0\\.0\\.1:\\d+ answered ${status};`));
      assert.doesNotMatch(inspect(error), canary);
    });

  it("that give a token which has run out ask for the clock", async () => {
    onMetadataServer();
    google.expiresIn = -10;
    const error = await refused("google-credentials-refused", () => createGoogleCredentials().find(googleHost));
    assert.match(error.message, /has expired already.*clock/);
  });

  it("that a token server answers with 5xx are unavailable, after the library's own tries", async () => {
    useFile(files.externalAccount(google.host));
    google.refusal = { status: 503, body: "canary" };
    const error = await refused("google-token-unavailable", () => createGoogleCredentials().find(googleHost));
    assert.match(error.message, /answered 503; .*run again/);
  });

  it("that are answered late, with a fault that is tried again, end with one sentence too", async () => {
    useFile(files.externalAccount(google.host));
    google.refusal = { status: 503, delay: 40 };
    const errors = [100, 150, 200, 250, 300].map((timeout) =>
      refused("google-token-unavailable", () => createGoogleCredentials({ timeout }).find(googleHost)),
    );
    for (const error of await Promise.all(errors)) assert.match(error.message, /no token came within|answered 503/);
    await new Promise((resolve) => setTimeout(resolve, 500)); // what is aborted between two tries must not end the process
  });

  it("that a token server never answers are given up in time, and nothing is left that keeps the process", async () => {
    google.refusal = { delay: 60_000 };
    const script = `require("./lib/oci/googleCredentials").createGoogleCredentials({ timeout: 300 })
      .find("${googleHost}").catch((error) => console.log(error.code, error.message));`;
    const { stdout, stderr, code, timedOut } = await exec(process.execPath, ["--require", "tsx/cjs", "-e", script], {
      cwd: join(__dirname, "..", "..", ".."),
      env: { GOOGLE_APPLICATION_CREDENTIALS: files.externalAccount(google.host) },
      timeout: 15_000,
    });
    assert.deepEqual({ code, timedOut }, { code: 0, timedOut: false }, stderr);
    assert.match(stdout, /^google-token-unavailable .*no token came within 0\.3 s/);
  });

  for (const [what, answer] of [
    ["a page", { body: "<html>canary</html>", headers: { "content-type": "text/html", "metadata-flavor": "Google" } }],
    ["no token", { body: "{}", headers: { "content-type": "application/json", "metadata-flavor": "Google" } }],
    [
      "a token of two lines",
      { body: '{"access_token":"canary\\r\\nx: y","expires_in":3600}', headers: { "metadata-flavor": "Google" } },
    ],
    ["an answer of another server", { body: '{"access_token":"canary"}' }],
    ["a cut answer", { body: '{"access_token":"canary"}', cutAfter: 5, headers: { "metadata-flavor": "Google" } }],
  ] as const)
    it(`that are answered with ${what} give no token`, async () => {
      onMetadataServer();
      google.refusal = answer;
      const error = await refused("google-token-unavailable", () =>
        createGoogleCredentials({ timeout: 5000 }).find(googleHost),
      );
      assert.doesNotMatch(inspect(error), canary);
    });

  for (const [what, content, expected] of [
    ["is not JSON", '{"private_key": "canary', /is not JSON/],
    ["has no type that is known", { type: "canary" }, /not the shape/],
    [
      "has a key that is none",
      { type: "service_account", client_email: "a@b", private_key: "canary" },
      /not the shape/,
    ],
    ["lacks a field", { type: "authorized_user", client_id: "canary" }, /not the shape/],
  ] as const)
    it(`in a file that ${what} are refused with its path`, async () => {
      useFile(files.write("broken.json", content));
      const error = await refused("google-credentials-malformed", () =>
        createGoogleCredentials({ fetch: redirected }).find(googleHost),
      );
      assert.match(error.message, expected);
      assert.match(error.message, /broken\.json \(GOOGLE_APPLICATION_CREDENTIALS\)/);
      assert.doesNotMatch(inspect(error), canary);
    });

  it("in a file that is not there are refused with its path", async () => {
    useFile("/nowhere/key.json");
    const error = await refused("google-credentials-malformed", () => createGoogleCredentials().find(googleHost));
    assert.match(error.message, /\/nowhere\/key\.json/);
  });

  it("are never printed by the library's own logging", async () => {
    onMetadataServer();
    process.env.GOOGLE_SDK_NODE_LOGGING = "all";
    const written: string[] = [];
    const { write } = process.stderr;
    process.stderr.write = ((text: string) => written.push(String(text)) > 0) as typeof write;
    try {
      await createGoogleCredentials().find(googleHost);
    } finally {
      process.stderr.write = write;
    }
    assert.doesNotMatch(written.join(""), canary);
  });
});
