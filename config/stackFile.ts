// Edits a stack's file in place: the bytes of the values that change, and no others, so comments, order and quotes of
// everything else stay. Whole or not at all.
import { chmod, readFile, realpath, stat, writeFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { type Document, isScalar, parseDocument, visit } from "yaml";
import { writeByRename } from "../lib/cache";
import { PlatformError } from "../lib/errors";
import { namespace } from "./problems";
import { type EditedValue, splice } from "./stackSplice";

/** One value to set; keys that are not there yet are added at the end of their map. `undefined` takes the key away. */
export interface Edit<Value extends EditedValue | undefined = string> {
  /** From the key without its namespace: `["tools", "yq", "version"]`. Maps only, no lists. */
  readonly path: readonly string[];
  readonly value: Value;
}

/** An edit of any kind. */
type AnyEdit = Edit<EditedValue | undefined>;

/** The text with all edits made. */
export function editedText(text: string, edits: readonly AnyEdit[]): string {
  return edits.reduce(withEdit, text);
}

/** The value that stands at a path, as text; `undefined` where there is none, or a map or list. Error: `stack-file-malformed`. */
export function valueIn(text: string, path: Edit["path"]): string | undefined {
  const document = parsed(text);
  const node = document.getIn(documentPath(document, path), true);
  return isScalar(node) && node.value !== null ? String(node.value) : undefined;
}

/** True when an encrypted value stands anywhere in the text, of whatever namespace and form. Error: `stack-file-malformed`. */
export function holdsSecrets(text: string): boolean {
  let found = false;
  visit(parsed(text), {
    Pair: (_, { key, value }) => {
      if (!isScalar(key) || key.value !== "secure" || !isScalar(value)) return undefined;
      found = true;
      return visit.BREAK;
    },
  });
  return found;
}

/** Makes the edits in the file that still holds `text`. Error: `stack-file-changed`, as for `replaceText`. */
export function writeEdits(path: string, text: string, edits: readonly AnyEdit[]): Promise<void> {
  return replaceText(path, text, editedText(text, edits));
}

/**
 * Writes `changed` into the file that still holds `text`, by rename: a reader sees the old file or the new one. Mode and
 * link stay. Error: `stack-file-changed` when somebody else wrote it meanwhile; then nothing is written.
 */
export async function replaceText(path: string, text: string, changed: string): Promise<void> {
  const file = await realpath(path);
  const { mode } = await stat(file);
  await writeByRename(file, async (temporary) => {
    await writeFile(temporary, changed);
    await chmod(temporary, mode & 0o777);
    if ((await readFile(file, "utf8")) !== text) {
      throw new PlatformError("stack-file-changed", {
        what: `${path} was changed by somebody else while its pins were looked up`,
        rule: "a stack file is edited by one at a time",
        fix: "nothing was written; run the command again",
      });
    }
  });
}

function parsed(text: string): Document.Parsed {
  const document = parseDocument(text);
  if (document.errors.length === 0) return document;
  throw new PlatformError("stack-file-malformed", {
    what: `the stack file is no YAML: ${document.errors[0]!.message.split("\n")[0]!.replace(/:$/, "")}`,
    rule: "a stack's configuration stands in a file of YAML",
    fix: "mend that line; of Pulumi.local.yaml `npm run local` makes a new one when it is deleted",
  });
}

function withEdit(text: string, { path, value }: AnyEdit): string {
  const document = parseDocument(text);
  const full = documentPath(document, path);
  if (value === undefined && !document.hasIn(full)) return text;
  const wanted = parseDocument(text);
  if (value === undefined) wanted.deleteIn(full);
  else setValue(wanted, full, value);
  const spliced = splice(text, document, full, value);
  if (spliced !== undefined && reads(spliced, wanted.toJS())) return spliced;
  // Where the text is of a form that cannot be spliced, the whole file is written anew; comments and order stay.
  return wanted.toString({ lineWidth: 0 });
}

function reads(text: string, value: unknown): boolean {
  const document = parseDocument(text);
  return document.errors.length === 0 && isDeepStrictEqual(document.toJS(), value);
}

/** Keys that stand there without a value become maps; their comments stay. */
function setValue(document: Document, path: readonly string[], value: EditedValue): void {
  for (const depth of path.keys()) {
    const node = document.getIn(path.slice(0, depth), true);
    if (!isScalar(node) || node.value !== null) continue;
    const map = document.createNode({});
    map.comment = node.comment;
    map.commentBefore = node.commentBefore;
    if (depth === 0) document.contents = map as typeof document.contents;
    else document.setIn(path.slice(0, depth), map);
  }
  document.setIn(path, value);
}

/** A key may stand in the file with its namespace or, as the project's own, without. */
function documentPath(document: Document, [first, ...rest]: readonly string[]): string[] {
  const bare = document.hasIn(["config", first]);
  return ["config", bare ? first! : `${namespace}:${first}`, ...rest];
}
