// Tar headers of layer format 1: POSIX ustar, pax extended headers only where ustar cannot say it. Frozen: the digest of
// every layer image depends on each byte here. https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html

export const blockSize = 512;

/** What one header says; everything else (owner, names, time) is zero or empty. */
export interface TarHeader {
  /** Without leading slash; a folder's ends in one. */
  readonly name: string;
  readonly type: "file" | "folder";
  readonly executable: boolean;
  /** Bytes of content; 0 for a folder. */
  readonly size: number;
}

/** Two zero blocks, exactly: no padding to a record of 20 blocks. */
export const tarEnd: Buffer = Buffer.alloc(2 * blockSize);

/** Zero bytes after content of the given size. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((blockSize - (size % blockSize)) % blockSize);
}

/** Sizes from here on do not fit ustar's eleven octal digits. */
const firstPaxSize = 8 ** 11;

/** One header block, with a pax header in front where the name or the size needs one. */
export function tarHeader(header: TarHeader): Buffer {
  const { name, size } = header;
  const split = splitName(name);
  const records = [
    ...(split === undefined ? [paxRecord("path", name)] : []),
    ...(size >= firstPaxSize ? [paxRecord("size", String(size))] : []),
  ];
  const fields = {
    mode: header.type === "folder" || header.executable ? 0o755 : 0o644,
    typeflag: header.type === "folder" ? "5" : "0",
  };
  const block = ustarBlock({
    ...fields,
    name: split?.name ?? paxFallback,
    prefix: split?.prefix ?? "",
    size: size >= firstPaxSize ? 0 : size,
  });
  if (records.length === 0) return block;
  const body = Buffer.concat(records);
  return Buffer.concat([
    ustarBlock({ name: paxHeaderName, prefix: "", mode: 0o644, typeflag: "x", size: body.length }),
    body,
    tarPadding(body.length),
    block,
  ]);
}

/** Readers that know pax never show these names. */
const paxHeaderName = "PaxHeaders/entry";
const paxFallback = "PaxHeaders/name";

const nameLength = 100;
const prefixLength = 155;

/** ustar's name and prefix; undefined when the name is not ASCII or cannot be cut at a slash to fit. */
function splitName(name: string): { readonly name: string; readonly prefix: string } | undefined {
  if (!/^[\x20-\x7e]+$/.test(name)) return undefined;
  if (name.length <= nameLength) return { name, prefix: "" };
  // The cut is the first slash that leaves a short enough name, and never the one that ends a folder's.
  const slash = name.slice(0, -1).indexOf("/", name.length - nameLength - 1);
  return slash < 1 || slash > prefixLength ? undefined : { name: name.slice(slash + 1), prefix: name.slice(0, slash) };
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function ustarBlock({
  name,
  prefix,
  mode,
  typeflag,
  size,
}: {
  name: string;
  prefix: string;
  mode: number;
  typeflag: string;
  size: number;
}): Buffer {
  const block = Buffer.alloc(blockSize);
  const octal = (value: number, offset: number, digits: number) =>
    block.write(`${value.toString(8).padStart(digits, "0")}\0`, offset, "latin1");
  block.write(name, 0, "latin1");
  octal(mode, 100, 7);
  octal(0, 108, 7); // uid
  octal(0, 116, 7); // gid
  octal(size, 124, 11);
  octal(0, 136, 11); // mtime
  block.write("        ", 148, "latin1"); // the checksum counts itself as spaces
  block.write(typeflag, 156, "latin1");
  block.write("ustar\u000000", 257, "latin1");
  octal(0, 329, 7); // devmajor
  octal(0, 337, 7); // devminor
  block.write(prefix, 345, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
