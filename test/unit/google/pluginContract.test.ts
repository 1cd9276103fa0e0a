// The stand-in's schema against the SDK that the program uses: same version, tokens, and of each property the SDK's type. It serves a
// part of them; that this part is all that the program declares is what its own refusals and test/e2e/artifactRegistry.test.ts show.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Repository, RepositoryIamMember } from "@pulumi/gcp/artifactregistry";

const sdk = join(__dirname, "../../../node_modules/@pulumi/gcp");
const schema = require("../../../local/plugins/gcp/schema.json");

interface SchemaType {
  readonly type?: string;
  readonly items?: SchemaType;
  readonly additionalProperties?: SchemaType;
  readonly $ref?: string;
}

/** Properties of a declaration in the SDK's words, without Input, Output and `undefined`. */
function propertiesOf(file: string, declaration: string): Record<string, string> {
  const text = readFileSync(join(sdk, file), "utf8");
  const start = text.indexOf(`${declaration} `);
  assert.ok(start >= 0, `${file} has no ${declaration}`);
  const indent = /[ ]*$/.exec(text.slice(0, start).replace(/export (declare )?$/, ""))![0];
  const body = text.slice(start, text.indexOf(`\n${indent}}`, start)).replace(/\/\*\*.*?\*\//gs, "");
  const found = [...body.matchAll(/^\s+(?:readonly )?(\w+)\??: ([^;]*?(?:\{[^}]*\}[^;]*?)?);$/gms)];
  return Object.fromEntries(found.map(([, name, type]) => [name!, plain(type!)]));
}

function plain(type: string): string {
  const text = type.replace(/\s+/g, " ");
  const inner = /^pulumi\.(?:Input|Output)<(.*)>$/.exec(text)?.[1];
  if (inner !== undefined) return plain(inner);
  return text
    .replace(/ \| undefined$/, "")
    .replace(/^pulumi\.Input<([\w.]+)>\[\]$/, "$1[]")
    .replace(/^\{ \[key: string\]: (?:pulumi\.Input<)?(\w+)>?; \}$/, "map of $1")
    .replace(/\b(?:inputs|outputs)\.artifactregistry\./, "");
}

function schemaType({ type, items, additionalProperties, $ref }: SchemaType): string {
  if ($ref) return $ref.split(":").at(-1)!;
  if (items) return `${schemaType(items)}[]`;
  return additionalProperties ? `map of ${schemaType(additionalProperties)}` : type!;
}

/** Each of `properties` is one of the SDK's, of the same type. */
function holdsTo(properties: Record<string, SchemaType>, sdkTypes: Record<string, string>) {
  const served = Object.keys(properties);
  assert.deepEqual(
    Object.fromEntries(served.map((name) => [name, schemaType(properties[name]!)])),
    Object.fromEntries(served.map((name) => [name, sdkTypes[name]])),
  );
}

describe("stand-in: the closed-network plugin gcp", () => {
  it("has the very version of the SDK, or the engine would look for another plugin", () => {
    assert.equal(schema.version, JSON.parse(readFileSync(join(sdk, "package.json"), "utf8")).version);
  });

  it("says of itself that it makes nothing", () => {
    assert.match(schema.description, /^Stand-in: .*Nothing is made in Google Cloud$/);
  });

  it("serves the types that the SDK asks for", () => {
    const types = [Repository, RepositoryIamMember] as unknown as { __pulumiType: string }[];
    assert.deepEqual(
      Object.keys(schema.resources),
      types.map(({ __pulumiType }) => __pulumiType),
    );
  });

  for (const [name, file] of [
    ["Repository", "artifactregistry/repository.d.ts"],
    ["RepositoryIamMember", "artifactregistry/repositoryIamMember.d.ts"],
  ] as const) {
    const token = `gcp:artifactregistry/${name[0]!.toLowerCase()}${name.slice(1)}:${name}`;
    it(`takes inputs of the SDK's ${name}, and gives outputs of it`, () => {
      const { inputProperties, properties } = schema.resources[token];
      holdsTo(inputProperties, propertiesOf(file, `interface ${name}Args`));
      holdsTo(properties, propertiesOf(file, `class ${name}`));
    });
  }

  for (const [token, { properties }] of Object.entries<{ properties: Record<string, SchemaType> }>(schema.types)) {
    const name = token.split(":").at(-1)!;
    it(`knows the SDK's ${name}`, () => holdsTo(properties, propertiesOf("types/input.d.ts", `interface ${name}`)));
  }
});
