// Promotions between real registries that refuse, throttle, fill up, or are cut at any moment, and two promotions at once.
import assert from "node:assert/strict";
import { RegistryClient } from "../../lib/oci/client";
import { lookUpPromotion } from "../../lib/promotion/lookup";
import { times } from "../support/counts";
import { cutEverywhere } from "../support/cutPromotions";
import {
  isWrite,
  type PromotionPlace,
  placeOf,
  quickClient,
  type Released,
  startPromotionStand,
  tagOf,
  tagWritten,
} from "../support/promotionStand";
import { refused } from "../support/refused";
import type { ImageContent } from "../support/releasedImage";
import { type Script, type ScriptedServer, startScriptedServer } from "../support/scriptedServer";
import { fresh, shared } from "../support/shared";
import { PromotingStack, type Promotion } from "../support/standInEngine";

const image = (edit = "a: 1"): ImageContent => ({
  tools: { helm: "3.17.0", yq: "4.50.0" },
  policies: { "security-policy": { "policies/a.yaml": edit } },
});

describe("a promotion and its registries", function () {
  this.timeout(180_000);
  const stand = shared(startPromotionStand);
  const place = fresh(() => {
    stand.answer();
    return stand.fresh();
  });

  /** A look at both registries, by a client that knows neither. */
  const look = ({ version, digest, commit }: Promotion, client = quickClient()) =>
    lookUpPromotion(client, {
      from: place.there,
      to: place.here,
      version,
      digest,
      commitTag: `sha-${commit}`,
      rollback: false,
      stack: "prod",
    });

  describe("stand-in: the engine's part in process. Says which registry it is, and the way out, when", () => {
    const script =
      (status: number, headers = {}): Script =>
      ({ path }) =>
        path.includes("token") ? { status: 404 } : { status, headers };
    const sides = { source: () => stand.source, target: () => stand.target };
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
          const first = await place.release("v1.0.0", image());
          const { host, requests } = server();
          server().answer(script(status, status === 401 ? { "www-authenticate": 'Basic realm="x"' } : {}));
          const before = requests.length;
          const { message } = await refused(code, () => look(place.promotionOf(first)));
          assert.ok(message.includes(fix(host)), message);
          assert.ok(message.includes(host), message);
          assert.ok(requests.slice(before).length > 0);
          assert.deepEqual(
            stand.target.requests.filter(isWrite).filter(({ path }) => path.includes(place.here.path)),
            [],
          );
        });

      it(`the ${side} throttles for longer than anybody waits`, async () => {
        const first = await place.release("v1.0.0", image());
        server().answer(script(429, { "retry-after": "3600" }));
        const started = performance.now();
        const { message } = await refused("registry-throttled", () => look(place.promotionOf(first)));
        assert.match(message, /429 .*; run again in 3600 s, as it asks, or log in to raise the limit$/);
        assert.ok(message.includes(server().host));
        assert.ok(performance.now() - started < 5_000);
      });

      it(`the ${side} throttles once for a second: it waits as asked, and goes on`, async () => {
        const first = await place.release("v1.0.0", image());
        const patient = new RegistryClient();
        let throttled = 0;
        server().answer(() => (throttled++ === 0 ? { status: 429, headers: { "retry-after": "1" } } : "forward"));
        const started = performance.now();
        const { version, digest } = place.promotionOf(first);
        const request = {
          from: place.there,
          to: place.here,
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
      const first = await place.release("v1.0.0", image());
      stand.source.answer(() => ({ status: 404 }));
      await refused("promotion-gone", () => look(place.promotionOf(first)));
    });

    it("the target says 404 to everything: it is not there yet, and this is its first release", async () => {
      const first = await place.release("v1.0.0", image());
      stand.target.answer(() => ({ status: 404 }));
      const { versions, current } = await look(place.promotionOf(first));
      assert.deepEqual([versions, current], [[], undefined]);
    });

    it("the source lost a layer of the image since it was looked at", async () => {
      const first = await place.release("v1.0.0", image());
      const lost = first.layers.get("yq")!;
      stand.source.answer(({ path }) => (path.includes(lost) ? { status: 404 } : "forward"));
      const { message } = await refused("promotion-gone", () => place.stack.up(place.promotionOf(first)));
      assert.ok(message.includes(lost) && message.includes(place.from), message);
      assert.ok(message.endsWith(`promote FROM prod, where FROM is the stack that releases to ${place.from}`), message);
      assert.deepEqual(await stand.client.tags(place.here), []);
    });
  });

  describe("stand-in: the engine's part in process. Moves what is missing, once", () => {
    /** Requests of one run. */
    const requestsOf = async (server: ScriptedServer, act: () => Promise<unknown>) => {
      const before = server.requests.length;
      await act();
      return server.requests.slice(before);
    };
    const uploads = (requests: readonly { method: string; path: string; body: Buffer }[]) =>
      requests.filter(({ method, path }) => /^(?:PUT|PATCH)$/.test(method) && path.includes("/blobs/uploads/"));

    it("within one registry no byte of a blob: all are mounted", async () => {
      const within = stand.fresh(stand.target);
      const first = await within.release("v1.0.0", image());
      const requests = await requestsOf(stand.target, () => within.stack.up(within.promotionOf(first)));
      assert.deepEqual(uploads(requests), []);
      const mounts = requests.filter(({ method, path }) => method === "POST" && path.includes("mount="));
      assert.equal(mounts.length, first.layers.size + 1);
      const layers = [...first.layers.values()];
      const read = requests.filter(
        ({ method, path }) => method === "GET" && layers.some((layer) => path.endsWith(layer)),
      );
      assert.deepEqual(read, []);
    });

    it("to another registry each blob, and of the next release only those that are new", async () => {
      const first = await place.release("v1.0.0", image());
      let read: string[] = [];
      const promote = async (released: typeof first) => {
        const before = stand.source.requests.length;
        const sent = uploads(await requestsOf(stand.target, () => place.stack.up(place.promotionOf(released))));
        read = stand.source.requests
          .slice(before)
          .flatMap(({ method, path }) =>
            method === "GET" ? (/\/blobs\/(sha256:.*)$/.exec(path)?.slice(1) ?? []) : [],
          );
        return sent.map(({ path }) => decodeURIComponent(/digest=([^&]*)/.exec(path)![1]!));
      };
      const sent = await promote(first);
      assert.equal(sent.length, first.layers.size + 1);
      assert.equal(new Set(sent).size, sent.length);
      for (const layer of first.layers.values()) assert.equal(read.filter((digest) => digest === layer).length, 1);

      const second = await place.release("v1.1.0", image("a: 2"));
      const policies = second.layers.get("security-policy")!;
      const next = await promote(second);
      assert.equal(next.length, 2, "the policy layer and the configuration");
      assert.ok(next.includes(policies));
      const old = [first.layers.get("yq"), first.layers.get("helm"), first.layers.get("base")];
      assert.ok(!read.some((digest) => old.includes(digest as never)), "no tool is read to write notes");
    });

    it("of an upload that is cut the rest of the run: the image is whole before it has a name", async () => {
      const first = await place.release("v1.0.0", image());
      let uploadsSeen = 0;
      stand.target.answer(({ method, path }) =>
        method === "PUT" && path.includes("/blobs/uploads/") && uploadsSeen++ === 1 ? { status: 507 } : "forward",
      );
      await refused("registry-full", () => place.stack.up(place.promotionOf(first)));
      assert.deepEqual(await stand.client.tags(place.here), []);
      assert.deepEqual([...place.stack.state.keys()], []);
      stand.answer();
      await place.stack.up(place.promotionOf(first));
      for (const tag of [tagOf(first), "v1.0.0", "latest"]) assert.equal(await place.digestAt(tag), first.digest);
    });
  });

  describe("stand-in: the engine's part in process. Cut at each request in turn, has no tag of half an image and ends well at the next run", () => {
    // Over an earlier release, and every other kind of cut: test/soak.
    const every = 10 / times(10);

    it("when it is killed", async () => {
      const promotion = { cut: "killed", within: false, over: false } as const;
      const { requests, runs, succeeded } = await cutEverywhere(stand, promotion, every);
      assert.ok(requests > 30, `${requests} requests`);
      assert.equal(runs, Math.ceil(requests / every));
      assert.ok(succeeded <= 1, `${succeeded} runs ended before they were killed`);
    });

    it("when the target is full", async () => {
      const { runs, succeeded } = await cutEverywhere(stand, { cut: "full", within: false, over: false }, 3 * every);
      assert.ok(succeeded < runs, `${succeeded} of ${runs}`);
    });

    it("when the target is read-only", async () => {
      const { runs, succeeded } = await cutEverywhere(stand, { cut: "read-only", within: true, over: true }, 5 * every);
      assert.ok(succeeded < runs, `${succeeded} of ${runs}`);
    });
  });

  describe("stand-in: the engine's part in process. Two promotions of one version at the same time", () => {
    /** The way of the second stack to the same target, so that each can be held where a test likes. */
    let other: ScriptedServer;
    let otherPlace: PromotionPlace;
    before(async () => {
      other = await startScriptedServer(() => "forward", { forwardTo: stand.behind });
    });
    after(() => other?.stop());
    beforeEach(() => {
      other.answer(() => "forward");
      otherPlace = placeOf(stand.client, stand.fresh().from, new PromotingStack(other.host, place.stack.image));
    });

    const isVersion = ({ path }: { path: string }) => path.endsWith("/manifests/v1.0.0");
    const latch = () => {
      let open: () => void = () => undefined;
      const opened = new Promise<void>((resolve) => {
        open = resolve;
      });
      return { open, opened };
    };
    /** Calls `write` before the version's tag is written, and `look` before it is read back. */
    const atVersion = (server: ScriptedServer, write: () => unknown, look: () => unknown = () => undefined) => {
      let isWritten = false;
      server.answer(async (request) => {
        if (isVersion(request) && isWrite(request)) {
          await write();
          isWritten = true;
        } else if (isVersion(request) && isWritten) await look();
        return "forward" as const;
      });
    };
    const up = ({ stack, promotionOf }: PromotionPlace, released: Released) => stack.up(promotionOf(released));

    it("of one digest both end well", async () => {
      const released = await place.release("v1.0.0", image());
      await otherPlace.release("v1.0.0", image());
      await Promise.all([up(place, released), up(otherPlace, released)]);
      for (const tag of [tagOf(released), "v1.0.0", "latest"]) assert.equal(await place.digestAt(tag), released.digest);
      for (const { stack } of [place, otherPlace]) assert.equal(stack.state.size, 4);
    });

    it("of two digests: who comes second is told that the version is taken, although it was free in its plan", async () => {
      const first = await place.release("v1.0.0", image());
      const second = await otherPlace.release("v1.0.0", image("a: 2"));
      const done = latch();
      const planned = latch();
      other.answer(async (request) => {
        if (tagWritten(request) === tagOf(second)) {
          planned.open();
          await done.opened;
        }
        return "forward" as const;
      });
      const refusal = refused("version-taken", () => up(otherPlace, second));
      await planned.opened;
      await up(place, first);
      done.open();
      const { message } = await refusal;
      assert.ok(message.includes(`v1.0.0 already names another image, ${first.digest}`), message);
      assert.ok(message.endsWith(`, where FROM is the stack that releases to ${otherPlace.from}`), message);
      for (const tag of ["v1.0.0", "latest"]) assert.equal(await place.digestAt(tag), first.digest);
    });

    it("of two digests that both find the name free: one tag, and who wrote first finds out when it reads it back", async () => {
      const first = await place.release("v1.0.0", image());
      const second = await otherPlace.release("v1.0.0", image("a: 2"));
      const [bothLooked, firstWrote, secondWrote] = [latch(), latch(), latch()];
      atVersion(
        stand.target,
        () => bothLooked.opened,
        () => {
          firstWrote.open();
          return secondWrote.opened;
        },
      );
      atVersion(
        other,
        () => {
          bothLooked.open();
          return firstWrote.opened;
        },
        secondWrote.open,
      );
      const loser = refused("tag-not-written", () => up(place, first));
      await up(otherPlace, second);
      assert.ok((await loser).message.includes(`names ${second.digest} right after it was written`));
      for (const tag of ["v1.0.0", "latest"]) assert.equal(await place.digestAt(tag), second.digest);
      await refused("version-taken", () => place.stack.preview(place.promotionOf(first)));
    });

    it("of two digests, the second held between its last look and its write, which no registry tells: the first is told by its next run", async () => {
      const first = await place.release("v1.0.0", image());
      const second = await otherPlace.release("v1.0.0", image("a: 2"));
      const [bothLooked, firstDone] = [latch(), latch()];
      atVersion(stand.target, () => bothLooked.opened);
      atVersion(other, () => {
        bothLooked.open();
        return firstDone.opened;
      });
      const later = up(otherPlace, second);
      await up(place, first);
      firstDone.open();
      await later;
      assert.equal(await place.digestAt("v1.0.0"), second.digest);
      const { lines } = await place.stack.preview(place.promotionOf(first));
      const moved = `was moved in the registry, from ${first.digest} to ${second.digest}: pulumi up --refresh --stack prod puts it back`;
      assert.ok(lines.includes(`tag v1.0.0 ${moved}`), lines.join("\n"));
    });
  });
});
