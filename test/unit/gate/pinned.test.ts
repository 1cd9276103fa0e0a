// Which program is started under the name of a tool. stand-in: the container, which says what it was asked for.
import assert from "node:assert/strict";
import { pinnedPrograms } from "../../../lib/gate/pinned";

const programs = pinnedPrograms(
  {
    exec: async (argv) => {
      const stdout = argv.join(" ");
      return { code: 0, stdout, stderr: "", output: stdout, truncated: false, timedOut: false, oomKilled: false };
    },
    put: async (folder) => folder,
  },
  { kyverno: { command: ["/opt/kyverno/bin/kyverno", "version"] } },
);

describe("the gate's programs (stand-in: the container)", () => {
  it("are the pinned tools at their own paths, not the first of that name on PATH", async () => {
    const { stdout } = await programs.exec(["kyverno", "apply", "/repos/a/"]);
    assert.equal(stdout, "/opt/kyverno/bin/kyverno apply /repos/a/");
  });

  it("are not there when they are not pinned, whatever the base has", async () => {
    for (const name of ["helm", "toString"]) assert.equal((await programs.exec([name, "template"])).code, 127);
  });
});
