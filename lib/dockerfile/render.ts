// Renders the platform image's Dockerfile: a pure function of the image's inputs and of where their layer images are.
// Pure composition: no RUN, no file of the context, so equal inputs give equal bytes whatever engine builds them.
import { type Inputs, inputDigest, inputDigestLabel, inputsDocument, inputsLabel } from "../pins/model";

/** Repositories (`host/path`, no tag, no digest) of the images that are composed. Where they are cannot change the bytes. */
export interface Addresses {
  readonly base: string;
  /** By policy repository name. */
  readonly repositories: Readonly<Record<string, string>>;
  /** By tool name. */
  readonly tools: Readonly<Record<string, string>>;
}

/** BuildKit's scanner refuses a Dockerfile line of 65,536 bytes and more, its line feed included. */
const maxLineBytes = 65_535;

/** Passed as the build argument SOURCE_DATE_EPOCH: without it WORKDIR stamps the build's time. */
export const sourceDateEpoch = "0";

/**
 * The whole Dockerfile, LF line ends, ending in a line feed.
 * Stages are sorted by name; the layers' order is repositories last, so that a policy edit moves the last layer only.
 * `stem` (`host/path@sha256:…`, see lib/release/stem.ts) takes the place of base and tools: the image is the same.
 */
export function render(inputs: Inputs, addresses: Addresses, stem?: string): string {
  const stages = [
    ...(stem === undefined ? layerStages("tool", inputs.tools, addresses.tools) : []),
    ...layerStages("repository", inputs.repositories, addresses.repositories),
  ];
  return [
    ...stages.map(({ name, from }) => `FROM ${from} AS ${name}`),
    `FROM ${stem === undefined ? pinned(addresses.base, inputs.base) : checked(stem)}`,
    ...stages.map(({ name }) => `COPY --link --from=${name} / /`),
    "ENV HOME=/tmp",
    "WORKDIR /repos",
    `USER ${inputs.image.user}`,
    ...label(inputsLabel, inputsDocument(inputs)),
    ...label(inputDigestLabel, inputDigest(inputs)),
    "ENTRYPOINT []",
    'CMD ["/bin/bash"]',
    "",
  ].join("\n");
}

function layerStages(
  prefix: string,
  layers: Readonly<Record<string, { readonly digest: string }>>,
  addresses: Readonly<Record<string, string>>,
): { name: string; from: string }[] {
  return Object.keys(layers)
    .sort()
    .map((name) => ({ name: `${prefix}-${name}`, from: pinned(addresses[name], layers[name]!.digest) }));
}

/** Every value in here was validated by the configuration; this is the last guard before it becomes an instruction. */
export function pinned(address: string | undefined, digest: string): string {
  return checked(`${address ?? ""}@${digest}`);
}

function checked(reference: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}$/.test(reference)) return reference;
  throw new Error(`not a pinned reference: ${JSON.stringify(reference)}`);
}

/** `LABEL name="value"`, escaped for the Dockerfile, broken over as many lines as the scanner needs. */
export function label(name: string, value: string): string[] {
  return breakLine(`LABEL ${name}="${value.replace(/[\\"$]/g, (character) => `\\${character}`)}"`);
}

/** Breaks by a backslash between two letters or digits only: elsewhere it could become an escape of what follows. */
function breakLine(line: string): string[] {
  const lines: string[] = [];
  let rest = Buffer.from(line);
  while (rest.length > maxLineBytes) {
    let at = maxLineBytes - 1; // room for the backslash
    while (at > 0 && !(isWord(rest[at - 1]!) && isWord(rest[at]!))) at--;
    if (at === 0) throw new Error("a label holds 65,535 bytes without two adjoining letters or digits");
    lines.push(`${rest.subarray(0, at).toString()}\\`);
    rest = rest.subarray(at);
  }
  return [...lines, rest.toString()];
}

function isWord(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}
