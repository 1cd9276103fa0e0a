// The check that holds which folder may import which.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { importProblems } from "../../scripts/importDirection";

const folders = ["lib", "config", "components", "flows", "provider/host", "provider/resources", "cli", "local"];

/** What the check says of a project that has these files. */
function problemsIn(files: Readonly<Record<string, string>>): string[] {
  const root = mkdtempSync(join(tmpdir(), "imports-"));
  try {
    for (const folder of folders) mkdirSync(join(root, folder), { recursive: true });
    for (const [path, text] of Object.entries({ "index.ts": "", ...files })) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return importProblems(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

describe("the direction of imports", () => {
  it("is kept by everything in this project", () => {
    assert.deepEqual(importProblems(join(__dirname, "..", "..")), []);
  });

  const wrong: readonly [file: string, text: string, problem: string][] = [
    ["lib/a.ts", 'import { b } from "../config/b";', "lib/a.ts: lib/ must not import config/b"],
    ["lib/oci/a.ts", 'export * from "../../provider/b";', "lib/oci/a.ts: lib/ must not import provider/b"],
    ["lib/a.ts", 'import "../components/b";', "lib/a.ts: lib/ must not import components/b"],
    ["lib/a.ts", 'import * as p from "@pulumi/pulumi";', "lib/a.ts: lib/ must not import @pulumi/pulumi"],
    ["lib/a.ts", 'require.resolve("@pulumi/pulumi");', "lib/a.ts: lib/ must not import @pulumi/pulumi"],
    ["lib/a.ts", 'const p = await import("@pulumi/docker");', "lib/a.ts: lib/ must not import @pulumi/docker"],
    ["components/a.ts", 'import { b } from "../config/b";', "components/a.ts: components/ must not import config/b"],
    [
      "components/a.ts",
      'import { b } from "../provider/b";',
      "components/a.ts: components/ must not import provider/b",
    ],
    [
      "provider/host/a.ts",
      'import type { B } from "../resources/b";',
      "provider/host/a.ts: provider/host/ must not import provider/resources/b",
    ],
    ["index.ts", 'require("./provider/b");', "index.ts: index.ts/ must not import provider/b"],
  ];
  for (const [file, text, problem] of wrong) {
    it(`refuses ${text} in ${file}`, () => assert.deepEqual(problemsIn({ [file]: text }), [problem]));
  }

  it("allows what each folder is built on", () => {
    const files = {
      "index.ts": 'import { a } from "./components/a"; import { b } from "./lib/b"; import "@pulumi/pulumi";',
      "components/a.ts": 'import { c } from "../provider/resources/c"; import * as p from "@pulumi/pulumi";',
      "provider/a.ts": 'import { b } from "../lib/b"; import { d } from "./host/d";',
      "lib/b.ts": 'import { e } from "./e"; import { f } from "node:fs";',
    };
    assert.deepEqual(problemsIn(files), []);
  });
});
