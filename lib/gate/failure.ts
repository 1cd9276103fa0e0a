// What people read when the gate refuses an image.
import { relative } from "node:path";
import { PlatformError } from "../errors";
import type { Check } from "./check";
import { outputFile } from "./kept";

/** Each failing check with what decided it, and the files with its whole output. */
export function gateFailed(image: string, checks: readonly Check[], folder: string): PlatformError {
  const failing = checks.filter(({ status }) => status === "failed");
  const files = failing.filter(({ output }) => output !== undefined).map(({ name }) => outputFile(name));
  const shown = relative(process.cwd(), folder);
  const seeAll = files.length === 0 ? "" : `; whole output in ${shown}/: ${files.slice(0, 5).join(", ")}`;
  return new PlatformError("gate-failed", {
    what: `the gate refuses ${image}: ${failing.map(({ name, detail }) => `${name}: ${detail}`).join("; ")}${seeAll}`,
    rule: "only an image that has passed every check is tagged, so nothing was released",
    fix: "mend the pin or the policy that the check names, then run pulumi up again",
  });
}
