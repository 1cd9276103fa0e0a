// The YAML document that a CI host reads, with the comments that its readers need. Its bytes depend on nothing but the request.
import { Document, type Node } from "yaml";
import type { Checks } from "./checks";
import { shellLine } from "./shell";

export interface Presentation {
  /** Where the file belongs in the application's repository. */
  readonly file: string;
  /** Further lines on top. */
  readonly notes: readonly string[];
  /** Said behind values. */
  readonly comments: readonly { readonly at: readonly (string | number)[]; readonly text: string | undefined }[];
}

/** YAML 1.2 with a header that says how the file was made, and the version beside the image's digest. */
export function document(content: unknown, checks: Checks, { file, notes, comments }: Presentation): string {
  const made = new Document(content, { version: "1.2", aliasDuplicateObjects: false });
  made.commentBefore = [
    `${file}: checks the chart with the policies and tools of the policy platform's image.`,
    checks.named
      ? "Made by the line below. To renew it after a release of the policy platform, run it with that version and review the change."
      : "Made by the line below in the policy platform's project. After a release there, run it again and review the change.",
    `  ${shellLine(checks.command)}`,
    ...notes,
  ]
    .map((line) => ` ${line}`)
    .join("\n");
  for (const { at, text } of comments) if (text !== undefined) (made.getIn(at, true) as Node).comment = ` ${text}`;
  return made.toString({ lineWidth: 0 });
}

/** What kyverno prints when it read the policies and the resources; it ends with 0 when it read neither. */
export const appliedPattern = "^Applying [1-9][0-9]* policy rule\\(s\\) to [1-9][0-9]* resource";

/** Said when that is missing. */
export const appliedNothing = "kyverno applied no rule, or the chart rendered nothing";
