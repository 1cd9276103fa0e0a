// What it costs to read a member out of an archive, measured in a process of its own.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import type { ArchiveReport } from "./archiveProbe";

const mebibyte = 2 ** 20;
/** What the page "Add a tool" promises, beyond the idle process. */
const promisedMemory = 128 * mebibyte;

/** Reads a member, within the memory that is promised. */
export async function costOf(file: string, member?: string): Promise<ArchiveReport> {
  const args = [
    "--require",
    "tsx/cjs",
    join(__dirname, "archiveProbe.ts"),
    file,
    ...(member === undefined ? [] : [member]),
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 100_000 });
  const report: ArchiveReport = JSON.parse(stdout);
  assert.ok(report.peak < promisedMemory, `${Math.round(report.peak / mebibyte)} MiB`);
  return report;
}

/** Writes a file of chunks, through a packer where one is given; returns its path. */
export async function writeChunks(
  path: string,
  chunks: Iterable<Buffer>,
  ...through: NodeJS.ReadWriteStream[]
): Promise<string> {
  await pipeline([Readable.from(chunks), ...through, createWriteStream(path)]);
  return path;
}
