// Run as a process of its own: reads a member out of an archive and prints what that took beyond the idle process.
import { createHash } from "node:crypto";
import { memberFromArchive } from "../../lib/oci/archive";

/** What the probe prints, as JSON. */
export interface ArchiveReport {
  /** Bytes of resident memory beyond the idle process, at the worst moment. */
  readonly peak: number;
  readonly milliseconds: number;
  /** Of the member's content; absent where the archive was refused. */
  readonly sha256?: string;
  /** Code and first words of the error. */
  readonly error?: string;
}

async function probe(file: string, member: string | undefined): Promise<ArchiveReport> {
  const idle = process.memoryUsage.rss();
  let highest = idle;
  const timer = setInterval(() => {
    highest = Math.max(highest, process.memoryUsage.rss());
  }, 2);
  const started = Date.now();
  const report = () => ({ peak: highest - idle, milliseconds: Date.now() - started });
  try {
    const hash = createHash("sha256");
    for await (const chunk of (await memberFromArchive(file, member)).open()) hash.update(chunk);
    return { ...report(), sha256: hash.digest("hex") };
  } catch (error) {
    return { ...report(), error: `${(error as { code?: string }).code}: ${(error as Error).message.slice(0, 200)}` };
  } finally {
    clearInterval(timer);
  }
}

const [file, member] = process.argv.slice(2);
if (file !== undefined) probe(file, member).then((report) => console.log(JSON.stringify(report)));
