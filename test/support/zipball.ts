// Zip archives of any shape, hostile ones included, for tests: written here byte by byte, as no honest writer tells lies.
import { crc32, deflateRawSync } from "node:zlib";

/** One entry; what is not said is honest. */
export interface ZipItem {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  /** Unix mode with the type in it; default a regular file, 0644. */
  readonly mode?: number;
  /** 0: stored; default 8: deflated. */
  readonly method?: number;
  /** Sizes and checksum stand behind the content, as streaming writers do. */
  readonly descriptor?: boolean;
  readonly flags?: number;
  /** What the table of contents says instead. */
  readonly lie?: { crc?: number; size?: number; packed?: number; offset?: number };
  /** What stands before the content instead. */
  readonly local?: { name?: string; method?: number; crc?: number };
  readonly extra?: Buffer;
}

/** `end` replaces the number of entries that the archive says it has; `zip64` writes the table's place as large archives do. */
export function zipball(
  items: readonly ZipItem[],
  { count = items.length, zip64 = false }: { count?: number; zip64?: boolean } = {},
): Buffer {
  const parts: Buffer[] = [];
  const table: Buffer[] = [];
  let offset = 0;
  for (const item of items) {
    const { mode = 0o100644, method = 8, descriptor = false, flags = 0, lie = {}, local = {}, extra } = item;
    const name = Buffer.from(item.name);
    const content = Buffer.from(item.content ?? "");
    const packed = method === 8 ? deflateRawSync(content) : content;
    const crc = crc32(content);
    const bits = flags | (descriptor ? 8 : 0);
    const before = Buffer.alloc(30);
    before.writeUInt32LE(0x04034b50);
    before.writeUInt16LE(20, 4);
    before.writeUInt16LE(bits, 6);
    before.writeUInt16LE(local.method ?? method, 8);
    if (!descriptor) before.writeUInt32LE(local.crc ?? crc, 14);
    if (!descriptor) before.writeUInt32LE(packed.length, 18);
    if (!descriptor) before.writeUInt32LE(content.length, 22);
    const localName = local.name === undefined ? name : Buffer.from(local.name);
    before.writeUInt16LE(localName.length, 26);
    const after = descriptor ? Buffer.alloc(16) : Buffer.alloc(0);
    if (descriptor) {
      after.writeUInt32LE(0x08074b50);
      after.writeUInt32LE(crc, 4);
      after.writeUInt32LE(packed.length, 8);
      after.writeUInt32LE(content.length, 12);
    }
    const row = Buffer.alloc(46);
    row.writeUInt32LE(0x02014b50);
    row.writeUInt16LE((3 << 8) | 20, 4);
    row.writeUInt16LE(20, 6);
    row.writeUInt16LE(bits, 8);
    row.writeUInt16LE(method, 10);
    row.writeUInt32LE(lie.crc ?? crc, 16);
    row.writeUInt32LE(lie.packed ?? packed.length, 20);
    row.writeUInt32LE(lie.size ?? content.length, 24);
    row.writeUInt16LE(name.length, 28);
    row.writeUInt16LE(extra?.length ?? 0, 30);
    row.writeUInt32LE((mode << 16) >>> 0, 38);
    row.writeUInt32LE(lie.offset ?? offset, 42);
    table.push(row, name, extra ?? Buffer.alloc(0));
    const whole = [before, localName, packed, after];
    parts.push(...whole);
    offset += whole.reduce((sum, { length }) => sum + length, 0);
  }
  const size = table.reduce((sum, { length }) => sum + length, 0);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(zip64 ? 0xffff : count & 0xffff, 8);
  end.writeUInt16LE(zip64 ? 0xffff : count & 0xffff, 10);
  end.writeUInt32LE(zip64 ? 0xffffffff : size, 12);
  end.writeUInt32LE(zip64 ? 0xffffffff : offset, 16);
  return Buffer.concat([...parts, ...table, ...(zip64 ? large(count, size, offset) : []), end]);
}

/** The record of a zip64 archive and the one that says where that is. */
function large(count: number, size: number, offset: number): Buffer[] {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50);
  record.writeBigUInt64LE(44n, 4);
  record.writeBigUInt64LE(BigInt(count), 24);
  record.writeBigUInt64LE(BigInt(count), 32);
  record.writeBigUInt64LE(BigInt(size), 40);
  record.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50);
  locator.writeBigUInt64LE(BigInt(offset + size), 8);
  locator.writeUInt32LE(1, 16);
  return [record, locator];
}
