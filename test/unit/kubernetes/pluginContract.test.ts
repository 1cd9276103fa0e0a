// What this program sends by the SDK of Kubernetes: tokens and names of properties, which every plugin has to serve.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { CustomResource } from "@pulumi/kubernetes/apiextensions/customResource";
import { Namespace } from "@pulumi/kubernetes/core/v1/namespace";
import { Secret } from "@pulumi/kubernetes/core/v1/secret";
import { Provider } from "@pulumi/kubernetes/provider";

describe("the SDK of Kubernetes", () => {
  it("names the plugin that its package says", () => {
    const { pulumi } = JSON.parse(readFileSync(require.resolve("@pulumi/kubernetes/package.json"), "utf8"));
    assert.deepEqual([pulumi.resource, pulumi.name], [true, "kubernetes"]);
  });

  it("has the tokens that the closed-network plugin serves", () => {
    const token = (type: unknown) => (type as { __pulumiType: string }).__pulumiType;
    assert.equal(token(Namespace), "kubernetes:core/v1:Namespace");
    assert.equal(token(Secret), "kubernetes:core/v1:Secret");
    assert.equal(token(Provider), "kubernetes");
    assert.match(CustomResource.toString(), /super\(`kubernetes:\$\{args\.apiVersion\}:\$\{args\.kind\}`/);
  });
});
