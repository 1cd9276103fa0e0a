// Keeps errors fast. Pulumi's handlers colour error.stack, and frames with source-mapped paths of its own files make
// Node's colouring burn half a minute; nobody reads those frames.

/** Drops the frames inside `@pulumi/` before Pulumi's own handlers look at an error. Call it before anything else runs. */
export function dropPulumiFrames(): void {
  const trim = (error: unknown) => {
    if (error instanceof Error && error.stack)
      error.stack = error.stack
        .split("\n")
        .filter((line) => !line.includes("@pulumi/"))
        .join("\n");
  };
  process.prependListener("unhandledRejection", trim);
  process.prependListener("uncaughtException", trim);
}
