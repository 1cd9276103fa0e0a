// What the stack's own state says of the build of an image.

/**
 * Folder of the context that `imageName` (`host/path:tag`) was built from, among the outputs of a stack's resources by URN; undefined
 * where it was not built.
 */
export function builtContext(resources: unknown, imageName: string): string | undefined {
  for (const { type, outputs } of Object.values((resources ?? {}) as Record<string, StateEntry>)) {
    if (type !== "docker:index/image:Image" || outputs?.imageName !== imageName) continue;
    if (typeof outputs.context === "string") return outputs.context;
  }
  return undefined;
}

interface StateEntry {
  readonly type?: string;
  readonly outputs?: Readonly<Record<string, unknown>>;
}
