// The conditions of `pulumi.com/waitFor`.
import assert from "node:assert/strict";
import type { KubernetesObject } from "../../../lib/kubernetes/objects";
import { parseWaitFor } from "../../../local/plugins/kubernetes/conditions";

const object = (status: object, generation = 2): KubernetesObject => ({
  apiVersion: "v1",
  kind: "X",
  metadata: { name: "x", generation, labels: { "a.b/c": "d" } },
  status,
});
const ready = (more: object = {}) => ({ conditions: [{ type: "Ready", status: "True", ...more }] });
const met = (annotation: string, of: KubernetesObject) => parseWaitFor(annotation).every((one) => one.look(of).met);

describe("a condition to wait for", () => {
  const cases: readonly [annotation: string, status: object, isMet: boolean][] = [
    ["condition=Ready", ready(), true],
    ["condition=ready", ready(), true],
    ["condition=Ready", {}, false],
    ["condition=Ready=False", ready(), false],
    ["condition=Ready=Unknown", ready({ status: "unknown" }), true],
    ["condition=Ready", ready({ observedGeneration: 1 }), false],
    ["condition=Ready", { ...ready(), observedGeneration: 1 }, false],
    ["condition=Ready", { ...ready({ observedGeneration: 2 }), observedGeneration: 1 }, true],
    ["jsonpath={.status.phase}=Active", { phase: "Active" }, true],
    ["jsonpath={.status.phase}=Active", { phase: "Active", observedGeneration: 1 }, false],
    ["jsonpath={.status.phase}", { phase: "x" }, true],
    ["jsonpath={.status.phase}", {}, false],
    ["jsonpath={.status.list[0].a}=1", { list: [{ a: 1 }] }, true],
    ['jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', ready(), true],
    ["jsonpath={.metadata.labels['a.b/c']}=d", {}, true],
    ["jsonpath={.status.constructor}", {}, false],
    ['["condition=Ready", "jsonpath={.status.phase}=x"]', { ...ready(), phase: "x" }, true],
    ['["condition=Ready", "jsonpath={.status.phase}=x"]', ready(), false],
  ];
  for (const [annotation, status, isMet] of cases)
    it(`${annotation} is ${isMet ? "" : "not "}met by ${JSON.stringify(status)}`, () => {
      assert.equal(met(annotation, object(status)), isMet);
    });

  for (const wrong of ["Ready", "[]", "condition=", "jsonpath=.status", "jsonpath={.a..b}", "jsonpath={.a}="])
    it(`${wrong} is refused`, () => {
      assert.throws(() => parseWaitFor(wrong));
    });

  it("says what is there instead, in the controller's own words", () => {
    const [condition] = parseWaitFor("condition=Ready");
    const failed = ready({ status: "False", reason: "Failed", message: "no such host" });
    assert.equal(condition!.look(object(failed)).found, "Ready=False (Failed: no such host)");
  });
});
