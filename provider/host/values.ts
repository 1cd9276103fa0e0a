// Property values as handlers see them, and their two special wire forms: unknown and secret.
// The forms are the engine's: sdk/go/common/resource/plugin/rpc.go and resource/sig.
import { ListValue, NullValue, Struct, Value as WireValue } from "google-protobuf/google/protobuf/struct_pb";

/** A value that is not known before an update has run. A symbol, so that it can never be printed into a name or an address by mistake. */
export const UNKNOWN: unique symbol = Symbol("unknown");

/** A value that must not be shown; made by {@link secret}. */
export interface Secret {
  readonly [secretMark]: true;
  readonly value: Value;
}

export type Value = string | number | boolean | null | undefined | typeof UNKNOWN | Secret | readonly Value[] | Values;

/** The properties of a resource. A property that is `undefined` is no property. */
export interface Values {
  readonly [property: string]: Value;
}

const secretMark: unique symbol = Symbol("secret");

/** What the wire holds in the place of an unknown; the first is sent, all seven (one for each type) are understood. */
const unknownForms = [
  "04da6b54-80e4-46f7-96ec-b56ff0331ba9", // string
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", // bool
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421", // number
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2", // array
  "030794c1-ac77-496b-92df-f27374a8bd58", // asset
  "e48ece36-62e2-4504-bad9-02848725956a", // archive
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff", // object
] as const;
const unknownOnWire: ReadonlySet<string> = new Set(unknownForms);

const signatureKey = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";

/** Marks a value as secret; a secret of a secret is the same secret. */
export function secret(value: Value): Secret {
  return isSecret(value) ? value : { [secretMark]: true, value };
}

export function isSecret(value: unknown): value is Secret {
  return typeof value === "object" && value !== null && secretMark in value;
}

/** True for an unknown, a secret one too. */
export function isUnknown(value: Value): boolean {
  return value === UNKNOWN || (isSecret(value) && isUnknown(value.value));
}

/** True when an unknown stands anywhere inside. */
export function containsUnknown(value: Value): boolean {
  if (value === UNKNOWN) return true;
  if (isSecret(value)) return containsUnknown(value.value);
  if (Array.isArray(value)) return value.some(containsUnknown);
  return isValues(value) && Object.values(value).some(containsUnknown);
}

/** The same value without its secret marks, at every depth. Unknowns stay. */
export function unwrapSecrets(value: Values): Values;
export function unwrapSecrets(value: Value): Value;
export function unwrapSecrets(value: Value): Value {
  if (isSecret(value)) return unwrapSecrets(value.value);
  if (Array.isArray(value)) return value.map((item) => unwrapSecrets(item));
  if (!isValues(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unwrapSecrets(item)]));
}

/** True for an object with properties: no list, no secret, no scalar. */
export function isValues(value: Value): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isSecret(value);
}

/** Properties from the wire; none when the message holds none. */
export function fromWire(struct: Struct | undefined): Values {
  const entries: [string, Value][] = [];
  struct?.getFieldsMap().forEach((value, key) => {
    entries.push([key, read(value)]);
  });
  return Object.fromEntries(entries);
}

/** Properties for the wire. `undefined` is dropped, in a list it is null. */
export function toWire(values: Values): Struct {
  const struct = new Struct();
  const fields = struct.getFieldsMap();
  for (const [key, value] of Object.entries(values)) if (value !== undefined) fields.set(key, write(value));
  return struct;
}

function read(wire: WireValue): Value {
  switch (wire.getKindCase()) {
    case WireValue.KindCase.STRING_VALUE:
      return unknownOnWire.has(wire.getStringValue()) ? UNKNOWN : wire.getStringValue();
    case WireValue.KindCase.NUMBER_VALUE:
      return wire.getNumberValue();
    case WireValue.KindCase.BOOL_VALUE:
      return wire.getBoolValue();
    case WireValue.KindCase.LIST_VALUE:
      return wire.getListValue()!.getValuesList().map(read);
    case WireValue.KindCase.STRUCT_VALUE: {
      const fields = fromWire(wire.getStructValue());
      return fields[signatureKey] === secretSignature ? secret(fields.value ?? null) : fields;
    }
    default:
      return null;
  }
}

function write(value: Value): WireValue {
  const wire = new WireValue();
  if (value === UNKNOWN) wire.setStringValue(unknownForms[0]);
  else if (value === null || value === undefined) wire.setNullValue(NullValue.NULL_VALUE);
  else if (typeof value === "string") wire.setStringValue(value);
  else if (typeof value === "number") wire.setNumberValue(value);
  else if (typeof value === "boolean") wire.setBoolValue(value);
  else if (isSecret(value))
    wire.setStructValue(toWire({ [signatureKey]: secretSignature, value: value.value ?? null }));
  else if (isValues(value)) wire.setStructValue(toWire(value));
  else {
    const list = new ListValue();
    list.setValuesList(value.map(write));
    wire.setListValue(list);
  }
  return wire;
}
