// What `npm run local` and `npm run local:status` say about the stack.
import { duration, type StepTime } from "./steps";

/** The parts of the stack's outputs that are shown; all of them may be missing after a failed run. */
export interface Outputs {
  readonly version?: string;
  readonly image?: {
    readonly repository?: string;
    readonly digest?: string;
    readonly reference?: string;
    readonly tags?: readonly string[];
  };
  readonly changes?: {
    readonly bump?: string;
    /** Which version, after which one, and why. */
    readonly reason?: string;
  };
  readonly gate?: {
    readonly passed?: boolean;
    readonly checks?: readonly { readonly name: string; readonly status: string; readonly detail: string }[];
  };
}

/** A check that was not made is shown as such: it is no pass. */
const symbols: Readonly<Record<string, string>> = { passed: "✔", failed: "✗", skipped: "–" };

/** Digest, tags, version step and gate of the released image. */
export function releaseLines({ image, changes, gate }: Outputs): string[] {
  if (!image?.digest) return ["  nothing is released yet"];
  return [
    `  image   ${image.repository}`,
    `  digest  ${image.digest}`,
    `  tags    ${(image.tags ?? []).join("  ")}`,
    ...(changes?.reason === undefined ? [] : [`  version ${changes.reason}${stepOf(changes.bump)}`]),
    ...(gate?.checks ?? []).map(
      ({ name, status, detail }) => `  gate    ${symbols[status] ?? "✗"} ${name}${detail && `: ${detail}`}`,
    ),
  ];
}

/** A first release is no step up from anything. */
function stepOf(bump: string | undefined): string {
  return bump === undefined || bump === "first" ? "" : `: a ${bump} version`;
}

export interface SummaryOptions {
  /** Lines on released tags that are no longer where they were released. */
  readonly moved: readonly string[];
  readonly times: readonly StepTime[];
  /** Milliseconds. */
  readonly total: number;
  /** Whether there is a docker command to run the image with: the engine alone is enough for everything else. */
  readonly docker: boolean;
}

/** The whole summary of a green run. */
export function renderSummary(outputs: Outputs, { moved, times, total, docker }: SummaryOptions): string {
  const slow = times.filter(({ milliseconds }) => milliseconds >= 100);
  const width = Math.max(...slow.map(({ name }) => name.length), 0);
  const { reference } = outputs.image ?? {};
  return [
    "",
    "Released",
    ...releaseLines(outputs),
    ...moved,
    "",
    "Times",
    ...slow.map(({ name, milliseconds }) => `  ${name.padEnd(width)}  ${duration(milliseconds)}`),
    `  ${"in all".padEnd(width)}  ${duration(total)}`,
    "",
    "Go on in a shell of this stack",
    "  source .local/env",
    "  pulumi preview          what an edit of a policy or a pin would change",
    "  pulumi stack output     what is released",
    docker && reference
      ? `  docker run --rm ${reference} kyverno version`
      : "  policy-platform version which release comes next, and why",
    "",
  ].join("\n");
}
