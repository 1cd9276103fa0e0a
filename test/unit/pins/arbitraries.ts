// Random pins: few names and few values, so that equal, edited, added and removed entries all come up often.
import fc from "fast-check";
import { type Digest, sha256 } from "../../../lib/oci/digest";
import type { Inputs } from "../../../lib/pins/model";

/** A digest that is easy to name. */
export const digestOf = (text: string): Digest => sha256(text);

const digest = fc.constantFrom("a", "b", "c").map(digestOf);
/** `constructor` is a legal name, and a property of every object. */
const name = fc.constantFrom("kyverno", "yq", "helm", "constructor", "a", "security-policy");
const names = fc.array(name, { maxLength: 3 });
const version = fc.constantFrom("1.9.0", "1.10.0", "1.13.2", "2.0.0");

export const anyInputs: fc.Arbitrary<Inputs> = fc.record({
  artifacts: fc.option(fc.record({ environments: names }), { nil: undefined }),
  bundles: fc.option(fc.dictionary(name, fc.record({ repositories: names }), { maxKeys: 2 }), { nil: undefined }),
  base: digest,
  format: fc.constantFrom(1, 2),
  image: fc.record({ user: fc.constantFrom("65532:65532", "0:0") }),
  repositories: fc.dictionary(name, fc.record({ digest }), { maxKeys: 4 }),
  tools: fc.dictionary(name, fc.record({ digest, version }), { maxKeys: 4 }),
});

/** Small, complete pins to change one thing of. */
export function inputsWith(changes: Partial<Inputs> = {}): Inputs {
  return {
    artifacts: { environments: ["dev", "production"] },
    bundles: { all: { repositories: ["security-policy", "devops-policy"] } },
    base: digestOf("base"),
    format: 1,
    image: { user: "65532:65532" },
    repositories: { "security-policy": { digest: digestOf("policies") } },
    tools: {
      kyverno: { digest: digestOf("kyverno"), version: "1.13.2" },
      yq: { digest: digestOf("yq"), version: "4.54.1" },
    },
    ...changes,
  };
}
