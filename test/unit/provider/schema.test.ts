// The committed schema is what other languages see. It is held to the SDK classes, read from their source, and to the handlers.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { sha256 } from "../../../lib/oci/digest";
import { type ResourceContext, type ResourceHandler, UNKNOWN, type Value, type Values } from "../../../provider/host";
import { type PropertySpec, packageSchema, schemaFailures } from "../../../provider/inputs";

const folder = join(__dirname, "..", "..", "..", "provider", "resources");
const declarations = readdirSync(folder).flatMap((file) => [
  ...ts.createSourceFile(file, readFileSync(join(folder, file), "utf8"), ts.ScriptTarget.ES2022, true).statements,
]);
const schema = packageSchema();

interface Property {
  readonly type: string;
  readonly required: boolean;
  readonly doc: string | undefined;
}

/** Name → type as the schema writes it, without `Input<…>`. */
function propertiesOf(name: string): Record<string, Property> {
  const declaration = declarations.find(
    (statement) => ts.isInterfaceDeclaration(statement) && statement.name.text === name,
  );
  assert.ok(declaration && ts.isInterfaceDeclaration(declaration), `no interface ${name}`);
  return Object.fromEntries(
    declaration.members
      .filter(ts.isPropertySignature)
      .map((member) => [
        member.name.getText(),
        { type: typeText(member.type!), required: !member.questionToken, doc: docOf(member) },
      ]),
  );
}

function docOf(node: ts.Node): string | undefined {
  const comment = ts.getJSDocCommentsAndTags(node)[0]?.comment;
  return typeof comment === "string" ? comment.replace(/\s+/g, " ") : undefined;
}

function typeText(node: ts.TypeNode): string {
  if (ts.isTypeReferenceNode(node)) {
    const name = node.typeName.getText();
    const [first, second] = node.typeArguments ?? [];
    if (/^pulumi\.(Input|Output)$/.test(name)) return typeText(first!);
    if (name === "Record") return `map of ${typeText(second!)}`;
    return name;
  }
  if (ts.isArrayTypeNode(node)) return `list of ${typeText(node.elementType)}`;
  if (ts.isUnionTypeNode(node)) return typeText(node.types[0]!);
  return node.getText();
}

function specText(spec: PropertySpec): string {
  if (spec.$ref) return spec.$ref.replace("#/types/policychain:index:", "");
  if (spec.type === "object") return `map of ${specText(spec.additionalProperties!)}`;
  if (spec.type === "array") return `list of ${specText(spec.items!)}`;
  return spec.type === "integer" ? "number" : spec.type!;
}

function specProperties(
  properties: Readonly<Record<string, PropertySpec>>,
  required: readonly string[],
  like: Record<string, Property>,
) {
  return Object.fromEntries(
    Object.entries(properties).map(([name, spec]) => {
      const doc = like[name]?.doc === undefined ? undefined : spec.description;
      return [name, { type: specText(spec), required: required.includes(name), doc }];
    }),
  );
}

const resources = [
  "Manifest",
  "Artifact",
  "Copy",
  "Tag",
  "GateRun",
  "DeliveredPolicies",
  "DeliveryCheck",
  "ClusterFiles",
];

describe("the package's schema", () => {
  it("has the resources of the SDK and no other", () => {
    assert.deepEqual(
      Object.keys(schema.resources),
      resources.map((name) => `policychain:index:${name}`),
    );
  });

  for (const name of resources) {
    const resource = schema.resources[`policychain:index:${name}`]!;
    it(`has the inputs of ${name} with their types and docs`, () => {
      const inputs = propertiesOf(`${name}Args`);
      assert.deepEqual(specProperties(resource.inputProperties, resource.requiredInputs, inputs), inputs);
    });

    it(`echoes every input of ${name} as an output, and has what the class reads`, () => {
      for (const input of Object.keys(resource.inputProperties)) assert.ok(resource.properties[input], input);
      const declaration = declarations.find(
        (statement) => ts.isClassDeclaration(statement) && statement.name?.text === name,
      );
      assert.ok(declaration && ts.isClassDeclaration(declaration));
      for (const member of declaration.members.filter(ts.isPropertyDeclaration)) {
        const property = member.name.getText();
        assert.equal(specText(resource.properties[property]!), typeText(member.type!), property);
        const optional = member.type!.getText().includes("undefined");
        assert.equal(resource.required.includes(property), !optional, property);
      }
    });
  }

  it("has every type that is named, with the same properties as the SDK's", () => {
    const named = new Set([...JSON.stringify(schema).matchAll(/#\/types\/([\w:]+)/g)].map((match) => match[1]!));
    assert.deepEqual([...named].sort(), Object.keys(schema.types).sort());
    for (const [token, type] of Object.entries(schema.types)) {
      if (type.enum) continue;
      const properties = propertiesOf(token.replace("policychain:index:", ""));
      assert.deepEqual(specProperties(type.properties!, type.required!, properties), properties, token);
    }
  });

  it("has the roles of a tag as an enum", async () => {
    const { TagRole } = await import("../../../provider/resources/tag");
    assert.deepEqual(
      schema.types["policychain:index:TagRole"]!.enum!.map(({ value }) => value),
      Object.values(TagRole),
    );
  });
});

const digest = sha256("x");
const samples: Record<string, Values> = {
  Manifest: { repository: "127.0.0.1:1/layers/x", content: { at: "/x", text: "x" } },
  Copy: { from: "127.0.0.1:1/candidates/x", to: "127.0.0.1:1/releases/x", digest },
  Tag: { repository: UNKNOWN, role: "version", tag: "v1.0.0", digest, inputDigest: digest },
  GateRun: {
    candidate: "127.0.0.1:1/candidates/x",
    release: "127.0.0.1:1/releases/x",
    digest,
    inputDigest: digest,
    tools: { yq: { version: "1", command: ["yq"], expect: "(.*)" } },
    repositories: { security: { digest, layers: "127.0.0.1:1/layers/s" } },
    policyTests: "optional",
    environments: [],
    integration: {},
    size: {},
    limits: {
      smoke: { timeoutSeconds: 1, memoryBytes: 1, outputBytes: 1 },
      checks: { timeoutSeconds: 1, memoryBytes: 1, outputBytes: 1 },
    },
  },
};
samples.Artifact = {
  repository: "127.0.0.1:1/releases/policies/dev",
  environment: "dev",
  repositories: { security: { digest, layers: "127.0.0.1:1/layers/s" } },
  digest,
  gated: digest,
  image: { repository: "127.0.0.1:1/releases/x", digest },
};
const delivery = { source: "policies", kustomization: "policies", enforcement: "asAuthored" };
samples.DeliveredPolicies = {
  namespace: UNKNOWN,
  ...delivery,
  repository: "127.0.0.1:1/releases/policies/dev",
  digest,
};
const { source: _, ...checked } = samples.DeliveredPolicies!;
samples.DeliveryCheck = checked;
samples.ClusterFiles = { folders: {} };
const context: ResourceContext = {
  urn: "urn",
  signal: new AbortController().signal,
  preview: true,
  timeoutSeconds: 0,
  configuration: {},
  progress: () => undefined,
  info: () => undefined,
  warn: () => undefined,
};

describe("the handlers", () => {
  for (const name of resources) {
    const file = name[0]!.toLowerCase() + name.slice(1);
    const handler = async () => (await import(`../../../provider/${file}`))[file] as ResourceHandler;
    const resource = schema.resources[`policychain:index:${name}`]!;

    it(`give for ${name} the outputs of the schema, the inputs among them`, async () => {
      const { check, create } = await handler();
      const checked = await check!(context, undefined, samples[name]!);
      assert.deepEqual(checked.failures ?? [], []);
      const { outputs } = await create(context, checked.inputs);
      const given = Object.entries(outputs).flatMap(([key, value]) => (value === undefined ? [] : [key]));
      for (const output of given) assert.ok(resource.properties[output], output);
      for (const output of resource.required) assert.ok(given.includes(output), output);
      for (const input of Object.keys(samples[name]!)) assert.deepEqual(outputs[input], checked.inputs[input], input);
    });

    it(`refuse for ${name} what is missing, of another type, malformed or not known, each by its name`, async () => {
      const { check } = await handler();
      const reasons = async (inputs: Values) =>
        (await check!(context, undefined, inputs)).failures!.map(({ property }) => property);
      const [required] = resource.requiredInputs;
      assert.deepEqual((await reasons({ ...samples[name], [required!]: undefined })).slice(0, 1), [required]);
      assert.deepEqual(await reasons({ ...samples[name], [required!]: 7 }), [required]);
      assert.deepEqual(await reasons({ ...samples[name], [required!]: "UPPER case" }), [required]);
      assert.deepEqual(await reasons({ ...samples[name], other: "x" }), ["other"]);
      assert.deepEqual(await reasons({ ...samples[name], digest: "sha256:short" }), ["digest"]);
    });

    it(`let unknown inputs of ${name} pass`, async () => {
      const { check } = await handler();
      const unknown = Object.fromEntries(Object.keys(samples[name]!).map((key): [string, Value] => [key, UNKNOWN]));
      assert.deepEqual((await check!(context, undefined, unknown)).failures ?? [], []);
    });

    it(`name ${name} by nothing while its repository is unknown`, async () => {
      const { create } = await handler();
      const unknown = Object.fromEntries(Object.keys(samples[name]!).map((key): [string, Value] => [key, UNKNOWN]));
      assert.equal((await create({ ...context, preview: true }, unknown)).id, "");
    });
  }

  it("name the place of a wrong value inside", () => {
    const failures = schemaFailures("policychain:index:GateRun", {
      ...samples.GateRun,
      tools: { yq: { version: 1, command: ["yq", 2] } },
    });
    assert.deepEqual(failures, [
      { property: 'tools["yq"].expect', reason: "is required" },
      { property: 'tools["yq"].version', reason: "is not a string" },
      { property: 'tools["yq"].command[1]', reason: "is not a string" },
    ]);
    const role = schemaFailures("policychain:index:Tag", { ...samples.Tag, role: "other" });
    assert.deepEqual(role, [{ property: "role", reason: "is not one of commit, version, latest" }]);
  });

  it("take exactly one source for a Manifest", async () => {
    const { manifest } = await import("../../../provider/manifest");
    const failures = async (inputs: Values) => (await manifest.check!(context, undefined, inputs)).failures;
    assert.match((await failures({ repository: "127.0.0.1:1/x" }))![0]!.reason, /exactly one of .*; given: none/);
    const two = { ...samples.Manifest, folder: { path: "x", at: "/x" } };
    assert.match((await failures(two))![0]!.reason, /given: folder, content/);
  });
});
