// The closed-network plugin `kubernetes` against the SDK that the program uses: version, tokens, names and types of properties.
// What this does not show is behaviour: that is in test/provider/kubernetes*.test.ts.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CustomResource } from "@pulumi/kubernetes/apiextensions/customResource";
import { Namespace } from "@pulumi/kubernetes/core/v1/namespace";
import { Secret } from "@pulumi/kubernetes/core/v1/secret";
import { Provider } from "@pulumi/kubernetes/provider";
import ts from "typescript";
import { checkConfiguration } from "../../../local/plugins/kubernetes/configure";
import { resourceOf } from "../../../local/plugins/kubernetes/resource";

const sdk = join(__dirname, "../../../node_modules/@pulumi/kubernetes");
const schema = require("../../../local/plugins/kubernetes/schema.json");

/** The fields of an interface of the SDK, each with the text of its type. */
function fieldsOf(file: string, name: string): Record<string, string> {
  const source = ts.createSourceFile(file, readFileSync(join(sdk, file), "utf8"), ts.ScriptTarget.Latest, true);
  const found = source.statements.find(
    (node): node is ts.InterfaceDeclaration => ts.isInterfaceDeclaration(node) && node.name.text === name,
  );
  assert.ok(found, `${file} has no ${name}`);
  return Object.fromEntries(
    found.members
      .filter((member) => ts.isPropertySignature(member))
      .map((field) => [field.name.getText(), field.type!.getText().replace(/\s+/g, " ")]),
  );
}

describe("the closed-network plugin kubernetes and the SDK", () => {
  it("have one version, or the engine would look for another plugin", () => {
    const { version, pulumi } = JSON.parse(readFileSync(join(sdk, "package.json"), "utf8"));
    assert.deepEqual([schema.version, schema.name], [version, pulumi.name]);
  });

  it("have the tokens of what the program declares", () => {
    const token = (type: unknown) => (type as { __pulumiType: string }).__pulumiType;
    assert.deepEqual(Object.keys(schema.resources), [token(Namespace), token(Secret)]);
    assert.equal(token(Provider), schema.name);
    assert.match(CustomResource.toString(), /super\(`kubernetes:\$\{args\.apiVersion\}:\$\{args\.kind\}`/);
    const custom = ["source.toolkit.fluxcd.io/v1:OCIRepository", "kyverno.io/v1:ClusterPolicy"];
    for (const name of [...Object.keys(schema.resources), ...custom.map((one) => `kubernetes:${one}`)])
      assert.ok(resourceOf(name), name);
  });

  it("do not serve lists, patches and other packages' types", () => {
    const foreign = ["kubernetes:core/v1:SecretList", "kubernetes:core/v1:SecretPatch", "kubernetes:helm.sh/v3:x"];
    for (const name of [...foreign, "docker:index/image:Image", "kubernetes:yaml:ConfigFile"])
      assert.equal(resourceOf(name), undefined, name);
  });

  for (const [file, name, token] of [
    ["core/v1/namespace.d.ts", "NamespaceArgs", "kubernetes:core/v1:Namespace"],
    ["core/v1/secret.d.ts", "SecretArgs", "kubernetes:core/v1:Secret"],
  ] as const)
    it(`take the same inputs of a ${name.replace("Args", "")}`, () => {
      assert.deepEqual(Object.keys(schema.resources[token].inputProperties), Object.keys(fieldsOf(file, name)).sort());
    });

  it("have each argument of a provider by one name and type, which is served, refused, or of no use to the plugin", () => {
    const fields = fieldsOf("provider.d.ts", "ProviderArgs");
    const served: Record<string, { type: string }> = schema.provider.inputProperties;
    for (const [name, { type }] of Object.entries(served))
      assert.match(fields[name] ?? "", new RegExp(`Input<${type}`), name);
    const others = Object.keys(fields).filter((name) => !(name in served));
    const refused = others.filter((name) => (checkConfiguration({ [name]: "x" }).failures ?? []).length > 0);
    assert.deepEqual(others.filter((name) => !refused.includes(name)).sort(), [
      "enableConfigMapMutable",
      "helmReleaseSettings",
      "kubeClientSettings",
      "suppressDeprecationWarnings",
      "suppressHelmHookWarnings",
    ]);
  });
});
