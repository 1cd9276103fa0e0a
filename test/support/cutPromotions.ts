// Promotions that are cut at each of their requests in turn, and what must hold whatever the moment: no tag of an image that is
// not whole, tags in their order, and one more run that ends well.
import assert from "node:assert/strict";
import { PlatformError } from "../../lib/errors";
import { missingFrom } from "../../lib/oci/copy";
import { isWrite, type PromotionPlace, type PromotionStand, placeOf, tagOf, tagWritten } from "./promotionStand";
import { auditTags } from "./releaseAudit";
import type { ImageContent } from "./releasedImage";
import type { RecordedRequest, ScriptedAnswer } from "./scriptedServer";
import { PromotingStack } from "./standInEngine";

/**
 * `killed`: the process ends, and what it asked last never arrives. `gone`: the registry does what it was asked, its answer is
 * lost, and it says nothing more but 403. `answer lost`: the same once, then all is well. `full`, `read-only`: of writes alone, from there on.
 */
export const cuts = ["killed", "gone", "answer lost", "full", "read-only"] as const;
export type Cut = (typeof cuts)[number];

export interface CutPromotion {
  readonly cut: Cut;
  /** Whether the source is in the registry of the target. */
  readonly within: boolean;
  /** Whether the target has an earlier release. */
  readonly over: boolean;
}

export interface CutCounts {
  /** Of a promotion that nothing cuts. */
  readonly requests: number;
  /** Runs that were cut. */
  readonly runs: number;
  /** Of those, runs that ended well all the same. */
  readonly succeeded: number;
}

const codes: Readonly<Record<Cut, RegExp | undefined>> = {
  killed: undefined,
  gone: /^registry-forbidden$/,
  "answer lost": undefined,
  full: /^registry-full$/,
  "read-only": /^registry-read-only$/,
};
const imageOf = (edit: string): ImageContent => ({
  tools: { yq: "4.50.0" },
  policies: { p: { "a.yaml": `a: ${edit}` } },
});

/** Cuts a promotion at request 1, 1 + `every`, … to its last. */
export async function cutEverywhere(
  stand: PromotionStand,
  { cut, within, over }: CutPromotion,
  every = 1,
): Promise<CutCounts> {
  const { from, release } = stand.fresh(within ? stand.target : stand.source);
  const [first, second] = [await release("v1.0.0", imageOf("1")), await release("v1.1.0", imageOf("2"))];
  const tags = [tagOf(second), second.version, "latest"];
  let number = 0;

  /** A target of its own; the promotion is about to begin. */
  const prepare = async () => {
    stand.answer();
    const stack = new PromotingStack(stand.target.host, `cut-${cut.replace(" ", "-")}-${within}-${over}-${number++}`);
    const place = placeOf(stand.client, from, stack);
    if (over) await stack.up(place.promotionOf(first));
    return place;
  };
  /** Lets a run meet its cut at request `at`; returns the tags that reached the registry. */
  const run = async (place: PromotionPlace, at: number) => {
    const written: string[] = [];
    const early: string[] = []; // thrown here, it would be one more fault of the server
    const kill = new AbortController();
    let seen = 0;
    stand.answer(async (request) => {
      const index = ++seen;
      const answer = index < at ? "forward" : answerOf(cut, request, index === at, kill);
      const tag = tagWritten(request);
      if (tag !== undefined && (answer === "forward" || answer.forward)) {
        const missing = await missingFrom(stand.client, direct(place), second.digest);
        if (missing.length > 0) early.push(`${tag} at request ${index} lacks ${missing.join(", ")}`);
        if (written.at(-1) !== tag) written.push(tag); // an answer that is lost has it written again
      }
      return answer;
    });
    const outcome = await place.stack.up(place.promotionOf(second), { signal: kill.signal }).then(
      () => undefined,
      (error: unknown) => error,
    );
    stand.answer();
    assert.deepEqual(early, []);
    return { outcome, written, seen };
  };
  const direct = ({ here }: PromotionPlace) => ({ ...here, registry: stand.behind });
  const audited = async (place: PromotionPlace) => {
    const found = await auditTags(stand.behind, place.here.path);
    return Object.fromEntries([...found].map(([tag, { digest }]) => [tag, digest]));
  };
  const before = over ? { [tagOf(first)]: first.digest, [first.version]: first.digest, latest: first.digest } : {};
  const after = { ...before, ...Object.fromEntries(tags.map((tag) => [tag, second.digest])) };

  const whole = await run(await prepare(), Number.POSITIVE_INFINITY);
  assert.deepEqual([whole.outcome, whole.written], [undefined, tags]);
  const counts = { requests: whole.seen, runs: 0, succeeded: 0 };
  for (let at = 1; at <= whole.seen; at += every) {
    const place = await prepare();
    const { outcome, written } = await run(place, at);
    counts.runs++;
    const moment = `${cut} at request ${at} of ${whole.seen}: ${String(outcome)}`;
    if (outcome === undefined) {
      counts.succeeded++;
      assert.deepEqual(written, tags, moment);
    } else if (cut !== "killed") {
      assert.ok(outcome instanceof PlatformError && codes[cut]?.test(outcome.code), moment);
    }
    assert.deepEqual(written, tags.slice(0, written.length), moment);
    const known = Object.fromEntries(written.map((tag) => [tag, second.digest]));
    assert.deepEqual(await audited(place), { ...before, ...known }, moment);
    await place.stack.up(place.promotionOf(second));
    assert.deepEqual(await audited(place), after, moment);
    await place.stack.up(place.promotionOf(second));
    assert.deepEqual(place.stack.steps, [], moment);
  }
  return counts;
}

function answerOf(
  cut: Cut,
  request: RecordedRequest,
  isFirst: boolean,
  kill: AbortController,
): ScriptedAnswer | "forward" {
  switch (cut) {
    case "killed":
      if (isFirst) kill.abort(new Error("killed"));
      return { status: 403 }; // the plan is not told of a kill: its process is gone
    case "gone":
      return isFirst ? { forward: true, reset: true } : { status: 403 };
    case "answer lost":
      return isFirst ? { forward: true, reset: true } : "forward";
    default:
      return isWrite(request) ? { status: cut === "full" ? 507 : 405 } : "forward";
  }
}
