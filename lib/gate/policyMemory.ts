// What one Kyverno said about policy files, by their content: a file and a program that are both unchanged say it again.
import { readFile, writeFile } from "node:fs/promises";
import { cacheFolder, writeByRename } from "../cache";
import { type Digest, sha256 } from "../oci/digest";
import { judge } from "./judge";

/** What was asked: each question has answers of its own, also where two are about the same bytes. */
export type Question = "file" | "folder" | "chart" | "tests";

/** Numbers by question and what they are about. Nothing in it is believed but whole numbers from 1. */
export class PolicyMemory {
  readonly #known: Map<string, number>;
  #changed = false;

  private constructor(
    private readonly file: string | undefined,
    known: ReadonlyMap<string, number>,
  ) {
    this.#known = new Map(known);
  }

  /**
   * Of one Kyverno, by the digest of its layer image, and asked by this very gate; without a digest nothing is remembered. The
   * digest must be known to be the image's: what an image only claims would poison what is known of an honest one.
   */
  static async open(kyverno: string | undefined, folder = cacheFolder("gate")): Promise<PolicyMemory> {
    if (kyverno === undefined || !/^sha256:[0-9a-f]{64}$/.test(kyverno)) return new PolicyMemory(undefined, new Map());
    const file = `${folder}/rules-${sha256(`${judge()} ${kyverno}`).slice("sha256:".length)}.json`;
    return new PolicyMemory(file, await recall(file));
  }

  rules(question: Question, about: Digest): number | undefined {
    return this.#known.get(`${question} ${about}`);
  }

  learn(question: Question, about: Digest, rules: number): void {
    const entry = `${question} ${about}`;
    if (rules < 1 || this.#known.get(entry) === rules) return;
    this.#known.set(entry, rules);
    this.#changed = true;
  }

  /** A memory that cannot be written is no error: it only saves work. */
  async save(): Promise<void> {
    const { file } = this;
    if (!this.#changed || file === undefined) return;
    // Another run may have learnt since.
    const known = new Map([...(await recall(file)), ...this.#known].slice(-maxEntries));
    const content = JSON.stringify({ format, rules: Object.fromEntries(known) });
    await writeByRename(file, (temporary) => writeFile(temporary, content)).catch(() => undefined);
  }
}

const format = 2;
/** Entries kept: the latest. */
const maxEntries = 200_000;

async function recall(file: string): Promise<Map<string, number>> {
  try {
    const content = JSON.parse(await readFile(file, "utf8")) as { format: number; rules: Record<string, unknown> };
    if (content.format !== format) return new Map();
    return new Map(
      Object.entries(content.rules).filter(
        (entry): entry is [string, number] =>
          /^(?:file|folder|chart|tests) sha256:[0-9a-f]{64}$/.test(entry[0]) &&
          Number.isSafeInteger(entry[1]) &&
          (entry[1] as number) > 0,
      ),
    );
  } catch {
    return new Map();
  }
}
