// stand-in: what the closed-network plugin `kubernetes` makes of a cluster that cannot be asked, against a scripted server.
import assert from "node:assert/strict";
import { configure } from "../../../local/plugins/kubernetes/configure";
import { resourceOf } from "../../../local/plugins/kubernetes/resource";
import type { Values } from "../../../provider/host";
import { refused } from "../../support/refused";
import { resourceContext } from "../../support/resourceContext";
import { json, kubeconfigOf, type ScriptedCluster, startScriptedCluster } from "../../support/scriptedCluster";

const secrets = resourceOf("kubernetes:core/v1:Secret")!;
const login: Values = { apiVersion: "v1", kind: "Secret", metadata: { name: "login", namespace: "apps" } };

describe("stand-in: a cluster that cannot be asked", () => {
  let cluster: ScriptedCluster;
  before(async () => {
    cluster = await startScriptedCluster();
  });
  after(() => cluster.stop());

  const context = (preview: boolean, warnings: string[] = []) =>
    resourceContext({
      urn: "urn:pulumi:dev::policy-platform::kubernetes:core/v1:Secret::login",
      preview,
      warn: (text) => warnings.push(text),
    });
  const exec = (command: string) => ({ exec: { apiVersion: "client.authentication.k8s.io/v1", command } });
  const server = "http://127.0.0.1:1";
  const loginPage = () => {
    cluster.answer(() => ({ body: "<html>login</html>" }));
    return cluster.kubeconfig;
  };
  const refusing = (code: number) => () => {
    cluster.answer(() => json({ kind: "Status", code }, code));
    return cluster.kubeconfig;
  };

  const cases: readonly [code: string, kubeconfig: () => string, words: RegExp][] = [
    ["kubeconfig-missing", () => "/nowhere/kubeconfig", /there is no kubeconfig/],
    ["kubeconfig-malformed", () => "{}\n", /no current-context/],
    ["kubeconfig-exec-missing", () => kubeconfigOf(server, exec("no-such-plugin")), /there is no such program/],
    ["kubeconfig-exec-failed", () => kubeconfigOf(server, exec("false")), /ended with 1/],
    ["cluster-answer-malformed", loginPage, /no answer of Kubernetes/],
    ["cluster-unreachable", () => kubeconfigOf(server), /nothing listens there/],
    ["cluster-unauthorized", refusing(401), /answered 401/],
    ["cluster-forbidden", refusing(403), /answered 403/],
    ["cluster-failing", refusing(500), /answered 500/],
  ];
  for (const [code, kubeconfig, words] of cases)
    it(`is warned of in a preview and refused by an update: ${code}`, async () => {
      configure({ kubeconfig: kubeconfig() }, new AbortController().signal);
      const warnings: string[] = [];
      assert.deepEqual(await secrets.create(context(true, warnings), login), { id: "", outputs: login });
      assert.equal(warnings.length, 1);
      assert.match(warnings[0]!, words);
      await refused(code, () => secrets.create(context(false), login));
      await refused(code, () => secrets.read!(context(true), "apps/login", login, {}));
    });

  it("is no reason to preview what no cluster would take", async () => {
    cluster.answer(({ method }) =>
      method === "GET" ? json({ kind: "Status", details: { name: "login" } }, 404) : json({ kind: "Status" }, 422),
    );
    configure({ kubeconfig: cluster.kubeconfig }, new AbortController().signal);
    await refused("cluster-refused", () => secrets.create(context(true), login));
  });
});
