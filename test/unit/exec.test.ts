// Other people's programs, run within bounds.
import assert from "node:assert/strict";
import { exec } from "../../lib/exec";
import { identify } from "../../lib/process";

/** Runs and says how many milliseconds that took. */
async function timed<T>(run: () => Promise<T>): Promise<{ result: T; took: number }> {
  const start = Date.now();
  const result = await run();
  return { result, took: Date.now() - start };
}

/** A child that prints its pid of a grandchild, which holds the pipes and outlives it. */
const leaving = ["-c", 'sleep 30 & echo "$!"'];

function end(pid: string): void {
  process.kill(Number(pid), "SIGKILL");
}

describe("running another program", () => {
  it("gives its exit code and both of its streams", async () => {
    const result = await exec("sh", ["-c", "cat; echo oops >&2; exit 3"], { input: "héllo" });
    assert.deepEqual(result, { code: 3, stdout: "héllo", stderr: "oops\n", timedOut: false });
  });

  it("takes no longer than it may, although what the program started holds its pipes", async () => {
    const { result, took } = await timed(() => exec("sh", ["-c", "echo begun; sleep 3 & wait"], { timeout: 300 }));
    assert.ok(took < 2000, `${took} ms`);
    assert.deepEqual(result, { code: null, stdout: "begun\n", stderr: "", timedOut: true });
  });

  it("that takes too long is ended with all that it started", async () => {
    const script = 'sh -c "sleep 31 & echo \\$!; wait" & echo "$!"; wait';
    const { stdout } = await exec("sh", ["-c", script], { timeout: 2000 });
    const pids = stdout.trim().split("\n").map(Number);
    assert.equal(pids.length, 2, stdout);
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const pid of pids) assert.equal(identify(pid), undefined, `${pid} lives`);
  });

  it("waits no longer for what a program left behind that has ended well", async () => {
    const { result, took } = await timed(() => exec("sh", leaving, { timeout: 400 }));
    end(result.stdout);
    assert.ok(took < 2000, `${took} ms`);
    assert.equal(result.code, 0);
    assert.equal(result.timedOut, false, "the program itself ended in time");
  });

  it("ends the program at once when it is aborted, and lets go of its pipes", async () => {
    const abort = new AbortController();
    let pid = "";
    const onOutput = (text: string) => {
      pid += text;
      abort.abort(new Error("enough"));
    };
    const { took } = await timed(() =>
      assert.rejects(exec("sh", ["-c", 'sleep 30 & echo "$!"; wait'], { signal: abort.signal, onOutput }), {
        name: "AbortError",
      }),
    );
    end(pid);
    assert.ok(took < 2000, `${took} ms`);
  });

  it("shows whole characters, however the bytes arrive", async () => {
    const shown: string[] = [];
    const bytes = ["\\342", "\\202", "\\254", "\\360\\237", "\\230\\200"];
    const script = bytes.map((some) => `printf '${some}'; sleep 0.05`).join("; ");
    const { stdout } = await exec("sh", ["-c", script], { onOutput: (text) => shown.push(text) });
    assert.equal(stdout, "€😀");
    assert.deepEqual(shown, ["€", "😀"]);
  });

  it("keeps as much output as it may, and no half of a character", async () => {
    const { stdout } = await exec("sh", ["-c", "printf 'ab€€'; exit 0"], { maxOutput: 7 });
    assert.equal(stdout, "ab€");
  });

  it("says that a program is not there", async () => {
    await assert.rejects(exec("no-such-program-here", []), { code: "ENOENT" });
  });

  it("hands on nothing of the environment that was not named", async () => {
    process.env.POLICY_PLATFORM_TEST_TOKEN = "secret";
    try {
      const { stdout } = await exec("env", [], { env: { GIVEN: "yes" } });
      assert.match(stdout, /^GIVEN=yes$/m);
      assert.doesNotMatch(stdout, /secret/);
    } finally {
      delete process.env.POLICY_PLATFORM_TEST_TOKEN;
    }
  });
});
