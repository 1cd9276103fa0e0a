// Keeps stack traces cheap. Every resource records one, and each frame is mapped back to TypeScript through source maps, those
// of Pulumi's own files too: a tenth of a second a run. In an error such frames make Node's colouring burn half a minute.

/** From now on frames in node_modules are shown as they are, all others as before. Call it before the first resource. */
export function mapOwnFramesOnly(): void {
  const mapped = Error.prepareStackTrace;
  if (!mapped) return;
  const known = new Map<string, string>(); // twenty policy repositories are made by the same lines
  const map = (error: Error, frame: NodeJS.CallSite) => {
    const key = String(frame);
    const line = known.get(key) ?? lastFrame(mapped(error, [frame]));
    known.set(key, line);
    return line;
  };
  Error.prepareStackTrace = (error, frames) => {
    const lines = frames.map((frame) =>
      isForeign(frame.getFileName() ?? "node:") ? `\n    at ${frame}` : map(error, frame),
    );
    return mapped(error, []) + lines.join("");
  };
}

function isForeign(file: string): boolean {
  return file.startsWith("node:") || file.includes("/node_modules/");
}

function lastFrame(stack: string): string {
  return stack.slice(stack.lastIndexOf("\n    at "));
}
