// Reads what `kyverno test --remove-color` prints, as of Kyverno 1.13. Neither its exit code nor its result column can be
// believed (decision 8): the reason of each row can.

/** One row of a table: a result that a test file expects, or a check of it. */
export interface TestRow {
  /** Path of the test file, as printed. */
  readonly file: string;
  readonly policy: string;
  readonly rule: string;
  /** `Kind/name`, or `namespace/Kind/name` for a check. */
  readonly resource: string;
  /** `Pass` or `Fail`; proves nothing. */
  readonly result: string;
  /** `Ok` when the rule did what the row or check expects; anything else is a failure. */
  readonly reason: string;
}

/** A test file that could not be read. */
export interface TestFileError {
  readonly file: string;
  readonly message: string;
}

/** What one run said. */
export interface TestResult {
  readonly rows: readonly TestRow[];
  /** Files that were begun, in their order; the last one is at fault when there is no summary. */
  readonly files: readonly string[];
  readonly errors: readonly TestFileError[];
  /** Undefined when the last line is missing: the run broke off. */
  readonly summary?: { readonly passed: number; readonly failed: number };
}

const loading = /^Loading test (?:.*?) ?\( (.*) \) \.\.\.$/;
const summaryLine = /^Test Summary: (\d+) tests passed and (\d+) tests failed$/;

/** Reads standard output; rows of the list of failures at its end are not read twice. */
export function parseTest(stdout: string): TestResult {
  const lines = stdout.split(/\r?\n/);
  const end = lines.findLastIndex((line) => summaryLine.test(line));
  const rows: TestRow[] = [];
  const files: string[] = [];
  const errors: TestFileError[] = [];
  for (const [index, line] of (end < 0 ? lines : lines.slice(0, end)).entries()) {
    const begun = loading.exec(line);
    if (begun) files.push(begun[1]!);
    const row = cellsOf(line);
    if (row) rows.push({ file: files.at(-1) ?? "", ...row });
    const unread = /^ {2}Path: (.*)$/.exec(line);
    const why = /^ {4}Error: (.*)$/.exec(lines[index + 1] ?? "");
    if (unread && why) errors.push({ file: unread[1]!, message: why[1]! });
  }
  const summary = summaryLine.exec(lines[end] ?? "");
  return {
    rows,
    files,
    errors,
    ...(summary ? { summary: { passed: Number(summary[1]), failed: Number(summary[2]) } } : {}),
  };
}

/** The cells of a table's row; undefined for its head, its rulers and anything else. */
function cellsOf(line: string): Omit<TestRow, "file"> | undefined {
  const [, id, policy, rule, resource, result, ...reason] = line.split("│").map((cell) => cell.trim());
  if (!/^\d+$/.test(id ?? "") || reason.length === 0) return undefined;
  // A reason may hold the very sign that parts the columns; the last piece is what follows the border.
  return {
    policy: policy!,
    rule: rule!,
    resource: resource!,
    result: result!,
    reason: reason.slice(0, -1).join("│").trim(),
  };
}
