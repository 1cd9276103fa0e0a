// Looks at the schema from outside: which schema rules a path, what it says of itself, which keys a map has.
import type { z } from "zod";
import type { Grammar } from "./grammar";
import type { Path } from "./problems";
import { schema } from "./schema";

interface Definition {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly valueType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly defaultValue?: unknown;
  readonly entries?: Readonly<Record<string, string>>;
}

/** One key as the reference and the errors need it. */
export interface KeyShape {
  readonly kind: "text" | "boolean" | "number" | "map" | "entries" | "list";
  readonly required: boolean;
  /** Undefined where the key has none, or where its own keys have them. */
  readonly default: unknown;
  readonly description: string;
  readonly rule: string;
  /** A value to show; the choices, for a key that has some. */
  readonly examples: readonly unknown[];
  readonly choices: readonly string[];
  /** Why a text is refused here; only texts of a grammar have it. */
  readonly refuse?: Grammar["refuse"];
  /** Keys of a map. */
  readonly keys: readonly string[];
}

/** Keys below the namespace, in the order of the reference. */
export const topLevelKeys: readonly string[] = Object.keys(schema.shape);

/** The shape at a path, or undefined where the schema knows none. */
export function shapeAt(path: Path): KeyShape | undefined {
  let current: z.ZodType | undefined = schema;
  for (const part of path) current = current && step(unwrapped(current), part);
  return current && describe(current);
}

function step(node: z.ZodType, part: string | number): z.ZodType | undefined {
  const { type, shape, valueType, element } = definition(node);
  if (type === "object") return Object.hasOwn(shape!, part) ? shape![part] : undefined;
  if (type === "record") return valueType;
  return type === "array" ? element : undefined;
}

/** Outer wrappers (default, optional) carry no description unless it was given to them. */
function describe(outer: z.ZodType): KeyShape {
  const inner = unwrapped(outer);
  const { type, shape, entries } = definition(inner);
  const meta = { ...inner.meta(), ...outer.meta() } as Partial<
    Pick<KeyShape, "description" | "rule" | "examples" | "refuse">
  >;
  const wrapper = definition(outer);
  const kinds: Readonly<Record<string, KeyShape["kind"]>> = {
    object: "map",
    record: "entries",
    array: "list",
    boolean: "boolean",
    number: "number",
  };
  return {
    kind: kinds[type] ?? "text",
    required: !["default", "prefault", "optional"].includes(wrapper.type),
    default: wrapper.type === "default" ? wrapper.defaultValue : undefined,
    description: meta.description ?? "",
    rule: meta.rule ?? "",
    examples: meta.examples ?? [],
    ...(meta.refuse && { refuse: meta.refuse }),
    choices: Object.values(entries ?? {}),
    keys: Object.keys(shape ?? {}),
  };
}

function unwrapped(node: z.ZodType): z.ZodType {
  const { innerType } = definition(node);
  return innerType ? unwrapped(innerType) : node;
}

function definition(node: z.ZodType): Definition {
  return node.def as unknown as Definition;
}
