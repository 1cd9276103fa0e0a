// Waits between tries: what Retry-After may say, what jitter does, where it ends.
import assert from "node:assert/strict";
import fc from "fast-check";
import { transient } from "../../../lib/oci/failures";
import { defaultLimits } from "../../../lib/oci/limits";
import { parseRetryAfter, retrying, waitAfter } from "../../../lib/oci/retry";

const now = Date.parse("Wed, 21 Oct 2015 07:28:00 GMT");

describe("Retry-After", () => {
  const readable: readonly [string, number][] = [
    ["0", 0],
    ["7", 7000],
    [" 120 ", 120_000],
    ["1.5", 1500],
    ["Wed, 21 Oct 2015 07:28:30 GMT", 30_000],
    ["Wednesday, 21-Oct-15 07:28:05 GMT", 5000],
    ["Wed Oct 21 07:28:01 2015 GMT", 1000],
    ["Tue, 20 Oct 2015 07:28:00 GMT", 0],
  ];
  for (const [text, expected] of readable)
    it(`of ${JSON.stringify(text)} is ${expected} ms`, () => assert.equal(parseRetryAfter(text, now), expected));

  for (const text of [
    null,
    undefined,
    "",
    "35.852µs",
    "-1",
    "soon",
    "1e9",
    "0x10",
    "Wed, 99 Foo 2015 99:99:99 GMT",
    "99999999999999999999",
    "NaN",
    "1,2",
  ]) {
    it(`of ${JSON.stringify(text)} is nonsense and ignored`, () => assert.equal(parseRetryAfter(text, now), undefined));
  }

  it("is a number of milliseconds or nothing, whatever the text", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const wait = parseRetryAfter(text, now);
        assert.ok(wait === undefined || (Number.isFinite(wait) && wait >= 0));
      }),
    );
  });
});

describe("waits between tries", () => {
  it("double up to the longest, and are drawn from their upper half", () => {
    const waits = (random: () => number) =>
      [1, 2, 3, 4, 5, 6, 7].map((attempt) => waitAfter(attempt, undefined, defaultLimits, random));
    assert.deepEqual(
      waits(() => 1),
      [500, 1000, 2000, 4000, 8000, 15_000, 15_000],
    );
    assert.deepEqual(
      waits(() => 0),
      [250, 500, 1000, 2000, 4000, 7500, 7500],
    );
  });

  it("are never shorter than what the registry asks for", () =>
    assert.equal(waitAfter(1, 20_000, defaultLimits), 20_000));

  const fast = { ...defaultLimits, firstWait: 2, longestWait: 4, totalWait: 1000 };

  it("end with the last error after the stated number of tries", async () => {
    let tries = 0;
    const failing = () => {
      tries++;
      throw transient(new Error(`fault ${tries}`));
    };
    await assert.rejects(
      retrying(async () => failing(), { limits: fast }),
      /fault 5/,
    );
    assert.equal(tries, 5);
  });

  it("end at once for a fault that does not pass", async () => {
    let tries = 0;
    await assert.rejects(
      retrying(
        async () => {
          tries++;
          throw new Error("for good");
        },
        { limits: fast },
      ),
      /for good/,
    );
    assert.equal(tries, 1);
  });

  it("end at once when the registry asks for more time than there is", async () => {
    const started = Date.now();
    await assert.rejects(
      retrying(
        async () => {
          throw transient(new Error("throttled"), { retryAfter: 3_600_000 });
        },
        { limits: fast },
      ),
      /throttled/,
    );
    assert.ok(Date.now() - started < 500);
  });

  it("end when the work is aborted", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("stopped")), 20);
    const limits = { ...fast, firstWait: 60_000, longestWait: 60_000, totalWait: 600_000 };
    await assert.rejects(
      retrying(
        async () => {
          throw transient(new Error("fault"));
        },
        { limits, signal: controller.signal },
      ),
      /stopped/,
    );
  });

  it("are told, one line each, and then forgotten when the work succeeds", async () => {
    const lines: string[] = [];
    const result = await retrying(
      async (attempt) => {
        if (attempt < 3) throw transient(new Error("registry answered 503; rule; fix"));
        return attempt;
      },
      { limits: fast, log: (line) => lines.push(line) },
    );
    assert.equal(result, 3);
    assert.deepEqual(lines, [
      "registry answered 503; trying again in 0.0 s (2 of 5)",
      "registry answered 503; trying again in 0.0 s (3 of 5)",
    ]);
  });
});
