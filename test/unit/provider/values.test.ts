import assert from "node:assert/strict";
import * as fc from "fast-check";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import {
  containsUnknown,
  fromWire,
  isSecret,
  isUnknown,
  secret,
  toWire,
  UNKNOWN,
  unwrapSecrets,
  type Value,
  type Values,
} from "../../../provider/host";
import { times } from "../../support/counts";

/** Values as programs make them: no `undefined`, no NaN, and no text that happens to be the mark of an unknown. */
const { values } = fc.letrec<{ value: Value; values: Values }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.string(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
    fc.boolean(),
    fc.constant(null),
    fc.constant(UNKNOWN),
    tie("value").map((value) => secret(value)),
    fc.array(tie("value"), { maxLength: 4 }),
    tie("values"),
  ),
  values: fc.dictionary(
    fc.string({ minLength: 1 }).filter((key) => key !== "__proto__"),
    tie("value"),
    { maxKeys: 4, noNullPrototype: true },
  ),
}));

const overTheWire = (value: Values) => fromWire(Struct.deserializeBinary(toWire(value).serializeBinary()));

describe("values on the wire", () => {
  it("come back as they went, unknowns and secrets at every depth included", () => {
    fc.assert(
      fc.property(values, (value) => assert.deepEqual(overTheWire(value), value)),
      { numRuns: times(1000) },
    );
  });

  it("show an unknown and a secret in the engine's own forms, inside lists and objects too", () => {
    const wire = toWire({ list: [UNKNOWN, secret("s")], nested: { deep: secret(UNKNOWN) } }).toJavaScript();
    const form = (value: unknown) => ({
      "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
      value,
    });
    const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
    assert.deepEqual(wire, { list: [unknown, form("s")], nested: { deep: form(unknown) } });
  });

  it("understand the unknown of every type", () => {
    const marks = [
      "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
      "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
      "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
      "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    ];
    assert.deepEqual(fromWire(Struct.fromJavaScript({ marks })), { marks: marks.map(() => UNKNOWN) });
  });

  it("drop a property that is undefined and keep the places of a list", () => {
    assert.deepEqual(overTheWire({ gone: undefined, here: 1, list: [1, undefined, 3], o: { gone: undefined } }), {
      here: 1,
      list: [1, null, 3],
      o: {},
    });
  });

  it("are empty for a message that holds none", () => {
    assert.deepEqual(fromWire(undefined), {});
  });
});

describe("unknown and secret values", () => {
  it("are found wherever they stand", () => {
    assert.equal(isUnknown(secret(UNKNOWN)), true);
    assert.equal(containsUnknown({ a: [{ b: secret([UNKNOWN]) }] }), true);
    assert.equal(containsUnknown({ a: [{ b: secret(["known"]) }] }), false);
  });

  it("lose their secret marks by unwrapping, and nothing else", () => {
    assert.deepEqual(unwrapSecrets({ a: secret("x"), b: [secret({ c: secret(1) })], d: UNKNOWN }), {
      a: "x",
      b: [{ c: 1 }],
      d: UNKNOWN,
    });
    fc.assert(fc.property(values, (value) => !hasSecret(unwrapSecrets(value))));
  });

  it("cannot be printed into a name by mistake", () => {
    assert.throws(() => `host/${UNKNOWN as unknown as string}`, TypeError);
  });

  it("are one secret when a secret is made secret again", () => {
    assert.equal((secret(secret("x")) as { value: unknown }).value, "x");
  });
});

function hasSecret(value: Value): boolean {
  if (isSecret(value)) return true;
  if (Array.isArray(value)) return value.some(hasSecret);
  return typeof value === "object" && value !== null && Object.values(value as Values).some(hasSecret);
}
