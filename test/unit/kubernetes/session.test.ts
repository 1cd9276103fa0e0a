// stand-in: a login that the cluster takes no more, and requests that find it old together, against a scripted server.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectCluster } from "../../../lib/kubernetes/client";
import { refused } from "../../support/refused";
import { json, kubeconfigOf, type ScriptedCluster, startScriptedCluster } from "../../support/scriptedCluster";

describe("stand-in: a login that a cluster takes no more", () => {
  let cluster: ScriptedCluster;
  let dir: string;
  before(async () => {
    cluster = await startScriptedCluster();
  });
  after(() => cluster.stop());
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "session-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  /** A credential plugin whose token is `token-<run>`; `more` is the rest of its script. */
  const connect = (more = "") => {
    writeFileSync(join(dir, "runs"), "");
    const script = `#!/usr/bin/env node
const { appendFileSync, readFileSync } = require("fs");
appendFileSync("${dir}/runs", "x");
const run = readFileSync("${dir}/runs", "utf8").length;
const status = { token: "token-" + run };
${more}
console.log(JSON.stringify({ status }));`;
    writeFileSync(join(dir, "plugin"), script);
    chmodSync(join(dir, "plugin"), 0o755);
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: join(dir, "plugin") };
    return connectCluster({ kubeconfig: kubeconfigOf(`http://${cluster.server.host}`, { exec }) });
  };
  const runs = () => readFileSync(join(dir, "runs"), "utf8").length;
  /** From now on the cluster takes one token alone. */
  const take = (token: string) =>
    cluster.answer(({ headers }) =>
      headers.authorization === `Bearer ${token}` ? json({ gitVersion: "v1.36.3" }) : json({ kind: "Status" }, 401),
    );

  it("is asked of its plugin again, also where the plugin had named no end", async () => {
    const client = await connect();
    take("token-1");
    await client.version();
    assert.equal(runs(), 1);
    take("token-2");
    assert.equal(await client.version(), "v1.36.3");
    assert.equal(runs(), 2);
    take("nothing");
    await refused("cluster-unauthorized", () => client.version());
    assert.equal(runs(), 3);
  });

  it("is not asked for again where it stands in the kubeconfig", async () => {
    take("nothing");
    const client = await connectCluster({ kubeconfig: cluster.kubeconfig });
    const before = cluster.lines().length;
    await refused("cluster-unauthorized", () => client.version());
    assert.equal(cluster.lines().length, before + 1);
  });

  for (const [when, more] of [
    ["that it refuses", ""],
    ["that has grown old", "if (run === 1) status.expirationTimestamp = new Date().toISOString();"],
  ] as const)
    it(`is renewed once for eight requests that come with one ${when}`, async () => {
      const client = await connect(more);
      take("token-2");
      await Promise.all(Array.from({ length: 8 }, () => client.version()));
      assert.equal(runs(), 2);
    });

  it("that could not be renewed is tried again by the next request", async () => {
    const client = await connect('if (run === 2) { console.error("log in first"); process.exit(1); }');
    take("token-3");
    const both = await Promise.allSettled([client.version(), client.version()]);
    for (const one of both) assert.match(String(one.status === "rejected" && one.reason), /log in first/);
    assert.equal(runs(), 2);
    assert.equal(await client.version(), "v1.36.3");
    assert.equal(runs(), 3);
  });

  it("whose renewal takes long does not hold a request that is stopped", async () => {
    const client = await connect("if (run === 2) for (const end = Date.now() + 1000; Date.now() < end; );");
    take("token-2");
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("stopped")), 200);
    const other = client.version();
    await assert.rejects(client.version({ signal: controller.signal }), /^Error: stopped$/);
    assert.equal(await other, "v1.36.3");
  });
});
