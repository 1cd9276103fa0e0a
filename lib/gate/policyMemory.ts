// What one Kyverno said about policy files, by their content: a file and a program that are both unchanged say it again.
import { readFile, writeFile } from "node:fs/promises";
import { cacheFolder, writeByRename } from "../cache";
import { type Digest, sha256 } from "../oci/digest";
import { judge } from "./judge";

/** What was asked: each question has answers of its own, also where two are about the same bytes. */
export type Question = "file" | "folder" | "chart" | "tests";

/** What a run was told or had learnt, for the next one of the same stack on a machine that remembers nothing. */
export interface CarriedRules {
  /** Of which Kyverno and which gate: for others it says nothing. */
  readonly by: string;
  /** By question and what it is about, `file sha256:…`. */
  readonly rules: Readonly<Record<string, number>>;
}

/** Numbers by question and what they are about. Nothing in it is believed but whole numbers from 1. */
export class PolicyMemory {
  readonly #known: Map<string, number>;
  readonly #used = new Map<string, number>();
  #changed = false;

  private constructor(
    private readonly by: string | undefined,
    private readonly file: string | undefined,
    known: ReadonlyMap<string, number>,
  ) {
    this.#known = new Map(known);
  }

  /**
   * Of one Kyverno, by the digest of its layer image, and asked by this very gate; without a digest nothing is remembered. The
   * digest must be known to be the image's: what an image only claims would poison what is known of an honest one.
   */
  static async open(
    kyverno: string | undefined,
    { folder = cacheFolder("gate"), carried }: { readonly folder?: string; readonly carried?: CarriedRules } = {},
  ): Promise<PolicyMemory> {
    if (kyverno === undefined || !/^sha256:[0-9a-f]{64}$/.test(kyverno))
      return new PolicyMemory(undefined, undefined, new Map());
    const by = sha256(`${judge()} ${kyverno}`).slice("sha256:".length);
    const file = `${folder}/rules-${by}.json`;
    const brought = carried?.by === by ? believable(carried.rules) : [];
    return new PolicyMemory(by, file, new Map([...brought, ...(await recall(file))]));
  }

  rules(question: Question, about: Digest): number | undefined {
    const entry = `${question} ${about}`;
    const rules = this.#known.get(entry);
    if (rules !== undefined) this.#used.set(entry, rules);
    return rules;
  }

  /** What this run used and learnt, and nothing older; undefined where nothing may be remembered. */
  carry(): CarriedRules | undefined {
    if (this.by === undefined) return undefined;
    return { by: this.by, rules: Object.fromEntries([...this.#used].sort().slice(0, maxCarried)) };
  }

  learn(question: Question, about: Digest, rules: number): void {
    const entry = `${question} ${about}`;
    if (rules < 1) return;
    this.#used.set(entry, rules);
    if (this.#known.get(entry) === rules) return;
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
/** Entries that go along in a state, of less than a hundred bytes each. */
const maxCarried = 1000;

async function recall(file: string): Promise<Map<string, number>> {
  try {
    const content = JSON.parse(await readFile(file, "utf8")) as { format: number; rules: Record<string, unknown> };
    if (content.format !== format) return new Map();
    return new Map(believable(content.rules));
  } catch {
    return new Map();
  }
}

function believable(rules: Readonly<Record<string, unknown>>): [string, number][] {
  return Object.entries(rules).filter(
    (entry): entry is [string, number] =>
      /^(?:file|folder|chart|tests) sha256:[0-9a-f]{64}$/.test(entry[0]) &&
      Number.isSafeInteger(entry[1]) &&
      (entry[1] as number) > 0,
  );
}
