// The closed-network plugin's schema against the SDK that the program uses: same version, token, properties and types.
// What this does not show is behaviour: that is in test/provider/dockerPlugin.test.ts.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Image } from "@pulumi/docker/image";
import ts from "typescript";

const sdk = join(__dirname, "../../../node_modules/@pulumi/docker");
const schema = require("../../../local/plugins/docker/schema.json");

type Shape = Record<string, { readonly type: string; readonly optional: boolean }>;

/** Properties of an interface or the readonly fields of a class, with their types in the SDK's words. */
function shapeOf(file: string, name: string): Shape {
  const source = ts.createSourceFile(file, readFileSync(join(sdk, file), "utf8"), ts.ScriptTarget.Latest, true);
  const found = source.statements.find(
    (node): node is ts.InterfaceDeclaration | ts.ClassDeclaration =>
      (ts.isInterfaceDeclaration(node) || ts.isClassDeclaration(node)) && node.name?.text === name,
  );
  assert.ok(found, `${file} has no ${name}`);
  const fields = [...found.members].filter(
    (member) => ts.isPropertySignature(member) || ts.isPropertyDeclaration(member),
  );
  return Object.fromEntries(
    fields.map((field) => {
      const text = (field as ts.PropertySignature).type!.getText().replace(/\s+/g, " ");
      const optional = field.questionToken !== undefined || /\| undefined>$/.test(text);
      return [field.name!.getText(), { type: plainType(text), optional }];
    }),
  );
}

function plainType(text: string): string {
  const inner = /^pulumi\.(?:Input|Output)<(.*)>$/.exec(text);
  return inner
    ? plainType(inner[1]!.replace(/ \| undefined$/, ""))
    : text.replaceAll(/pulumi\.Input<(\w+)>/g, "$1").replace(/^\{ \[key: string\]: (\w+); \}$/, "map of $1");
}

interface SchemaType {
  readonly type?: string;
  readonly items?: SchemaType;
  readonly additionalProperties?: SchemaType;
  readonly $ref?: string;
}

/** A type of the schema in the SDK's words. */
function schemaType({ type, items, additionalProperties, $ref }: SchemaType): string {
  if ($ref) {
    const name = $ref.split(":").at(-1)!;
    return `${name === "BuilderVersion" ? "enums" : "inputs"}.${name}`;
  }
  if (items) return `${schemaType(items)}[]`;
  return additionalProperties ? `map of ${schemaType(additionalProperties)}` : type!;
}

function schemaShape(properties: Record<string, SchemaType>, required: readonly string[] = []): Shape {
  return Object.fromEntries(
    Object.entries(properties).map(([name, type]) => [
      name,
      { type: schemaType(type), optional: !required.includes(name) },
    ]),
  );
}

describe("the closed-network plugin docker", () => {
  const image = schema.resources["docker:index/image:Image"];

  it("has the very version of the SDK, or the engine would look for another plugin", () => {
    assert.equal(schema.version, JSON.parse(readFileSync(join(sdk, "package.json"), "utf8")).version);
  });

  it("serves the type that the SDK asks for", () => {
    assert.equal((Image as unknown as { __pulumiType: string }).__pulumiType, "docker:index/image:Image");
  });

  it("takes the SDK's inputs, by name, type and need", () => {
    assert.deepEqual(schemaShape(image.inputProperties, image.requiredInputs), shapeOf("image.d.ts", "ImageArgs"));
  });

  it("gives the SDK's outputs, by name, type and need", () => {
    assert.deepEqual(schemaShape(image.properties, image.required), shapeOf("image.d.ts", "Image"));
  });

  for (const [token, { properties }] of Object.entries<{ properties?: Record<string, SchemaType> }>(schema.types)) {
    const name = token.split(":").at(-1)!;
    if (properties)
      it(`knows the SDK's ${name}`, () => assert.deepEqual(schemaShape(properties), shapeOf("types/input.d.ts", name)));
  }

  it("knows the SDK's builders", () => {
    const { enums } = require("@pulumi/docker/types");
    const known = schema.types["docker:index/builderVersion:BuilderVersion"].enum;
    assert.deepEqual(
      Object.fromEntries(known.map(({ name, value }: { name: string; value: string }) => [name, value])),
      enums.BuilderVersion,
    );
  });

  it("has the SDK's defaults", () => {
    const source = readFileSync(join(sdk, "image.js"), "utf8");
    for (const name of ["buildOnPreview", "skipPush"]) {
      assert.equal(image.inputProperties[name].default, false);
      assert.match(source, new RegExp(`\\["${name}"\\] = \\(args\\?\\.${name}\\) \\?\\? false`));
    }
  });
});
