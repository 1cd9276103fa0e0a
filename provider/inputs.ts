// Holds inputs to the committed schema, whatever language they come from: TypeScript would have told, YAML would not.
import { messageOf } from "../lib/errors";
import { isDigest } from "../lib/oci/digest";
import { type Failure, isUnknown, isValues, unwrapSecrets, type Value, type Values } from "./host";

/** The part of a Pulumi package schema that this package uses. */
export interface PropertySpec {
  readonly type?: string;
  readonly $ref?: string;
  readonly items?: PropertySpec;
  readonly additionalProperties?: PropertySpec;
  readonly description?: string;
  readonly const?: string;
}

export interface ObjectSpec {
  readonly description?: string;
  readonly properties: Readonly<Record<string, PropertySpec>>;
  readonly required: readonly string[];
}

export interface PackageSchema {
  readonly name: string;
  readonly types: Readonly<
    Record<
      string,
      Partial<ObjectSpec> & { readonly type: string; readonly enum?: readonly { readonly value: string }[] }
    >
  >;
  readonly resources: Readonly<
    Record<
      string,
      ObjectSpec & {
        readonly inputProperties: Readonly<Record<string, PropertySpec>>;
        readonly requiredInputs: readonly string[];
      }
    >
  >;
}

/** The package's schema; read at the first use, as no start needs it. */
export function packageSchema(): PackageSchema {
  return require("./schema.json") as PackageSchema;
}

/** What is wrong with `inputs` by the schema of `token`: missing, of another type, unknown by name. Unknown values pass. */
export function schemaFailures(token: string, inputs: Values): Failure[] {
  const schema = packageSchema();
  const { inputProperties, requiredInputs } = schema.resources[token]!;
  const failures: Failure[] = [];
  const fail = (property: string, reason: string) => failures.push({ property, reason });

  const visitObject = (
    path: string,
    value: Values,
    properties: ObjectSpec["properties"],
    required: readonly string[],
  ) => {
    const at = (name: string) => (path ? `${path}.${name}` : name);
    for (const name of required) if (value[name] === undefined || value[name] === null) fail(at(name), "is required");
    for (const [name, item] of Object.entries(value)) {
      const spec = Object.hasOwn(properties, name) ? properties[name] : undefined;
      if (item === undefined || item === null) continue;
      if (spec) visit(at(name), item, spec);
      else fail(at(name), `is not known; known are ${Object.keys(properties).join(", ")}`);
    }
  };
  const visit = (path: string, value: Value, spec: PropertySpec): void => {
    if (isUnknown(value)) return;
    if (spec.$ref) {
      const type = schema.types[spec.$ref.replace("#/types/", "")]!;
      if (type.enum) {
        const allowed = type.enum.map((item) => item.value);
        if (!allowed.some((item) => item === value)) fail(path, `is not one of ${allowed.join(", ")}`);
      } else if (isValues(value)) visitObject(path, value, type.properties ?? {}, type.required ?? []);
      else fail(path, "is not an object");
    } else if (spec.type === "object") {
      if (!isValues(value)) fail(path, "is not a map");
      else
        for (const [key, item] of Object.entries(value)) visit(`${path}["${key}"]`, item, spec.additionalProperties!);
    } else if (spec.type === "array") {
      if (!Array.isArray(value)) fail(path, "is not a list");
      else for (const [index, item] of value.entries()) visit(`${path}[${index}]`, item, spec.items!);
    } else if (typeof value !== (spec.type === "integer" ? "number" : spec.type)) fail(path, `is not a ${spec.type}`);
  };
  visitObject("", unwrapSecrets(inputs), inputProperties, requiredInputs);
  return failures;
}

/** A failure for each named property (`image.reference`: inside) that a parser refuses; unknown and absent ones pass. */
export function parseFailures(inputs: Values, parsers: Readonly<Record<string, (text: string) => unknown>>): Failure[] {
  return Object.entries(parsers).flatMap(([property, parse]) => {
    const value = property
      .split(".")
      .reduce<Value>((found, name) => (isValues(found) ? found[name] : undefined), unwrapSecrets(inputs));
    if (typeof value !== "string") return [];
    try {
      parse(value);
      return [];
    } catch (error) {
      return [{ property, reason: messageOf(error) }];
    }
  });
}

/** Refuses what is no `sha256:` digest. */
export function requireDigest(text: string): void {
  if (!isDigest(text)) throw new Error("is not sha256: and 64 hexadecimal characters in lower case");
}

/** Refuses what is no checksum as `sha256sum` prints it. */
export function requireChecksum(text: string): void {
  if (!/^[a-f0-9]{64}$/.test(text)) throw new Error("is not 64 hexadecimal characters in lower case");
}

/** Refuses what is no whole commit hash, SHA-1 or SHA-256: a branch, a tag or an abbreviation can move. */
export function requireCommit(text: string): void {
  if (!/^(?:[a-f0-9]{40}|[a-f0-9]{64})$/.test(text))
    throw new Error("is not a commit of 40 or 64 hexadecimal characters in lower case");
}
