// One line of a gate's result, whatever the check was.
import { printable } from "../printable";

/** What one check found. */
export interface Check {
  /** `smoke: kyverno`, `policies: security-policy`, `integration: shop-production`. */
  readonly name: string;
  /** `skipped`: it could not be made, or there is nothing to check; never counted as passed. */
  readonly status: "passed" | "failed" | "skipped";
  /** One sentence without control characters: what was found, and in a failure what was expected. */
  readonly detail: string;
  /** Everything that its programs printed, kept beside the result; it may hold anything. */
  readonly output?: string;
}

/** Characters of a detail; the whole output is kept elsewhere. */
const maxDetail = 2000;

export const passed = (name: string, detail: string, output?: string): Check =>
  made(name, "passed", printable(detail, maxDetail), output);
export const failed = (name: string, detail: string, output?: string): Check =>
  made(name, "failed", printable(detail, maxDetail), output);
export const skipped = (name: string, detail: string, output?: string): Check =>
  made(name, "skipped", printable(detail, maxDetail), output);

function made(name: string, status: Check["status"], detail: string, output: string | undefined): Check {
  return output === undefined ? { name, status, detail } : { name, status, detail, output };
}

/** Some of many names, made safe for a screen: `a, b, and 3 more`. */
export function listed(names: readonly string[], most = 5): string {
  const more = names.length - most;
  const shown = names.slice(0, most).map((name) => printable(name));
  return shown.join(", ") + (more > 0 ? `, and ${more} more` : "");
}

/** `1 file`, `2 files`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
