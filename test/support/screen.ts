// Makes a screen of the engine comparable: rows sorted (they come in event order), digests, times and addresses named.

/** What a person reads, without what differs from run to run. */
export function screen(output: string, registry: string): string {
  return sortRows(normalise(output, registry)).join("\n") + "\n";
}

/** The same for `--diff`: blocks belong together, so only the blocks of the resources are sorted. */
export function diffScreen(output: string, registry: string): string {
  const lines = normalise(output, registry);
  const start = lines.findIndex((line) => /^ {4}\S/.test(line) && !line.includes("[urn="));
  const end = lines.findIndex((line) => line.includes("--outputs:--") || line.startsWith("Resources:"));
  const blocks: string[][] = [];
  for (const line of lines.slice(start, end)) {
    if (/^ {4}\S/.test(line) && !line.startsWith("    [")) blocks.push([]);
    blocks.at(-1)?.push(line);
  }
  const sorted = blocks.map((block) => block.join("\n")).sort();
  const body = start < 0 ? lines : [...lines.slice(0, start), ...sorted, ...lines.slice(end)];
  return body.join("\n") + "\n";
}

function normalise(output: string, registry: string): string[] {
  return output
    .replaceAll(registry, "<registry>")
    .replace(/sha256:[0-9a-f]{64}/g, "<digest>")
    .replace(/"[0-9a-f]{64}"/g, '"<hash>"')
    .replace(/sha-[0-9a-f]{12}-[0-9a-f]{8}/g, "<commit tag>")
    .replace(/default_(\d+_\d+_\d+)::[0-9a-f-]{36}/g, "default_$1::<id>")
    .replace(/\b[0-9a-f]{12}\b/g, "<short>")
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "" && !line.startsWith("@ ") && !line.startsWith("Duration"));
}

/** Resource rows start with a blank and an operation column; the text above and below them keeps its order. */
function sortRows(lines: readonly string[]): string[] {
  const isRow = (line: string) => /^ [ +~-][ +~-] {1,2}\S+:\S+:\S+ /.test(line);
  const rows = lines.filter(isRow).sort();
  const first = lines.findIndex(isRow);
  const others = lines.filter((line) => !isRow(line));
  return first < 0 ? others : [...others.slice(0, first), ...new Set(rows), ...others.slice(first)];
}
