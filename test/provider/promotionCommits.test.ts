// Where several commits led to one image: a promoted image keeps its commit's tag, and gets no further one without a word.
import assert from "node:assert/strict";
import { shortDigest } from "../../lib/oci/digest";
import {
  type PromotionPlace,
  type PromotionStand,
  type Released,
  startPromotionStand,
  tagOf,
} from "../support/promotionStand";
import { refused } from "../support/refused";
import { pushWholeRelease, tagAs } from "../support/releasedImage";

const other = "bbbbbbbbbbbb";

describe("stand-in: the engine's part in process. A promotion of an image that several commits led to", function () {
  this.timeout(30_000);
  let stand: PromotionStand;
  let place: PromotionPlace;

  before(async () => {
    stand = await startPromotionStand();
  });
  after(() => stand?.stop());
  beforeEach(() => {
    place = stand.fresh();
  });

  const promote = (released: Released) => place.stack.up(place.promotionOf(released));
  const content = (value: number) => ({ policies: { p: { "a.yaml": `a: ${value}` } } });
  const release = (version: string, value: number) => place.release(version, content(value));
  /** Released, and tagged once more by another commit. */
  const releasedTwice = async (version: string, value: number) => {
    const released = await release(version, value);
    await tagAs(stand.client, place.there, released.digest, `sha-${other}`);
    return released;
  };
  /** The same release, by the other commit. */
  const byOther = (released: Released, rollback = false) => ({
    ...place.promotionOf(released, rollback),
    commit: other,
  });
  const notes = async (released: Released, rollback?: boolean) =>
    (await place.stack.preview(byOther(released, rollback))).lines;
  const named = ({ version, digest }: Released) => `${version} (${shortDigest(digest)})`;
  const keeps = (released: Released) =>
    `sha-${other} is not written: ${shortDigest(released.digest)} keeps ${tagOf(released)}, the commit that it was promoted with`;

  it("says that another commit in the stack file writes no tag, and writes none", async () => {
    const first = await releasedTwice("v1.0.0", 1);
    await promote(first);
    const lines = [`${named(first)} is promoted: nothing to do`, keeps(first)];
    assert.deepEqual(await notes(first), lines);
    await place.stack.up(byOther(first));
    assert.deepEqual(place.stack.steps, []);
    assert.equal(await place.digestAt(`sha-${other}`), undefined);
    assert.deepEqual(await notes(first), lines, "it is said for as long as it stands there");
  });

  it("says it of a further version too", async () => {
    const first = await releasedTwice("v1.0.0", 1);
    await promote(first);
    await tagAs(stand.client, place.there, first.digest, "v1.0.1");
    const next = { ...first, version: "v1.0.1" };
    const [headline, ...lines] = await notes(next);
    assert.match(headline!, /^promotes v1\.0\.1 .*, sha-bbbbbbbbbbbb, over v1\.0\.0$/);
    assert.deepEqual(lines, [keeps(first)]);
    await place.stack.up(byOther(next));
    assert.deepEqual(place.stack.steps, ["update release-version"]);
  });

  it("says it of a run that was cut before latest, in place of a tag that it would not write", async () => {
    const first = await releasedTwice("v1.0.0", 1);
    await promote(first);
    place.stack.state.delete("release-latest");
    assert.deepEqual((await notes(first)).slice(1), [keeps(first)]);
    await place.stack.up(byOther(first));
    assert.deepEqual(place.stack.steps, ["create release-latest"]);
  });

  it("says nothing of it where the image has both tags already, and asks nothing of the source", async () => {
    const first = await releasedTwice("v1.0.0", 1);
    await promote(first);
    await tagAs(stand.client, place.here, first.digest, `sha-${other}`);
    const before = stand.source.requests.length;
    assert.deepEqual(await notes(first), [`${named(first)} is promoted: nothing to do`]);
    assert.equal(stand.source.requests.length, before);
  });

  it("is refused for a commit that the source does not know, or that led to another image there", async () => {
    const first = await release("v1.0.0", 1);
    await promote(first);
    const refusal = () => refused("promotion-mismatch", () => place.stack.preview(byOther(first)));
    assert.match((await refusal()).message, /:sha-bbbbbbbbbbbb is not there, and the promotion is of /);
    const second = await releasedTwice("v1.1.0", 2);
    assert.ok((await refusal()).message.includes(`:sha-${other} names ${second.digest}`));
    await pushWholeRelease(stand.client, place.here, content(2), `sha-${other}`);
    assert.ok((await refusal()).message.includes(`:sha-${other} names ${second.digest}`), "in the target too");
  });

  it("names the further tag that it gets where no state keeps the one that it has", async () => {
    const first = await releasedTwice("v1.0.0", 1);
    await promote(first);
    place.stack.state.clear();
    assert.deepEqual(await notes(first), [`${named(first)} is here, and gets the tags that it lacks: sha-${other}`]);
    await place.stack.up(byOther(first));
    for (const tag of [tagOf(first), `sha-${other}`]) assert.equal(await place.digestAt(tag), first.digest);
  });

  it("names the further tag of a rollback", async () => {
    const first = await releasedTwice("v1.0.0", 1);
    await promote(first);
    await promote(await release("v1.1.0", 2));
    const lines = await notes(first, true);
    assert.match(lines[0]!, /^rolls back from v1\.1\.0 to v1\.0\.0 .*, sha-bbbbbbbbbbbb$/);
    assert.equal(lines.at(-1), `v1.0.0 is here without sha-${other}, and gets it beside the tags that it has`);
    await place.stack.up(byOther(first, true));
    for (const tag of [tagOf(first), `sha-${other}`]) assert.equal(await place.digestAt(tag), first.digest);
  });
});
