// What the schema is made of: texts of one grammar, and maps by name.
import { z } from "zod";
import * as grammar from "./grammar";

/** A text of one grammar. */
export function text(form: grammar.Grammar, description: string, example = form.example) {
  return z
    .string()
    .superRefine((value, context) => {
      const refusal = form.refuse(value);
      if (refusal) context.addIssue({ code: "custom", params: { ...refusal } });
    })
    .meta({ description, rule: form.rule, examples: [example], refuse: form.refuse });
}

/** A map by name. */
export function named<T extends z.ZodType>(entry: T, description: string) {
  return z.record(z.string(), entry).meta({ description, rule: grammar.entryName.rule });
}
