// Random walks of promotions and rollbacks to one target, by a stack that keeps its state and now and then loses it.
import assert from "node:assert/strict";
import fc from "fast-check";
import { PlatformError } from "../../lib/errors";
import type { Digest } from "../../lib/oci/digest";
import { compareReleases, isVersion, versionTags } from "../../lib/release/versions";
import { type PromotionStand, placeOf, tagWritten, writesOf } from "./promotionStand";
import { auditTags } from "./releaseAudit";
import { tagAs } from "./releasedImage";
import { PromotingStack } from "./standInEngine";

interface Step {
  /** Which version of the source. */
  readonly version: number;
  readonly rollback: boolean;
  /** Which version's digest is asked for; mostly its own. */
  readonly digest: number;
  readonly event: "none" | "state lost" | "latest moved" | "preview";
}

export interface WalkCounts {
  readonly steps: number;
  readonly promoted: number;
  readonly rolledBack: number;
  readonly refused: number;
}

/** Versions of the source; v1.0.2 and v2.0.0 go back to the image of an earlier one. */
const versions = ["v1.0.0", "v1.0.1", "v1.0.2", "v1.1.0", "v1.10.0", "v2.0.0", "v2.0.1", "v10.0.0"];
const images = [0, 1, 0, 2, 3, 1, 4, 5];

const mostly = <T, R>(value: T, other: fc.Arbitrary<R>, weight: number): fc.Arbitrary<T | R> =>
  fc.oneof({ weight, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: other });

const stepOf: fc.Arbitrary<Step> = fc
  .record({
    version: fc.nat(versions.length - 1),
    rollback: mostly(true, fc.constant(false), 3),
    other: mostly(undefined, fc.nat(versions.length - 1), 9),
    event: mostly(
      "none" as const,
      fc.constantFrom("state lost" as const, "latest moved" as const, "preview" as const),
      7,
    ),
  })
  .map(({ other, ...step }) => ({ ...step, digest: other ?? step.version }));

/** Walks of 20 steps each, `steps` in all. After each step what must hold is looked at from outside. */
export async function walkPromotions(stand: PromotionStand, steps: number): Promise<WalkCounts> {
  const { from, there, release } = stand.fresh();
  const digests: Digest[] = [];
  for (const [index, version] of versions.entries()) {
    const { digest } = await release(version, { policies: { p: { "a.yaml": `a: ${images[index]}` } } });
    digests.push(digest);
  }
  await tagAs(stand.client, there, digests.at(-1)!, "latest");
  const counts = { steps: 0, promoted: 0, rolledBack: 0, refused: 0 };
  let walks = 0;

  const walk = async (program: readonly Step[]) => {
    const image = `walk-${walks++}`;
    let stack = new PromotingStack(stand.target.host, image);
    const { here } = placeOf(stand.client, from, stack);
    const tagsNow = async () =>
      new Map([...(await auditTags(stand.behind, here.path))].map(([tag, its]) => [tag, its.digest]));
    for (const step of program) {
      counts.steps++;
      const before = await tagsNow();
      if (step.event === "state lost") stack = new PromotingStack(stand.target.host, image);
      const held = [...before.keys()].filter(isVersion);
      if (step.event === "latest moved" && held.length > 0) {
        const digest = before.get(held[step.version % held.length]!)!;
        await tagAs(stand.client, here, digest as Digest, "latest");
        before.set("latest", digest);
      }
      const { promotionOf } = placeOf(stand.client, from, stack);
      const version = versions[step.version]!;
      const digest = digests[step.digest]!;
      const promotion = promotionOf({ version, digest }, step.rollback);
      const [highest] = versionTags(before.keys());
      const isBelow = highest !== undefined && compareReleases(version, highest) < 0;
      const isWrong = digest !== digests[step.version];
      const start = stand.target.requests.length;
      const act = () =>
        step.event === "preview"
          ? stack.preview(promotion)
          : stack.up(promotion, { refresh: step.event === "latest moved" });
      const code = await act().then(
        () => undefined,
        (error: unknown) => {
          if (!(error instanceof PlatformError)) throw error;
          return error.code;
        },
      );
      const written = writesOf(stand.target, start);
      const after = await tagsNow();
      const moment = `${version} ${JSON.stringify(step)} on ${JSON.stringify([...before])}: ${code}`;

      if (isWrong || (isBelow && !step.rollback)) {
        assert.ok(code !== undefined && expected.has(code), moment);
        counts.refused++;
      } else assert.equal(code, undefined, moment);
      if (code !== undefined || step.event === "preview") {
        assert.deepEqual(written, [], moment);
        assert.deepEqual(after, before, moment);
        continue;
      }
      for (const [tag, its] of after) {
        const at = versions.indexOf(tag);
        if (isVersion(tag)) assert.equal(its, digests[at], `${tag}: ${moment}`);
      }
      for (const [tag, its] of before) if (tag !== "latest") assert.equal(after.get(tag), its, `${tag}: ${moment}`);
      assert.equal(after.get("latest"), digest, moment);
      assert.ok(digests.includes(after.get("latest") as Digest));
      const tags = written.flatMap(
        (line) => tagWritten({ method: line.split(" ")[0]!, path: line.split(" ")[1]! }) ?? [],
      );
      if (isBelow && before.has(version)) {
        counts.rolledBack++;
        assert.ok(written.length <= 1 && tags.every((tag) => tag === "latest"), `${written.join(" ")}: ${moment}`);
      } else counts.promoted++;
      const order = tags.map((tag) => (tag === "latest" ? 2 : isVersion(tag) ? 1 : 0));
      assert.deepEqual(order, [...order].sort(), moment);
      const again = stand.target.requests.length;
      await stack.up(promotion);
      assert.deepEqual(writesOf(stand.target, again), [], `once more: ${moment}`);
    }
  };
  const program = fc.array(stepOf, { minLength: walkLength, maxLength: walkLength });
  await fc.assert(fc.asyncProperty(program, walk), { numRuns: Math.ceil(steps / walkLength), endOnFailure: true });
  return counts;
}

const walkLength = 20;
const expected = new Set(["promotion-mismatch", "promotion-downgrade", "version-taken"]);
