// stand-in: Docker Hub and GitHub's registry, as far as their answers differ from those of a plain registry, which stands behind them.
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { RegistryClient } from "../../lib/oci/client";
import { copyGraph } from "../../lib/oci/copy";
import type { CredentialStore } from "../../lib/oci/credentials";
import { refusal } from "../../lib/oci/failures";
import { layerImage, pushLayerImage } from "../../lib/oci/layer";
import { parseRepository, type Repository } from "../../lib/oci/reference";
import { repositoryNames } from "../../lib/registry/names";
import { preflight } from "../../lib/release/preflight";
import { refused } from "../support/refused";
import { startRegistry, type TestRegistry } from "../support/registry";
import { quickLimits } from "../support/scriptedRegistry";
import { type StandInGithub, type StandInHub, startStandInGithub, startStandInHub } from "../support/standInHub";

const account: CredentialStore = { find: async () => ({ username: "acme", password: "canary-token" }) };
const nobody: CredentialStore = { find: async () => undefined };
const client = (credentials: CredentialStore) => new RegistryClient({ limits: quickLimits, credentials });
const image = () => {
  const content = Buffer.from("content");
  return layerImage([{ path: "/a", executable: false, size: content.length, open: () => content }]);
};
const inputs = {
  base: `sha256:${"a".repeat(64)}`,
  format: 1,
  image: { user: "65532:65532" },
  repositories: {},
  tools: {},
} as const;
const look = (by: RegistryClient, releases: Repository) =>
  preflight(by, { releases, layers: () => [], folders: {}, wanted: "auto", inputs, stack: "local" });

describe("stand-in: a stack on Docker Hub", function () {
  this.timeout(20_000);
  let behind: TestRegistry;
  let hub: StandInHub;
  const names = () => repositoryNames({ address: `${hub.host}/acme`, separator: "-" });
  before(async () => {
    behind = await startRegistry();
    hub = await startStandInHub(behind.host);
  });
  after(async () => void (await Promise.all([hub.stop(), behind.stop()])));
  afterEach(() => {
    hub.retryAfter = 0;
  });

  it("finds no release before the first one, although the repository is hidden where it is not there", async () => {
    const releases = parseRepository(names().releases("policy-platform"));
    assert.equal(releases.path, "acme/releases-policy-platform");
    assert.equal((await look(client(account), releases)).version, "v1.0.0");
  });

  it("is not called empty by somebody who may not write there", async () => {
    const releases = parseRepository(`${hub.host}/others/releases-policy-platform`);
    const error = await refused("registry-forbidden", () => look(client(account), releases));
    assert.match(error.message, /answered 401 .*UNAUTHORIZED/);
    const unknown = await refused("registry-unauthorized", () => look(client(nobody), releases));
    assert.match(unknown.message, /no credentials for it were found; .*docker login/);
    assert.doesNotMatch(inspect([error, unknown]), /canary/);
  });

  it("is pushed to, and copied within without a mount", async () => {
    const by = client(account);
    const from = parseRepository(names().candidates("policy-platform"));
    const to = parseRepository(names().releases("policy-platform"));
    const { digest } = await image();
    await pushLayerImage(by, from, await image());
    await copyGraph(by, { from, to, digest });
    assert.equal((await by.resolve(to, digest))?.digest, digest);
    await copyGraph(by, { from, to, digest });
  });

  it("that asks too often is told for how long to wait, when that is longer than a command may take", async () => {
    const by = client(account);
    const repository = parseRepository(names().candidates("policy-platform"));
    hub.retryAfter = 3600;
    const error = await refused("registry-throttled", () => by.manifest(repository, "latest"));
    assert.match(
      error.message,
      /answered 429 .*TOOMANYREQUESTS You have reached your pull rate limit.*; run again in 3600 s, as it asks, or log in/,
    );
  });

  it("goes on by itself when the wait is short", async () => {
    const patient = new RegistryClient({ limits: { ...quickLimits, totalWait: 5000 }, credentials: account });
    const repository = parseRepository(names().candidates("policy-platform"));
    hub.retryAfter = 1;
    setTimeout(() => {
      hub.retryAfter = 0;
    }, 500);
    assert.ok(await patient.manifest(repository, (await image()).digest));
  });

  it("is refused a third level, with the key that joins them", async () => {
    const repository = { registry: hub.host, path: "acme/layers/base" };
    await refused("registry-forbidden", async () => pushLayerImage(client(account), repository, await image()));
    const exchanged = {
      method: "POST",
      url: new URL("https://registry-1.docker.io/v2/acme/layers/base/blobs/uploads/"),
    };
    assert.match(refusal(exchanged, 401, "", { lacksRights: true }).message, /registry\.separator: "-"/);
    const two = { ...exchanged, url: new URL("https://registry-1.docker.io/v2/acme/base/blobs/uploads/") };
    assert.match(
      refusal(two, 401, "", { lacksRights: true }).message,
      /right to write in that namespace, and its access token/,
    );
  });
});

describe("stand-in: a stack on GitHub's registry", function () {
  this.timeout(20_000);
  let behind: TestRegistry;
  let github: StandInGithub;
  before(async () => {
    behind = await startRegistry();
    github = await startStandInGithub(behind.host);
    const hidden = { registry: behind.host, path: "others/private" };
    await pushLayerImage(new RegistryClient(), hidden, await image());
  });
  after(async () => void (await Promise.all([github.stop(), behind.stop()])));
  const releases = () => parseRepository(`${github.host}/acme/releases/policy-platform`);

  it("finds no release before the first one, as its login may see that there is none", async () => {
    assert.equal((await look(client(account), releases())).version, "v1.0.0");
    await pushLayerImage(client(account), releases(), await image());
  });

  it("asks for a login where there is none, whether the package is there or not", async () => {
    for (const path of ["others/private", "others/missing"]) {
      const error = await refused("registry-unauthorized", () => look(client(nobody), { registry: github.host, path }));
      assert.match(error.message, /token server answered 403 .*and no credentials for it are in the docker config/);
    }
  });

  it("tells a package that its token may not read from one that is not there", async () => {
    const error = await refused("registry-forbidden", () =>
      look(client(account), { registry: github.host, path: "others/private" }),
    );
    assert.match(error.message, /DENIED permission_denied: read_package/);
  });

  it("goes on by itself where requests came too soon, and says it where they still do", async () => {
    const { digest } = await image();
    github.tooSoon = 2;
    assert.ok(await client(account).manifest(releases(), digest));
    github.tooSoon = 1000;
    const error = await refused("registry-throttled", () => client(account).manifest(releases(), digest));
    github.tooSoon = 0;
    assert.match(error.message, /answered 429 .*allowed: 44000\/minute/);
  });

  it("says by GitHub's words that the token may not make a package, and which scope it lacks", async () => {
    const repository = { registry: github.host, path: "others/new" };
    const error = await refused("registry-forbidden", async () =>
      pushLayerImage(client(account), repository, await image()),
    );
    assert.match(error.message, /installation not allowed to Create organization package/);
    const exchanged = { method: "PUT", url: new URL("https://ghcr.io/v2/acme/releases/policy-platform/manifests/v1") };
    assert.match(refusal(exchanged, 403, "").message, /write:packages/);
  });
});
