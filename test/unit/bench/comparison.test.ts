// The comparison's table, plot and verdicts are made of its results alone, so they can be told from numbers.
import assert from "node:assert/strict";
import { figures } from "../../../bench/compare/figures";
import { page } from "../../../bench/compare/page";
import { plot } from "../../../bench/compare/plot";
import { type Comparison, type Run, type ScenarioName, size } from "../../../bench/compare/results";

const run = (up: number, seconds: number, toolBytes = 0, compressed = 140e6): Run => ({
  up,
  down: 200e6,
  seconds,
  compressed,
  unpacked: 480e6,
  blobs: { uploaded: 12, tools: toolBytes > 0 ? 5 : 0, toolBytes },
});
const comparison = (rows: Partial<Record<ScenarioName, [Run, Run]>>): Comparison => ({
  measured: "2026-11-21",
  machine: "2 × processor, load 0.1 before",
  rows: Object.entries(rows).map(([scenario, [script, pulumi]]) => ({
    scenario: scenario as ScenarioName,
    script,
    pulumi,
  })),
});
const whole = comparison({
  first: [run(150e6, 60, 120e6), run(570e6, 80, 540e6)],
  policy: [run(150e6, 60, 120e6), run(45_123, 15)],
  tool: [run(150e6, 60, 120e6), run(80e6, 20, 79e6)],
  base: [run(150e6, 60, 120e6), run(26e6, 30)],
  nothing: [run(150e6, 60, 120e6), run(0, 2)],
});

describe("the comparison", () => {
  it("meets its goals where it is exactly as small, fast and sparing as they ask", () => {
    const edge = comparison({
      policy: [run(150e6, 60), run(150e3, 20)],
      base: [run(150e6, 60, 120e6), run(26e6, 60)],
    });
    assert.deepEqual(
      figures(edge).map(({ met }) => met),
      [true, true, true, true],
    );
  });

  it("misses each goal on its own, by one byte or a tenth of a second", () => {
    const good = { policy: [run(150e6, 60), run(45_000, 15)], base: [run(150e6, 60), run(26e6, 30)] } as const;
    const verdicts = (rows: Partial<Record<ScenarioName, [Run, Run]>>) =>
      figures(comparison({ ...structuredClone(good), ...rows } as never)).map(({ met }) => met);
    assert.deepEqual(verdicts({}), [true, true, true, true]);
    assert.deepEqual(verdicts({ policy: [run(150e6, 60), run(150_001, 15)] }), [false, true, true, true]);
    assert.deepEqual(verdicts({ policy: [run(150e6, 60), run(45_000, 20.1)] }), [true, false, true, true]);
    assert.deepEqual(verdicts({ base: [run(150e6, 60), run(26e6, 30, 1)] }), [true, true, false, true]);
    assert.deepEqual(verdicts({ base: [run(150e6, 60), run(26e6, 30, 0, 140e6 + 1)] }), [true, true, true, false]);
  });

  it("judges the largest ratio of sizes, and only what was measured", () => {
    const [only] = figures(
      comparison({ tool: [run(1, 1, 0, 100), run(1, 1, 0, 90)], nothing: [run(1, 1, 0, 50), run(1, 1, 0, 60)] }),
    );
    assert.match(only!.measured, /^1\.2000 × \(60 B beside 50 B\)$/);
    assert.deepEqual(figures(comparison({})), []);
  });

  it("is a page with two lines for each scenario, where a missed goal is called missed", () => {
    const text = page(whole);
    assert.match(
      text,
      /^\| \*\*one policy changed\*\* \| script \| 150\.0 MB in 12 blobs \| 120\.0 MB in 5 \| 200\.0 MB \| 60\.0 s \| 140\.0 MB \| 480\.0 MB \|\n\| {2}\| `pulumi up` \| 45\.1 kB /m,
    );
    assert.match(text, /1\/3,324 \(45\.1 kB beside 150\.0 MB\)/);
    assert.doesNotMatch(text, /missed/);
    const slow = page(comparison({ policy: [run(150e6, 60), run(45_000, 30)] }));
    assert.match(slow, /\*\*missed\*\*: 0\.50 × \(30\.0 s beside 60\.0 s\)/);
  });

  it("is drawn the same from the same numbers, with a bar for every value but none for zero", () => {
    const svg = plot(whole);
    assert.equal(plot(whole), svg);
    const bars = svg.match(/<rect /g)!.length - 2; // two are the legend
    assert.equal(bars, 5 * 2 * 3 - 1);
    for (const label of ["45.1 kB", "0 B", "570.0 MB", "2.0 s", "nothing changed"])
      assert.ok(svg.includes(`>${label}<`), label);
    assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
  });

  it("draws bytes on a scale of powers of ten: a thousandth is half of the way from 1 GB to 1 kB", () => {
    const svg = plot(comparison({ policy: [run(1e9, 60), run(1e6, 60)] }));
    const widths = [...svg.matchAll(/<rect x="148" y="\d+" width="([\d.]+)" height="14"/g)].map(([, width]) =>
      Number(width),
    );
    assert.deepEqual(widths, [190, 95]);
  });

  it("writes sizes with their unit", () => {
    assert.deepEqual([0, 999, 1000, 45_286, 148_200_000, 1.5e9].map(size), [
      "0 B",
      "999 B",
      "1.0 kB",
      "45.3 kB",
      "148.2 MB",
      "1.5 GB",
    ]);
  });
});
