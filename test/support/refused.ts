// Asserts that something fails as a person would see it: a PlatformError with that very code.
import assert from "node:assert/strict";
import { PlatformError } from "../../lib/errors";

/** The error, for a look at its message; anything else than a PlatformError of `code` fails the test. */
export async function refused(code: string, action: () => unknown): Promise<PlatformError> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    assert.equal(error.code, code, error.message);
    assert.doesNotMatch(error.message, /[\p{Cc}]/u);
    return error;
  }
  assert.fail(`nothing was refused; expected ${code}`);
}
