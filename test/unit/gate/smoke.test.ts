// The smoke check's verdicts on everything a tool or an image can do. That the container really is bounded is not
// shown here but in test/provider/gate.test.ts.
import assert from "node:assert/strict";
import fc from "fast-check";
import { evaluateRepository, evaluateStart, evaluateStrays, evaluateTool } from "../../../lib/gate/smoke";

const limits = { timeoutSeconds: 60, memoryBytes: 512, outputBytes: 1000 };
const yq = { version: "4.54.1", command: ["yq", "--version"], expect: "version v(\\S+)" };
const ended = {
  code: 0,
  stdout: "",
  stderr: "",
  output: "yq version v4.54.1\n",
  truncated: false,
  timedOut: false,
  oomKilled: false,
};

describe("a tool in the smoke check", () => {
  const verdict = (result: object, tool = yq) => evaluateTool("yq", tool, { ...ended, ...result }, limits);

  it("passes when it prints the pinned version", () => {
    assert.deepEqual(verdict({}), { name: "smoke: yq", status: "passed", detail: "4.54.1" });
  });

  const failures: Record<string, [object, RegExp]> = {
    "prints another version": [
      { output: "yq version v4.54.10\n" },
      /`yq --version` prints version 4\.54\.10; 4\.54\.1 is pinned/,
    ],
    "prints no version": [
      { output: "hello\n" },
      /prints no version that version v\(\\S\+\) finds; 4\.54\.1 is pinned; it printed: hello/,
    ],
    "prints nothing": [{ output: "" }, /prints no version .*and printed nothing/],
    "ends with an error": [{ code: 3, output: "usage\n" }, /ended with code 3; it printed: usage/],
    "ends with an error although it prints its version": [{ code: 1 }, /ended with code 1/],
    "is not there": [
      { code: 127, output: 'exec: "yq": executable file not found in $PATH' },
      /cannot be run in the image \(code 127\)/,
    ],
    "is not for this platform": [
      { code: 126, output: "exec format error" },
      /cannot be run in the image \(code 126\).*exec format error/,
    ],
    hangs: [{ code: undefined, timedOut: true, output: "" }, /did not end within 60 s/],
    "hangs after it printed its version": [{ code: undefined, timedOut: true }, /did not end within 60 s/],
    "prints 100 MB": [{ code: undefined, truncated: true, output: "x".repeat(1000) }, /printed more than 1000 bytes/],
    "needs too much memory": [{ code: 137, oomKilled: true, output: "" }, /more than the 512 bytes of memory/],
  };
  for (const [what, [result, detail]] of Object.entries(failures)) {
    it(`fails when it ${what}`, () => {
      const check = verdict(result);
      assert.equal(check.status, "failed");
      assert.match(check.detail, detail);
      assert.ok(check.detail.length < 1000);
    });
  }

  it("fails, soon, when its pattern never comes to an end or is no pattern", () => {
    const started = Date.now();
    assert.match(verdict({ output: `${"a".repeat(50)}!` }, { ...yq, expect: "(a+)+$" }).detail, /cannot be used/);
    assert.ok(Date.now() - started < 3000);
    assert.match(verdict({}, { ...yq, expect: "(" }).detail, /cannot be used/);
  });

  describe("whose pattern has no group", () => {
    const whole = (output: string, expect: string) => verdict({ output }, { ...yq, expect });

    it("passes when what the pattern matches holds the pinned version", () => {
      for (const output of ["version v4.54.1\n", "yq-4.54.1 (linux)", "version 4.54.1."])
        assert.deepEqual(whole(output, "(?:yq|version).*"), { name: "smoke: yq", status: "passed", detail: "4.54.1" });
      assert.equal(whole("version v4.54.1\n", "4\\.54\\.1").status, "passed");
    });

    it("fails when the version is longer or shorter, wherever the match ends", () => {
      for (const version of ["4.54.10", "14.54.1", "4.54", "4.54.1-rc1", "4.54.1+dirty", "4.54.1.2", "2.4.54.1"]) {
        assert.equal(whole(`version ${version}\n`, "version.*").status, "failed", version);
        assert.equal(whole(`version ${version}\n`, "4\\.54(\\.1)?".replace("(", "(?:")).status, "failed", version);
      }
    });

    it("fails when the version stands beside the match, or the match is empty", () => {
      assert.match(whole("yq\n4.54.1\n", "^yq$").detail, /prints version yq; 4\.54\.1 is pinned/);
      assert.match(whole("4.54.1\n", "x*").detail, /prints no version that x\* finds/);
    });
  });

  it("has only its first match looked at, on any line", () => {
    assert.equal(
      verdict({ output: "warning\nversion v4.54.1\nversion v9\n" }, { ...yq, expect: "^version v(\\S+)$" }).status,
      "passed",
    );
  });
});

describe("the image in the smoke check", () => {
  const image = { entrypoint: [], command: ["/bin/bash"], user: "65532:65532" };

  it("passes when its shell runs, and says as whom", () => {
    assert.deepEqual(evaluateStart(image), {
      name: "smoke: shell",
      status: "passed",
      detail: "/bin/bash runs as 65532:65532",
    });
    assert.match(evaluateStart({ ...image, user: "" }).detail, /as root/);
  });

  it("fails in one clear sentence when its base has no shell", () => {
    const failure = 'exec: "/bin/bash": stat /bin/bash: no such file or directory';
    assert.deepEqual(evaluateStart({ ...image, failure }), {
      name: "smoke: shell",
      status: "failed",
      detail: "the image has no /bin/bash: its base is without a shell; use a base with bash",
    });
  });

  it("fails when its shell does not stay up, with its last words", () => {
    assert.match(
      evaluateStart({ ...image, failure: "it ends at once: libtinfo.so.6: cannot open" }).detail,
      /\/bin\/bash does not run in the image: .*libtinfo/,
    );
  });

  it("fails when an entrypoint would keep `docker run IMAGE tool` from running the tool", () => {
    assert.match(evaluateStart({ ...image, entrypoint: ["/init"] }).detail, /ENTRYPOINT \["\/init"\]/);
  });

  it("fails without a command", () => assert.match(evaluateStart({ ...image, command: [] }).detail, /no CMD/));
});

describe("a repository in the smoke check", () => {
  const source = ["/repos/p/policies/a.yaml", "/repos/p/policies/b.yaml"];

  it("passes when it holds exactly the files of its source, in any order", () => {
    assert.deepEqual(evaluateRepository("p", source, [...source].reverse()), {
      name: "smoke: /repos/p",
      status: "passed",
      detail: "2 files",
    });
  });

  it("fails with the names of missing and of extra files", () => {
    const check = evaluateRepository("p", source, ["/repos/p/policies/a.yaml", "/repos/p/tests/t.yaml"]);
    assert.equal(
      check.detail,
      "differs from its source: 1 file missing (/repos/p/policies/b.yaml), 1 file too many (/repos/p/tests/t.yaml)",
    );
  });

  it("names five files of a thousand", () => {
    const many = Array.from({ length: 1000 }, (_, index) => `/repos/p/${index}`);
    assert.match(
      evaluateRepository("p", many, []).detail,
      /^differs from its source: 1000 files missing \((\S+, ){5}and 995 more\)$/,
    );
  });

  it("passes if and only if both lists hold the same", () => {
    const paths = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"));
    fc.assert(
      fc.property(paths, paths, (expected, found) => {
        const same = [...expected].sort().join() === [...found].sort().join();
        assert.equal(evaluateRepository("p", expected, found).status === "passed", same);
      }),
    );
  });

  it("stands alone in /repos: anything beside it is named", () => {
    assert.equal(evaluateStrays(["p"], ["/repos/p/a"]), undefined);
    assert.match(
      evaluateStrays(["p"], ["/repos/p/a", "/repos/pp/b", "/repos/c"])!.detail,
      /2 files of no repository of this image \(\/repos\/pp\/b, \/repos\/c\)/,
    );
  });
});
