// Promotions between two real registries: what is refused before anything is written, and what the release notes say.
import assert from "node:assert/strict";
import { RegistryClient } from "../../lib/oci/client";
import { copyGraph } from "../../lib/oci/copy";
import { sha256, shortDigest } from "../../lib/oci/digest";
import { planPromotion } from "../../lib/plan/promotion";
import { type Released, startPromotionStand, tagOf, writesOf } from "../support/promotionStand";
import { refused } from "../support/refused";
import { type ImageContent, pushWholeRelease, tagAs } from "../support/releasedImage";
import { fresh, shared } from "../support/shared";
import type { Promotion } from "../support/standInEngine";

const image = (edit = "a: 1"): ImageContent => ({
  tools: { yq: "4.50.0" },
  policies: { "security-policy": { "policies/a.yaml": edit } },
});

describe("stand-in: the engine's part in process. A promotion between registries", function () {
  this.timeout(30_000);
  const stand = shared(startPromotionStand);
  const place = fresh(() => {
    stand.answer();
    return stand.fresh();
  });

  /** `preview` and `up` are both refused with the code, and neither writes. */
  const refusedBoth = async (code: string, promotion: Promotion) => {
    const before = stand.target.requests.length;
    const { message } = await refused(code, () => place.stack.preview(promotion));
    assert.equal((await refused(code, () => place.stack.up(promotion))).message, message);
    assert.deepEqual(writesOf(stand.target, before), []);
    return message;
  };

  describe("is refused before anything is written", () => {
    it("when the digest is in neither registry", async () => {
      await place.release("v1.0.0", image());
      const message = await refusedBoth(
        "promotion-gone",
        place.promotionOf({ version: "v1.0.0", digest: sha256("gone") }),
      );
      assert.ok(message.includes(`is neither in ${place.from} nor in ${place.stack.to}`), message);
      assert.ok(message.endsWith(`promote FROM prod, where FROM is the stack that releases to ${place.from}`), message);
    });

    it("when the source has no such repository", async () => {
      await refusedBoth("promotion-gone", place.promotionOf({ version: "v1.0.0", digest: sha256("gone") }));
    });

    it("when the version names another image in the source, and which", async () => {
      const first = await place.release("v1.0.0", image());
      const second = await place.release("v1.1.0", image("a: 2"));
      const message = await refusedBoth(
        "promotion-mismatch",
        place.promotionOf({ version: "v1.0.0", digest: second.digest }),
      );
      assert.ok(message.includes(`${place.from}:v1.0.0 names ${first.digest}`), message);
    });

    it("when the version is not in the source", async () => {
      const first = await place.release("v1.0.0", image());
      assert.match(
        await refusedBoth("promotion-mismatch", place.promotionOf({ version: "v1.0.1", digest: first.digest })),
        /:v1\.0\.1 is not there/,
      );
    });

    it("when the commit's tag names another image in the source, or none", async () => {
      const first = await place.release("v1.0.0", image());
      const second = await place.release("v1.1.0", image("a: 2"));
      const promotion = place.promotionOf(second);
      const other = await refusedBoth("promotion-mismatch", { ...promotion, commit: shortDigest(first.digest) });
      assert.ok(other.includes(`${tagOf(first)} names ${first.digest}`), other);
      await refusedBoth("promotion-mismatch", { ...promotion, commit: "0123456789ab" });
    });

    it("when the version is another image in the target, which this stack did not promote", async () => {
      const first = await place.release("v1.0.0", image());
      const other = await pushWholeRelease(stand.client, place.here, image("a: other"), "v1.0.0");
      const message = await refusedBoth("version-taken", place.promotionOf(first));
      assert.ok(message.includes(`${place.stack.to}:v1.0.0 already names another image, ${other.digest}`), message);
      assert.equal(await place.digestAt("v1.0.0"), other.digest);
    });

    it("when the commit's tag is another image in the target", async () => {
      const first = await place.release("v1.0.0", image());
      const other = await pushWholeRelease(stand.client, place.here, image("a: other"), tagOf(first));
      const message = await refusedBoth("version-taken", place.promotionOf(first));
      assert.match(message, /; release a change, of another commit, where it is built, then policy-platform promote/);
      assert.equal(await place.digestAt(tagOf(first)), other.digest);
    });

    it("when a higher version is in the target and no rollback is allowed", async () => {
      const first = await place.release("v1.0.0", image());
      const second = await place.release("v1.10.0", image("a: 2"));
      await place.stack.up(place.promotionOf(second));
      const message = await refusedBoth("promotion-downgrade", place.promotionOf(first));
      assert.match(message, /v1\.0\.0 is below v1\.10\.0, .*promotion\.rollback true --stack prod$/);
      await place.stack.up(place.promotionOf(first, true));
      assert.equal(await place.digestAt("latest"), first.digest);
      assert.equal(await place.digestAt("v1.10.0"), second.digest);
    });

    it("when the image does not name its inputs", async () => {
      const foreign = await place.release("v1.0.0", { ...image(), labelled: false });
      await refusedBoth("promotion-foreign", place.promotionOf({ version: "v1.0.0", digest: foreign.digest }));
    });

    it("when the target has the release and its image does not name its inputs", async () => {
      const foreign = await pushWholeRelease(stand.client, place.here, { ...image(), labelled: false }, "v1.0.0");
      await tagAs(stand.client, place.here, foreign.digest, tagOf(foreign));
      await refusedBoth("promotion-foreign", place.promotionOf({ version: "v1.0.0", digest: foreign.digest }));
    });

    it("when source and target are one repository", async () => {
      const first = await pushWholeRelease(stand.client, place.here, image(), "v1.0.0");
      const promotion = place.promotionOf({ version: "v1.0.0", digest: first.digest });
      await refusedBoth("promotion-self", { ...promotion, from: place.stack.to });
    });

    it("when they are one repository under two names of its registry, which is not asked", async () => {
      const registry = { address: "docker.io/acme", separator: "-", insecure: false } as const;
      const promotion = { version: "v1.0.0", digest: sha256("x"), commit: "0123456789ab", rollback: false };
      for (const host of ["docker.io", "index.docker.io", "Registry-1.Docker.IO", "docker.io:443"]) {
        const from = `${host}/acme/releases-p`;
        const settings = { registry, image: { name: "p" }, promotion: { ...promotion, from } };
        const state = () => assert.fail("nothing is read");
        const { message } = await refused("promotion-self", () =>
          planPromotion(new RegistryClient(), settings, { stack: "prod", state }),
        );
        assert.ok(message.includes(from), message);
      }
    });
  });

  describe("asks nothing of the source", () => {
    const silent = async (act: () => Promise<unknown>) => {
      stand.source.answer(() => ({ status: 503 }));
      const before = stand.source.requests.length;
      await act();
      assert.equal(stand.source.requests.length, before);
    };

    it("once the target has the release, with its state and without", async () => {
      const first = await place.release("v1.0.0", image());
      await place.stack.up(place.promotionOf(first));
      await silent(() => place.stack.up(place.promotionOf(first)));
      assert.deepEqual(place.stack.steps, []);
      place.stack.state.clear();
      await silent(() => place.stack.up(place.promotionOf(first)));
      assert.equal(place.stack.steps.length, 4, "adopted");
    });

    it("for a version that the target got before, and a rollback moves latest alone", async () => {
      const first = await place.release("v1.0.0", image());
      const second = await place.release("v1.1.0", image("a: 2"));
      await place.stack.up(place.promotionOf(first));
      await place.stack.up(place.promotionOf(second));
      const before = stand.target.requests.length;
      await silent(() => place.stack.up(place.promotionOf(first, true)));
      assert.deepEqual(writesOf(stand.target, before), [`PUT /v2/${place.here.path}/manifests/latest`]);
    });

    it("to say that a tag is gone from the target, and to put it back", async () => {
      const first = await place.release("v1.0.0", image());
      await place.stack.up(place.promotionOf(first));
      const isGone = ({ path }: { path: string }) => path.endsWith(`/manifests/${tagOf(first)}`);
      stand.target.answer((request) => (isGone(request) ? { status: 404 } : "forward"));
      await silent(async () => {
        const { lines } = await place.stack.preview(place.promotionOf(first));
        assert.deepEqual(lines, [
          `v1.0.0 (${shortDigest(first.digest)}) is promoted`,
          `tag ${tagOf(first)} is gone from the registry: pulumi up --refresh --stack prod puts it back`,
        ]);
      });
    });

    it("to put tags back that were moved in the target", async () => {
      const first = await place.release("v1.0.0", image());
      const second = await place.release("v1.1.0", image("a: 2"));
      await place.stack.up(place.promotionOf(first));
      await place.stack.up(place.promotionOf(second));
      const tags = ["v1.1.0", tagOf(second), "latest"];
      await tagAs(stand.client, place.here, first.digest, ...tags);
      const promotion = place.promotionOf(second);
      await silent(async () => {
        const { lines } = await place.stack.preview(promotion);
        const [headline, ...moved] = lines;
        assert.equal(headline, `v1.1.0 (${shortDigest(second.digest)}) is promoted`);
        assert.deepEqual(
          moved.sort(),
          tags
            .map(
              (tag) =>
                `tag ${tag} was moved in the registry, from ${second.digest} to ${first.digest}: pulumi up --refresh --stack prod puts it back`,
            )
            .sort(),
        );
        await place.stack.up(promotion, { refresh: true });
      });
      for (const tag of tags) assert.equal(await place.digestAt(tag), second.digest);
      const { lines } = await place.stack.up(promotion);
      assert.deepEqual(lines, [`v1.1.0 (${shortDigest(second.digest)}) is promoted: nothing to do`]);
    });

    it("and asks again when the target lost the commit's tag that a new state would have to write", async () => {
      const first = await place.release("v1.0.0", image());
      await copyGraph(stand.client, { from: place.there, to: place.here, digest: first.digest });
      await tagAs(stand.client, place.here, first.digest, "v1.0.0", "latest");
      await refusedBoth("promotion-mismatch", {
        ...place.promotionOf(first),
        commit: "0123456789ab",
      });
      await place.stack.up(place.promotionOf(first));
      assert.equal(await place.digestAt(tagOf(first)), first.digest);
    });
  });

  it("reads latest of the target once, where its tags cannot be moved too", async () => {
    const first = await place.release("v1.0.0", image());
    const second = await place.release("v1.1.0", image("a: 2"));
    const plan = (released: Released) => {
      const registry = { address: stand.target.host, separator: "/", insecure: false, immutableTags: true } as const;
      const promotion = { ...place.promotionOf(released), rollback: false };
      const settings = { registry, image: { name: place.stack.image }, promotion };
      return planPromotion(stand.client, settings, { stack: "prod", state: async () => ({}) });
    };
    const reads = async (run: () => Promise<unknown>) => {
      const before = stand.target.requests.length;
      await run();
      return stand.target.requests.slice(before).filter(({ path }) => path.endsWith("/manifests/latest")).length;
    };
    assert.equal(await reads(() => refused("latest-immutable", () => plan(first))), 1);
    await place.stack.up(place.promotionOf(first));
    assert.equal(await reads(() => plan(first)), 1);
    assert.equal(await reads(() => refused("latest-immutable", () => plan(second))), 1);
  });
});
