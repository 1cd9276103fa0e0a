// Golden files: rendered text and screens, compared byte for byte. UPDATE_GOLDEN=1 rewrites them; review the diff.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Compares `actual` with `test/golden/<name>`; a missing file fails, so nothing passes by being new. */
export function golden(name: string, actual: string): void {
  const path = join(__dirname, "..", "golden", name);
  if (process.env.UPDATE_GOLDEN === "1") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, actual);
    return;
  }
  assert.ok(existsSync(path), `golden file ${name} is missing; run with UPDATE_GOLDEN=1 and review it`);
  assert.equal(actual, readFileSync(path, "utf8"));
}
