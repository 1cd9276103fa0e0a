// Tar archives, packed by gzip, by xz or not at all.
import { createReadStream } from "node:fs";
import { type ArchiveReader, malformedArchive } from "./archiveSurvey";
import { contentLimits } from "./limits";
import { readTar } from "./tarReader";

/** Reads a tar; each reading goes through the whole of it, as a tar has no table of contents. */
export function tarArchive(file: string, format: "tar" | "gzip" | "xz"): ArchiveReader {
  const entries = () =>
    readTar(createReadStream(file, { highWaterMark: 256 * 1024 }), {
      packing: format === "tar" ? "none" : format,
      maxEntries: contentLimits.archiveEntries,
      wrong: (why) => malformedArchive(file, why),
    });
  return {
    entries,
    async *content(path) {
      for await (const entry of entries()) {
        if (entry.path !== path || entry.type === "directory") continue;
        yield* entry.content;
        return;
      }
    },
  };
}
