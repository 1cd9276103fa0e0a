// Holds the direction of imports between the folders, so that lib/ stays usable without Pulumi and a component
// without this project's configuration.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";

/** Folder (longest prefix wins) → the folders and files it may import, itself included. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  "index.ts": ["config", "components", "flows", "lib"],
  lib: ["lib"],
  config: ["config", "lib"],
  flows: ["flows", "config", "components", "lib"],
  components: ["components", "lib", "provider/resources"],
  provider: ["provider", "lib"],
  "provider/host": ["provider/host", "lib"],
  "provider/resources": ["provider/resources", "lib"],
  cli: ["cli", "lib", "config"],
  local: ["local", "lib", "config", "provider/host"],
};

/** npm packages that only some folders may import. */
const pulumiFree = ["lib", "cli"];

/** One line per import that goes against the direction, below the folder `root`; `require` and `require.resolve` count as well. */
export function importProblems(root: string): string[] {
  const files = [
    "index.ts",
    ...Object.keys(allowed)
      .filter((folder) => !folder.includes("."))
      .flatMap((folder) => typescript(root, folder)),
  ];
  return [...new Set(files)].flatMap((file) => problemsOf(root, file));
}

function problemsOf(root: string, file: string): string[] {
  const from = owner(file)!;
  const source = readFileSync(join(root, file), "utf8");
  const imports = [...source.matchAll(/(?:from|import|require(?:\.resolve)?)\s*\(?\s*"([^"]+)"/g)].map(
    (match) => match[1]!,
  );
  return imports.flatMap((specifier) => {
    if (!specifier.startsWith("."))
      return specifier.startsWith("@pulumi/") && pulumiFree.includes(from)
        ? [`${file}: ${from}/ must not import ${specifier}`]
        : [];
    const target = normalize(join(dirname(file), specifier))
      .split(sep)
      .join("/");
    const permitted = allowed[from]!.some((folder) => target === folder || target.startsWith(`${folder}/`));
    return permitted || !owner(target) ? [] : [`${file}: ${from}/ must not import ${target}`];
  });
}

/** The longest key of `allowed` that holds the file. */
function owner(file: string): string | undefined {
  return Object.keys(allowed)
    .filter((folder) => file === folder || file.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function typescript(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name));
}
