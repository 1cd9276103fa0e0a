// Errors of the program itself: on the screen at once, whatever they are. Node's colouring of stacks through source maps once
// took half a minute for each.
import assert from "node:assert/strict";
import { cpSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createProject, type Project } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { smallConfiguration } from "../support/smallStack";

describe("an error of the program", function () {
  this.timeout(120_000);
  let registry: TestRegistry;
  let project: Project;
  let index: string;
  let source: string;
  /** Milliseconds of a preview of a program that does nothing, and of one that ends well. */
  let empty: number;
  let whole: number;

  /** With another text in one file of the program. */
  const preview = async (program: string, file = "index.ts") => {
    rmSync(join(project.dir, file));
    project.write(file, program);
    const start = performance.now();
    const { code, stdout, stderr } = await project.pulumi("preview");
    return { code, screen: stdout + stderr, took: performance.now() - start };
  };
  /** What builds, with a statement before its outputs, when every resource is declared. */
  const withBug = (statement: string) => {
    assert.ok(source.includes("\n  return {\n"));
    return source.replace("\n  return {\n", `\n  ${statement}\n  return {\n`);
  };
  /** Two seconds, on a machine as busy as this one: there an empty program takes longer, too. */
  const soon = (took: number) => {
    const limit = Math.max(whole, empty) + 2_000;
    assert.ok(took < limit, `${took} ms; an empty program ${empty}, one that ends well ${whole}`);
  };

  before(async () => {
    registry = await startRegistry();
    project = await createProject(await smallConfiguration(registry.host));
    const flows = join(project.dir, "flows");
    const original = realpathSync(flows);
    rmSync(flows);
    cpSync(original, flows, { recursive: true });
    index = readFileSync(join(project.dir, "index.ts"), "utf8");
    source = readFileSync(join(project.dir, "flows/release.ts"), "utf8");
    empty = (await preview("export = {};\n")).took;
    const well = await preview(index);
    assert.equal(well.code, 0, well.screen);
    whole = well.took;
  });
  after(async () => {
    project?.remove();
    await registry?.stop();
  });

  for (const [where, statement] of [
    ["among its resources", "(undefined as any).bug();"],
    ["in a constructor", 'new Tool("another", undefined as any);'],
    ["in what waits for an output", "pulumi.output(1).apply(() => (undefined as any).bug());"],
    ["in what waits for a resource", "released.tags.apply(() => (undefined as any).bug());"],
  ] as const) {
    it(`that is a bug ${where} is shown within two seconds, with the line of the program`, async () => {
      const { code, screen, took } = await preview(withBug(statement), "flows/release.ts");
      assert.notEqual(code, 0, screen);
      assert.match(screen, /TypeError: Cannot (read|destructure) /);
      assert.match(screen, /\n\s+at .*flows\/release\.ts:\d+:\d+/);
      soon(took);
    });
  }

  it("that its user can mend is one sentence without a stack, within two seconds", async () => {
    project.configure((config) => {
      config["policy-platform:toolz"] = {};
    });
    const { code, screen, took } = await preview(source, "flows/release.ts");
    assert.notEqual(code, 0, screen);
    assert.match(screen, /policy-platform:toolz is no known key; did you mean tools\?/);
    assert.doesNotMatch(screen, /\n\s+at .*:\d+:\d+/);
    soon(took);
  });
});
