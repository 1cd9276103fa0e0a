// How a cluster tells objects apart.
import assert from "node:assert/strict";
import { documentsOf } from "../../../lib/flux/documents";
import { namespaceOf, objectKey, objectTitle, qualifiedName } from "../../../lib/kyverno/identity";

const object = (apiVersion: string, kind: string, namespace: string, name = "a") => ({
  apiVersion,
  kind,
  namespace,
  name,
});
const wide = object("kyverno.io/v1", "ClusterPolicy", "shop");
const local = object("kyverno.io/v1", "Policy", "shop");

describe("the identity of an object", () => {
  it("has no namespace for a policy of the whole cluster, whatever it writes", () => {
    assert.deepEqual([namespaceOf(wide), namespaceOf(local)], ["", "shop"]);
    assert.equal(objectKey(wide), objectKey({ ...wide, namespace: "" }));
    assert.notEqual(objectKey(local), objectKey({ ...local, namespace: "" }));
    const [document] = documentsOf(
      Buffer.from("apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: a, namespace: shop}\n"),
    ) as readonly { readonly namespace: string }[];
    assert.equal(document!.namespace, "");
  });

  it("is the same in each version of a kind, and another one in another group", () => {
    assert.equal(objectKey(wide), objectKey({ ...wide, apiVersion: "kyverno.io/v2beta1" }));
    assert.notEqual(
      objectKey(object("kyverno.io/v2", "PolicyException", "shop")),
      objectKey(object("policies.kyverno.io/v1", "PolicyException", "shop")),
    );
  });

  it("keeps the namespace of kinds that are no policies, which nobody here knows", () => {
    assert.equal(namespaceOf(object("cluster.x-k8s.io/v1beta1", "Cluster", "shop")), "shop");
    assert.equal(namespaceOf(object("v1", "ConfigMap", "shop")), "shop");
  });

  it("is what sentences say", () => {
    assert.deepEqual([wide, local].map(objectTitle), ["ClusterPolicy a", "Policy shop/a"]);
    assert.deepEqual([wide, local].map(qualifiedName), ["a", "shop/a"]);
  });
});
