// A cache folder for the tests of one `describe`, so that they neither read nor fill the user's.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keepVariables } from "./environment";

/** Call it in a `describe`; returns where `$XDG_CACHE_HOME` is while one of its tests runs. */
export function useOwnCache(): () => string {
  let restore: () => void;
  let folder = "";
  beforeEach(() => {
    restore = keepVariables();
    folder = mkdtempSync(join(tmpdir(), "cache-"));
    process.env.XDG_CACHE_HOME = folder;
  });
  afterEach(() => {
    restore();
    rmSync(folder, { recursive: true, force: true });
  });
  return () => folder;
}
