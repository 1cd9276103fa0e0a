// The deferred part of the SDK, in a process of its own: this one has loaded the SDK already.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "mocha";
import { exec } from "../../lib/exec";

const script = `
  require("./components/lightSdk");
  const { runtime } = require("@pulumi/pulumi");
  const isLoaded = () => Object.keys(require.cache).some((path) => path.includes("/node_modules/pacote/"));
  const atFirst = isLoaded();
  runtime.computeCodePaths().then((paths) =>
    console.log(JSON.stringify({ atFirst, packages: paths.size > 10, inTheEnd: isLoaded() })),
  );
`;

describe("the SDK as the program loads it", function () {
  this.timeout(20_000); // a Node of its own, which loads the SDK and the solver

  it("loads npm's dependency solver when it is asked for the packages of a function, and not before", async () => {
    const node = exec(process.execPath, ["--require", "tsx/cjs", "-e", script], { cwd: join(__dirname, "..", "..") });
    const { stdout, stderr } = await node;
    assert.deepEqual(JSON.parse(stdout || "{}"), { atFirst: false, packages: true, inTheEnd: true }, stderr);
  });
});
