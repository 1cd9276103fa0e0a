// Just enough of the protobuf wire format for BuildKit's trace and its credential questions.
// https://protobuf.dev/programming-guides/encoding/

/** Field number → the raw values in the order in which they came: varints as numbers, everything else as bytes. */
export type Fields = ReadonlyMap<number, readonly (number | Uint8Array)[]>;

/** Splits a message into its fields; groups and truncated input throw. Varints above 2^53 lose precision. */
export function decodeFields(bytes: Uint8Array): Fields {
  const fields = new Map<number, (number | Uint8Array)[]>();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error("truncated protobuf message");
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number) => {
    if (at + length > bytes.length) throw new Error("truncated protobuf message");
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const key = varint();
    const [number, wire] = [Math.floor(key / 8), key % 8];
    const value =
      wire === 0 ? varint() : wire === 1 ? take(8) : wire === 2 ? take(varint()) : wire === 5 ? take(4) : undefined;
    if (value === undefined) throw new Error(`protobuf wire type ${wire} is not supported`);
    const list = fields.get(number);
    if (list) list.push(value);
    else fields.set(number, [value]);
  }
  return fields;
}

/** All length-delimited values of a field. */
export function messages(fields: Fields, number: number): Uint8Array[] {
  return (fields.get(number) ?? []).filter((value): value is Uint8Array => typeof value !== "number");
}

/** The last string of a field (protobuf's rule for a field that is no list), or "". */
export function text(fields: Fields, number: number): string {
  return Buffer.from(messages(fields, number).at(-1) ?? []).toString();
}

/** A message of strings and small numbers; empty ones are left out, as protobuf 3 does. */
export function encodeFields(values: Readonly<Record<number, string | number>>): Buffer {
  const parts: Buffer[] = [];
  for (const [field, value] of Object.entries(values)) {
    if (value === "" || value === 0) continue;
    const body = typeof value === "string" ? Buffer.from(value) : undefined;
    parts.push(varintBytes(Number(field) * 8 + (body ? 2 : 0)), varintBytes(body?.length ?? (value as number)));
    if (body) parts.push(body);
  }
  return Buffer.concat(parts);
}

function varintBytes(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}
