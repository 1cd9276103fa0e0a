import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Abandoned, duration, Steps } from "../../../local/steps";

function screen() {
  const lines: string[] = [];
  return { lines, write: (text: string) => lines.push(text), interval: 20 };
}

describe("the steps of a run", () => {
  it("go side by side unless one waits for another", async () => {
    const steps = new Steps(screen());
    const order: string[] = [];
    const first = steps.run("first", async () => {
      await sleep(30);
      order.push("first");
    });
    steps.run("beside", async () => order.push("beside"));
    steps.run("after", async () => order.push("after"), { after: [first] });
    await steps.settle();
    assert.deepEqual(order, ["beside", "first", "after"]);
  });

  it("of one lane go one after the other, in the order in which they were ready", async () => {
    const steps = new Steps(screen());
    let atOnce = 0;
    const order: number[] = [];
    for (const number of [1, 2, 3]) {
      steps.run(
        `${number}`,
        async () => {
          assert.equal(++atOnce, 1);
          await sleep(5);
          atOnce--;
          order.push(number);
        },
        { lane: "go" },
      );
    }
    await steps.settle();
    assert.deepEqual(order, [1, 2, 3]);
  });

  it("that failed are what is reported, and what has not begun never does", async () => {
    const shown = screen();
    const steps = new Steps(shown);
    const failed = steps.run("bad", async () => {
      throw new Error("no");
    });
    let begun = false;
    steps.run("later", async () => (begun = true), { after: [failed] });
    const given = steps.run("long", async ({ signal }) => {
      await sleep(10_000, undefined, { signal });
    });
    await assert.rejects(steps.settle(), /^Error: no$/);
    await assert.rejects(given);
    assert.equal(begun, false);
    assert.deepEqual(
      shown.lines.filter((line) => line.includes("✗")).map((line) => line.slice(0, 7)),
      ["  ✗ bad"],
    );
    await assert.rejects(
      steps.run("even later", async () => undefined),
      Abandoned,
    );
  });

  it("that are interrupted end with the interruption", async () => {
    const steps = new Steps(screen());
    steps.run("long", async ({ signal }) => {
      await sleep(10_000, undefined, { signal });
    });
    const reason = new Error("Ctrl-C");
    steps.interrupt(reason);
    await assert.rejects(steps.settle(), reason);
  });

  it("show name, progress and time", async () => {
    const shown = screen();
    const steps = new Steps(shown);
    await steps.run("build", async (step) => {
      step.progress("package 3 of 9");
      await sleep(50);
      step.outcome("built");
    });
    assert.match(shown.lines[0]!, /^ {2}… build: package 3 of 9 \(0\.\d s\)$/);
    assert.match(shown.lines.at(-1)!, /^ {2}✔ build: built \(0\.\d s\)$/);
    assert.equal(steps.times[0]!.name, "build");
    assert.ok(steps.times[0]!.milliseconds >= 45);
  });

  it("have times that people read", () => {
    assert.deepEqual([40, 12_340, 59_960, 185_000].map(duration), ["0.0 s", "12.3 s", "60.0 s", "3 min 05 s"]);
  });
});
