// Writes the pages of docs/ that are made from code. `npm run generate -- --check` writes nothing and fails when one is not current.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { comparisonPages } from "../bench/compare/pages";
import { cliPage } from "./generators/cli";
import { configurationPage } from "./generators/configuration";
import { errorsPage } from "./generators/errors";
import { resourcesPage } from "./generators/resources";

const root = join(__dirname, "..");

const pages: readonly { readonly path: string; readonly make: () => string }[] = [
  { path: "docs/configuration.md", make: configurationPage },
  { path: "docs/cli.md", make: cliPage },
  { path: "docs/resources.md", make: resourcesPage },
  { path: "docs/errors.md", make: () => errorsPage(root) },
  ...Object.entries(comparisonPages).map(([path, draw]) => ({ path, make: () => draw(root) })),
];

const check = process.argv.includes("--check");
for (const { path, make } of pages) {
  const file = join(root, path);
  const text = make();
  if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
  if (check) {
    console.error(`${path} is not current: npm run generate`);
    process.exitCode = 1;
  } else {
    writeFileSync(file, text);
    console.log(`wrote ${path}`);
  }
}
