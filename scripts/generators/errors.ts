// docs/errors.md: every error code, read from the places that throw it.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import ts from "typescript";
import { generatedNote, table } from "./markdown";

const folders = ["cli", "components", "config", "flows", "lib", "local", "provider"];

/** One place that makes an error. */
interface Place {
  readonly code: string;
  readonly rule: string;
  readonly fix: string;
}

export function errorsPage(root: string): string {
  const places = folders.flatMap((folder) => sources(join(root, folder))).flatMap((file) => placesIn(file, root));
  const codes = [...new Set(places.map(({ code }) => code))].sort();
  const rows = codes.map((code) => {
    const own = places.filter((place) => place.code === code);
    const distinct = (texts: readonly string[]) => [...new Set(texts.filter((text) => text !== ""))].join(" / ");
    return [
      `\`${code}\``,
      distinct(own.map(({ rule }) => rule)),
      distinct(own.map(({ fix }) => fix)) || "as the error says",
    ];
  });
  return `${generatedNote}
# Errors

An error is one line: what is wrong; the rule; the way out. Its code is stable: \`-o json\` of the command prints it, tests and
scripts may branch on it. Anything without a code is a bug: please report it with its stack.

\`configuration-invalid\` holds all problems of a stack's configuration at once, each with a code of its own, which is in this list too.
A part of a text that depends on the case is shown as ‹…›.

${table(["Code", "Rule", "Way out"], rows)}
`;
}

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts") && !entry.parentPath.includes("node_modules"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function placesIn(file: string, root: string): Place[] {
  const source = ts.createSourceFile(relative(root, file), readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
  const makers = new Map<string, readonly string[]>();
  const places: Place[] = [];
  const each = (node: ts.Node, visit: (node: ts.Node) => void) => {
    visit(node);
    node.forEachChild((child) => each(child, visit));
  };
  each(source, (node) => {
    const named = maker(node);
    if (named) makers.set(named.name, named.parameters);
  });
  each(source, (node) => {
    if (ts.isNewExpression(node) && ["PlatformError", "ClusterError"].includes(node.expression.getText()))
      places.push(...ofObject(node));
    if (ts.isCallExpression(node) && makers.has(node.expression.getText())) {
      places.push(...ofCall(node, makers.get(node.expression.getText())!));
    }
    if (ts.isObjectLiteralExpression(node) && property(node, "wrong") && property(node, "code")) {
      places.push(...codesOf(property(node, "code")!).map((code) => ({ code, rule: ruleAround(node), fix: "" })));
    }
  });
  return places;
}

/** A function that is handed code, rule and fix and makes the error of them; `problem` of config/ is imported. */
function maker(node: ts.Node): { name: string; parameters: string[] } | undefined {
  if (ts.isImportSpecifier(node) && node.name.text === "problem") {
    return { name: "problem", parameters: ["code", "path", "wrong", "rule", "fix"] };
  }
  const isFunction = ts.isFunctionDeclaration(node) || ts.isArrowFunction(node);
  if (!isFunction || !node.parameters.some((one) => one.name.getText() === "code")) return undefined;
  const named = ts.isFunctionDeclaration(node)
    ? node.name
    : ts.isVariableDeclaration(node.parent)
      ? node.parent.name
      : undefined;
  return named && { name: named.getText(), parameters: node.parameters.map((one) => one.name.getText()) };
}

function ofObject(node: ts.NewExpression): Place[] {
  const [code, problem] = node.arguments ?? [];
  if (!code || !problem || !ts.isObjectLiteralExpression(problem)) return [];
  const [rule, fix] = ["rule", "fix"].map((name) => textOf(property(problem, name)));
  return codesOf(code).map((one) => ({ code: one, rule: rule!, fix: fix! }));
}

function ofCall(node: ts.CallExpression, parameters: readonly string[]): Place[] {
  const argument = (name: string) => node.arguments[parameters.indexOf(name)];
  const code = argument("code");
  return code
    ? codesOf(code).map((one) => ({ code: one, rule: textOf(argument("rule")), fix: textOf(argument("fix")) }))
    : [];
}

/** The literal, or both of a choice; a code that is put together is no literal and not listed. */
function codesOf(node: ts.Node): string[] {
  if (ts.isStringLiteralLike(node)) return /^[a-z0-9]+(-[a-z0-9]+)+$/.test(node.text) ? [node.text] : [];
  return ts.isConditionalExpression(node) ? [...codesOf(node.whenTrue), ...codesOf(node.whenFalse)] : [];
}

function property(node: ts.ObjectLiteralExpression, name: string): ts.Node | undefined {
  const found = node.properties.find((one) => one.name?.getText() === name);
  return found && ts.isPropertyAssignment(found) ? found.initializer : undefined;
}

/** The rule of the grammar that a refusal stands in. */
function ruleAround(node: ts.Node): string {
  for (let at = node.parent; at; at = at.parent) {
    const rule = ts.isObjectLiteralExpression(at) ? property(at, "rule") : undefined;
    if (rule) return textOf(rule);
  }
  return "";
}

/** The text of a literal, with ‹…› for what only the case can tell, or both of a choice; nothing for anything else. */
function textOf(node: ts.Node | undefined): string {
  if (!node) return "";
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isConditionalExpression(node)) return [node.whenTrue, node.whenFalse].map(textOf).filter(Boolean).join(" / ");
  if (!ts.isTemplateExpression(node)) return "";
  return node.head.text + node.templateSpans.map(({ literal }) => `‹…›${literal.text}`).join("");
}
