// The one error class that people see. Everything that is a user's to mend is thrown as a PlatformError;
// any other exception is a bug of ours and keeps its stack.

/** The three parts of a message, in the order in which they are read. */
export interface Problem {
  /** What is wrong, with the value: `registry 127.0.0.1:5000 answered 401 to GET /v2/`. */
  readonly what: string;
  /** The rule that was broken: `a policy repository is pinned by digest`. */
  readonly rule: string;
  /** The way out: a command to type or a key to change. */
  readonly fix: string;
}

/** An error with a stable code, rendered as `<what is wrong>; <rule>; <fix>` on one line. */
export class PlatformError extends Error {
  constructor(
    /** Stable and documented, for example `registry-unauthorized`: tests and callers branch on it, never on the text. */
    readonly code: string,
    readonly problem: Problem,
    options?: { cause?: unknown },
  ) {
    super(`${problem.what}; ${problem.rule}; ${problem.fix}`, options);
    this.name = "PlatformError";
  }
}

/** The sentence to show for anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
