// Promotions between two real registries: what is refused before anything is written, and what the release notes say.
import assert from "node:assert/strict";
import { RegistryClient } from "../../lib/oci/client";
import { copyGraph } from "../../lib/oci/copy";
import { sha256, shortDigest } from "../../lib/oci/digest";
import { parseRepository } from "../../lib/oci/reference";
import { lookUpPromotion } from "../../lib/promotion/lookup";
import { refused } from "../support/refused";
import { startRegistry, type TestRegistry } from "../support/registry";
import { type ImageContent, pushWholeRelease, tagAs, type WholeRelease } from "../support/releasedImage";
import { quickLimits } from "../support/scriptedRegistry";
import { type Script, type ScriptedServer, startScriptedServer } from "../support/scriptedServer";
import { PromotingStack, type Promotion } from "../support/standInEngine";

const client = new RegistryClient({ limits: quickLimits });
const image = (edit = "a: 1", tools = { yq: "4.50.0" }): ImageContent => ({
  tools,
  policies: { "security-policy": { "policies/a.yaml": edit } },
});
const tagOf = ({ digest }: WholeRelease) => `sha-${shortDigest(digest)}`;
const isWrite = ({ method }: { method: string }) => method !== "GET" && method !== "HEAD";

describe("a promotion between registries", function () {
  this.timeout(30_000);
  const behind: TestRegistry[] = [];
  let source: ScriptedServer;
  let target: ScriptedServer;
  let from: string;
  let stack: PromotingStack;
  let count = 0;

  before(async () => {
    behind.push(...(await Promise.all([startRegistry(), startRegistry()])));
    [source, target] = (await Promise.all(
      behind.map(({ host }) => startScriptedServer(() => "forward", { forwardTo: host })),
    )) as [ScriptedServer, ScriptedServer];
  });
  after(async () => void (await Promise.all([source, target, ...behind].map((server) => server?.stop()))));
  beforeEach(() => {
    for (const server of [source, target]) server.answer(() => "forward");
    from = `${source.host}/releases/source-${++count}`;
    stack = new PromotingStack(target.host, `target-${count}`);
  });

  const there = () => parseRepository(from);
  const here = () => parseRepository(stack.to);
  /** Releases an image in the source under a version, as a stack that builds does. */
  const release = async (version: string, content: ImageContent) => {
    const found = await pushWholeRelease(client, there(), content, version, "latest");
    await tagAs(client, there(), found.digest, tagOf(found));
    return found;
  };
  const promotionOf = (version: string, { digest }: Pick<WholeRelease, "digest">): Promotion => ({
    from,
    version,
    digest,
    commit: shortDigest(digest),
  });
  const digestAt = async (tag: string) => (await client.resolve(here(), tag))?.digest;
  /** `preview` and `up` are both refused with the code, and neither writes. */
  const refusedBoth = async (code: string, promotion: Promotion) => {
    const before = target.requests.length;
    const { message } = await refused(code, () => stack.preview(promotion));
    assert.equal((await refused(code, () => stack.up(promotion))).message, message);
    assert.deepEqual(target.requests.slice(before).filter(isWrite), []);
    return message;
  };
  /** The same of a look at both registries, by a client that does not wait long. */
  const look = ({ version, digest, commit }: Promotion) =>
    lookUpPromotion(new RegistryClient({ limits: quickLimits }), {
      from: there(),
      to: here(),
      version,
      digest,
      commitTag: `sha-${commit}`,
      rollback: false,
      stack: "prod",
    });

  describe("is refused before anything is written", () => {
    it("when the digest is in neither registry", async () => {
      await release("v1.0.0", image());
      const message = await refusedBoth("promotion-gone", promotionOf("v1.0.0", { digest: sha256("gone") }));
      assert.ok(message.includes(`is neither in ${from} nor in ${stack.to}`), message);
      assert.match(message, /policy-platform promote FROM prod$/);
    });

    it("when the source has no such repository", async () => {
      await refusedBoth("promotion-gone", promotionOf("v1.0.0", { digest: sha256("gone") }));
    });

    it("when the version names another image in the source, and which", async () => {
      const first = await release("v1.0.0", image());
      const second = await release("v1.1.0", image("a: 2"));
      const message = await refusedBoth("promotion-mismatch", promotionOf("v1.0.0", second));
      assert.ok(message.includes(`${from}:v1.0.0 names ${first.digest}`), message);
    });

    it("when the version is not in the source", async () => {
      const first = await release("v1.0.0", image());
      assert.match(await refusedBoth("promotion-mismatch", promotionOf("v1.0.1", first)), /:v1\.0\.1 is not there/);
    });

    it("when the commit's tag names another image in the source, or none", async () => {
      const first = await release("v1.0.0", image());
      const second = await release("v1.1.0", image("a: 2"));
      const promotion = promotionOf("v1.1.0", second);
      const other = await refusedBoth("promotion-mismatch", { ...promotion, commit: shortDigest(first.digest) });
      assert.ok(other.includes(`${tagOf(first)} names ${first.digest}`), other);
      await refusedBoth("promotion-mismatch", { ...promotion, commit: "0123456789ab" });
    });

    it("when the version is another image in the target, which this stack did not promote", async () => {
      const first = await release("v1.0.0", image());
      const other = await pushWholeRelease(client, here(), image("a: other"), "v1.0.0");
      const message = await refusedBoth("version-taken", promotionOf("v1.0.0", first));
      assert.ok(message.includes(`${stack.to}:v1.0.0 already names another image, ${other.digest}`), message);
      assert.equal(await digestAt("v1.0.0"), other.digest);
    });

    it("when the commit's tag is another image in the target", async () => {
      const first = await release("v1.0.0", image());
      const other = await pushWholeRelease(client, here(), image("a: other"), tagOf(first));
      await refusedBoth("version-taken", promotionOf("v1.0.0", first));
      assert.equal(await digestAt(tagOf(first)), other.digest);
    });

    it("when a higher version is in the target and no rollback is allowed", async () => {
      const first = await release("v1.0.0", image());
      const second = await release("v1.10.0", image("a: 2"));
      await stack.up(promotionOf("v1.10.0", second));
      const message = await refusedBoth("promotion-downgrade", promotionOf("v1.0.0", first));
      assert.match(message, /v1\.0\.0 is below v1\.10\.0, .*--version v1\.0\.0 --rollback/);
      await stack.up({ ...promotionOf("v1.0.0", first), rollback: true });
      assert.equal(await digestAt("latest"), first.digest);
      assert.equal(await digestAt("v1.10.0"), second.digest);
    });

    it("when the image does not name its inputs", async () => {
      const foreign = await release("v1.0.0", { ...image(), labelled: false });
      await refusedBoth("promotion-foreign", promotionOf("v1.0.0", foreign));
    });

    it("when the target has the release and its image does not name its inputs", async () => {
      const foreign = await pushWholeRelease(client, here(), { ...image(), labelled: false }, "v1.0.0");
      await tagAs(client, here(), foreign.digest, tagOf(foreign));
      await refusedBoth("promotion-foreign", promotionOf("v1.0.0", foreign));
    });

    it("when source and target are one repository", async () => {
      const first = await pushWholeRelease(client, here(), image(), "v1.0.0");
      from = stack.to;
      await refusedBoth("promotion-self", promotionOf("v1.0.0", first));
    });
  });

  describe("says which registry it is, and the way out, when", () => {
    const script =
      (status: number, headers = {}): Script =>
      ({ path }) =>
        path.includes("token") ? { status: 404 } : { status, headers };
    const sides = { source: () => source, target: () => target };
    for (const [side, server] of Object.entries(sides)) {
      for (const [status, code, fix] of [
        [401, "registry-unauthorized", (host: string) => `docker login ${host}`],
        [
          403,
          "registry-forbidden",
          (host: string) => `give the account of ${host} in the docker config the right to read`,
        ],
        [500, "registry-unavailable", (host: string) => `look at the health of ${host}`],
        [503, "registry-unavailable", (host: string) => `look at the health of ${host}`],
        [507, "registry-full", (host: string) => `free space in the storage of ${host}`],
      ] as const)
        it(`the ${side} answers ${status}`, async () => {
          const first = await release("v1.0.0", image());
          const { host, requests } = server();
          server().answer(script(status, status === 401 ? { "www-authenticate": 'Basic realm="x"' } : {}));
          const before = requests.length;
          const { message } = await refused(code, () => look(promotionOf("v1.0.0", first)));
          assert.ok(message.includes(fix(host)), message);
          assert.ok(message.includes(host), message);
          assert.ok(requests.slice(before).length > 0);
          assert.deepEqual(
            target.requests.filter(isWrite).filter(({ path }) => path.includes(here().path)),
            [],
          );
        });

      it(`the ${side} throttles for longer than anybody waits`, async () => {
        const first = await release("v1.0.0", image());
        server().answer(script(429, { "retry-after": "3600" }));
        const started = performance.now();
        const { message } = await refused("registry-throttled", () => look(promotionOf("v1.0.0", first)));
        assert.match(message, /429 .*wait some minutes and run again, or log in/);
        assert.ok(message.includes(server().host));
        assert.ok(performance.now() - started < 5_000);
      });

      it(`the ${side} throttles once for a second: it waits as asked, and goes on`, async () => {
        const first = await release("v1.0.0", image());
        const patient = new RegistryClient();
        let throttled = 0;
        server().answer(() => (throttled++ === 0 ? { status: 429, headers: { "retry-after": "1" } } : "forward"));
        const started = performance.now();
        const { version, digest } = promotionOf("v1.0.0", first);
        const request = {
          from: there(),
          to: here(),
          version,
          digest,
          commitTag: tagOf(first),
          rollback: false,
          stack: "prod",
        };
        assert.equal((await lookUpPromotion(patient, request)).image.digest, digest);
        assert.ok(performance.now() - started >= 990);
      });
    }

    it("the source says 404 to everything: nobody is told that it is free", async () => {
      const first = await release("v1.0.0", image());
      source.answer(() => ({ status: 404 }));
      await refused("promotion-gone", () => look(promotionOf("v1.0.0", first)));
    });

    it("the target says 404 to everything: it is not there yet, and this is its first release", async () => {
      const first = await release("v1.0.0", image());
      target.answer(() => ({ status: 404 }));
      const { versions, current } = await look(promotionOf("v1.0.0", first));
      assert.deepEqual([versions, current], [[], undefined]);
    });

    it("the source lost a layer of the image since it was looked at", async () => {
      const first = await release("v1.0.0", image());
      const lost = first.layers.get("yq")!;
      source.answer(({ path }) => (path.includes(lost) ? { status: 404 } : "forward"));
      const { message } = await refused("promotion-gone", () => stack.up(promotionOf("v1.0.0", first)));
      assert.ok(message.includes(lost) && message.includes(from), message);
      assert.match(message, /policy-platform promote FROM prod$/);
      assert.deepEqual(await client.tags(here()), []);
    });
  });

  describe("asks nothing of the source", () => {
    const silent = async (act: () => Promise<unknown>) => {
      source.answer(() => ({ status: 503 }));
      const before = source.requests.length;
      await act();
      assert.equal(source.requests.length, before);
    };

    it("once the target has the release, with its state and without", async () => {
      const first = await release("v1.0.0", image());
      await stack.up(promotionOf("v1.0.0", first));
      await silent(() => stack.up(promotionOf("v1.0.0", first)));
      assert.deepEqual(stack.steps, []);
      stack.state.clear();
      await silent(() => stack.up(promotionOf("v1.0.0", first)));
      assert.equal(stack.steps.length, 4, "adopted");
    });

    it("for a version that the target got before, and a rollback moves latest alone", async () => {
      const first = await release("v1.0.0", image());
      const second = await release("v1.1.0", image("a: 2"));
      await stack.up(promotionOf("v1.0.0", first));
      await stack.up(promotionOf("v1.1.0", second));
      const before = target.requests.length;
      await silent(() => stack.up({ ...promotionOf("v1.0.0", first), rollback: true }));
      assert.deepEqual(
        target.requests
          .slice(before)
          .filter(isWrite)
          .map(({ method, path }) => `${method} ${path}`),
        [`PUT /v2/${here().path}/manifests/latest`],
      );
    });

    it("to put a tag back that was moved or deleted in the target", async () => {
      const first = await release("v1.0.0", image());
      const second = await release("v1.1.0", image("a: 2"));
      await stack.up(promotionOf("v1.0.0", first));
      await stack.up(promotionOf("v1.1.0", second));
      const tags = ["v1.1.0", tagOf(second), "latest"];
      await tagAs(client, here(), first.digest, ...tags);
      const promotion = promotionOf("v1.1.0", second);
      await silent(async () => {
        const { lines } = await stack.preview(promotion);
        const [headline, ...moved] = lines;
        assert.equal(headline, `v1.1.0 (${shortDigest(second.digest)}) is promoted`);
        assert.deepEqual(
          moved.sort(),
          tags
            .map(
              (tag) =>
                `tag ${tag} was moved in the registry, from ${second.digest} to ${first.digest}: pulumi up --refresh puts it back`,
            )
            .sort(),
        );
        await stack.up(promotion, { refresh: true });
      });
      for (const tag of tags) assert.equal(await digestAt(tag), second.digest);
      const { lines } = await stack.up(promotion);
      assert.deepEqual(lines, [`v1.1.0 (${shortDigest(second.digest)}) is promoted: nothing to do`]);
    });

    it("and asks again when the target lost the commit's tag that a new state would have to write", async () => {
      const first = await release("v1.0.0", image());
      await copyGraph(client, { from: there(), to: here(), digest: first.digest });
      await tagAs(client, here(), first.digest, "v1.0.0", "latest");
      await refusedBoth("promotion-mismatch", { ...promotionOf("v1.0.0", first), commit: "0123456789ab" });
      await stack.up(promotionOf("v1.0.0", first));
      assert.equal(await digestAt(tagOf(first)), first.digest);
    });
  });
});
