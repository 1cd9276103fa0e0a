// Where a secret could have been left: every form in which a program writes one, and what runs while it is used.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { processArguments, processIds } from "../../lib/process";

/** The text itself, percent-encoded, and inside base64 whatever stands before it. */
export function formsOf(secret: string): string[] {
  const inBase64 = [0, 1, 2].map((before) => {
    const whole = Buffer.from("x".repeat(before) + secret)
      .toString("base64")
      .replace(/=+$/, "");
    // The letters at both ends hold bits of the neighbours.
    return whole.slice(before === 0 ? 0 : before + 1, -1);
  });
  return [
    secret,
    encodeURIComponent(secret),
    ...inBase64,
    ...inBase64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
  ];
}

/** The text of every file below a folder by its path, gzipped ones unpacked too. */
export function textsBelow(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const bytes = readFileSync(path);
      return [path, (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString("latin1")];
    }),
  );
}

/** Collects the arguments of every process that is seen from here until it is stopped. */
export function watchArguments(): { stop(): ReadonlySet<string> } {
  const seen = new Set<string>();
  const timer = setInterval(() => {
    for (const pid of processIds()) {
      try {
        seen.add(processArguments(pid).join(" "));
      } catch {
        // ended meanwhile
      }
    }
  }, 50);
  return {
    stop() {
      clearInterval(timer);
      return seen;
    },
  };
}
