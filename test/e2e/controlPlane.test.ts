// The local cluster as the commands start it, in a checkout of its own: ready and bounded, again without a change, with policies
// that are enforced, over a controller and everything killed, at a taken port, beside a second one, and down. Not shown here:
// the cold builds.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { exec } from "../../lib/exec";
import { clusterOf, components, type LocalCluster } from "../../local/controlPlane/cluster";
import { type KubectlOptions, runKubectl } from "../../local/controlPlane/kubectl";
import { watchCluster } from "../../local/controlPlane/manage";
import { runningComponents } from "../../local/controlPlane/running";
import { badPod, goodPod, policyLines, tryPod } from "../../local/controlPlane/summary";
import { type ClusterCheckout, createClusterCheckout, freeClusterPorts, memoryOf } from "../support/clusterCheckout";
import { processesOf } from "../support/processes";

/** The goal is 20 s on an idle machine (docs/figures.md): here other tests may have run just before. */
const readySeconds = 60;
const memoryGoal = 700 * 2 ** 20;

const policy = {
  apiVersion: "kyverno.io/v1",
  kind: "ClusterPolicy",
  metadata: { name: "disallow-host-network" },
  spec: {
    background: false,
    rules: [
      {
        name: "host-network",
        match: { any: [{ resources: { kinds: ["Pod"] } }] },
        validate: {
          failureAction: "Enforce",
          message: "The network of the host is not for Pods.",
          pattern: { spec: { "=(hostNetwork)": false } },
        },
      },
    ],
  },
};

describe("the local cluster", function () {
  this.timeout(240_000);
  let checkout: ClusterCheckout;
  let dev: LocalCluster;
  let taken: Server | undefined;

  const at = ({ name, kubeconfig }: LocalCluster): KubectlOptions => ({
    folder: checkout.layout.bin,
    kubeconfig,
    context: name,
  });
  const kubectl = async (cluster: LocalCluster, input: unknown, ...args: string[]) => {
    const { code, stdout, stderr } = await runKubectl(at(cluster), args, input ? JSON.stringify(input) : undefined);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const pids = (cluster: LocalCluster) => runningComponents(cluster).map(({ identity }) => identity.pid);
  const ready = async (name: string) =>
    kubectl(dev, undefined, "wait", "--for=condition=Ready", "--timeout=60s", `clusterpolicy/${name}`);

  before(async () => {
    checkout = createClusterCheckout();
    dev = clusterOf(checkout.layout, "dev", await freeClusterPorts());
    const begun = Date.now();
    const { code, stdout, stderr } = await checkout.start("--cluster-port", `${dev.ports.api}`);
    assert.equal(code, 0, stderr);
    assert.ok(Date.now() - begun < readySeconds * 1000, stderr);
    assert.equal(JSON.parse(stdout).KUBECONFIG, checkout.layout.kubeconfig);
    await kubectl(dev, policy, "apply", "--filename=-");
    await ready("disallow-host-network");
  });

  after(async () => {
    taken?.close();
    await checkout.remove();
  });

  it("runs whole, for its owner alone, in bounded memory", async () => {
    assert.deepEqual(
      runningComponents(dev).map(({ component }) => component),
      [...components],
    );
    assert.equal(statSync(checkout.layout.kubeconfig).mode & 0o777, 0o600);
    const bytes = memoryOf(pids(dev));
    assert.ok(bytes <= memoryGoal, `${Math.round(bytes / 2 ** 20)} MiB`);
    assert.deepEqual(await openToOthers(pids(dev)), []);
  });

  it("refuses a bad Pod with the policy's message, admits a good one, and says so for people", async () => {
    const bad = await tryPod(at(dev), badPod);
    assert.equal(bad.admitted, false);
    assert.match(bad.messages.join("\n"), /The network of the host is not for Pods/);
    assert.deepEqual(await tryPod(at(dev), goodPod), { admitted: true, messages: [] });
    const lines = (await policyLines(at(dev))).join("\n");
    assert.match(lines, /disallow-host-network +true +false/);
    assert.match(lines, /✗ a bad Pod is refused\n[\s\S]*not for Pods[\s\S]*✔ a good Pod is admitted/);
    assert.equal(await kubectl(dev, undefined, "get", "pods", "--all-namespaces", "--output=name"), "");
  });

  it("is left as it is by a second start", async () => {
    const before = pids(dev);
    const { code, stderr } = await checkout.start();
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Local cluster dev: https:\/\/127\.0\.0\.1:\d+, runs already/);
    assert.deepEqual(pids(dev), before);
  });

  it("is told of, with the end of its log, when a controller has ended, and started again", async () => {
    const seen: string[] = [];
    const watch = new AbortController();
    const watching = watchCluster(dev, (lines) => seen.push(lines), watch.signal);
    const kyverno = runningComponents(dev).find(({ component }) => component === "kyverno-controller")!;
    const others = pids(dev).filter((pid) => pid !== kyverno.identity.pid);
    await new Promise((resolve) => setTimeout(resolve, 100));
    process.kill(kyverno.identity.pid, "SIGKILL");
    await until(() => seen.length > 0);
    watch.abort();
    await watching;
    const told = /kyverno-controller of the cluster dev has ended; \S+kyverno-controller\.log ends with:\n +\S/;
    assert.match(seen.join("\n"), told);
    const { stdout } = await checkout.command("status");
    assert.match(stdout, /local cluster dev is not whole: npm run local starts kyverno-controller\n/);
    assert.match(stdout, told);
    const again = await checkout.start();
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, told);
    assert.match(again.stderr, /started kyverno-controller \(/);
    assert.deepEqual(
      others,
      pids(dev).filter((pid) => others.includes(pid)),
    );
    assert.equal((await tryPod(at(dev), badPod)).admitted, false);
  });

  it("is whole again after everything was killed at once, with what it held", async () => {
    for (const pid of pids(dev)) process.kill(pid, "SIGKILL");
    const { code, stderr } = await checkout.start();
    assert.equal(code, 0, stderr);
    await ready("disallow-host-network");
    assert.equal((await tryPod(at(dev), badPod)).admitted, false);
  });

  it("says which program has a port that it needs, and which ports are free", async () => {
    const base = await freeClusterPorts();
    taken = createServer();
    await new Promise<void>((resolve) => taken!.listen(base + 1, "127.0.0.1", resolve));
    const { code, stderr } = await checkout.start("--cluster-name", "prod", "--cluster-port", `${base}`);
    assert.equal(code, 1);
    assert.match(
      stderr,
      new RegExp(
        `127\\.0\\.0\\.1:${base + 1}, which the local cluster prod needs, is taken by process ${process.pid} `,
      ),
    );
    assert.match(stderr, /choose others: npm run local -- --cluster-port \d+/);
    assert.deepEqual(pids(clusterOf(checkout.layout, "prod", base)), []);
  });

  it("runs beside a second one, each with policies of its own, and both go down", async () => {
    const prod = clusterOf(checkout.layout, "prod", await freeClusterPorts());
    const { code, stderr } = await checkout.start("--cluster-name", "prod", "--cluster-port", `${prod.ports.api}`);
    assert.equal(code, 0, stderr);
    assert.equal(pids(prod).length, components.length);
    assert.equal((await tryPod(at(prod), badPod)).admitted, true);
    assert.equal((await tryPod(at(dev), badPod)).admitted, false);
    const { stdout } = await checkout.command("status");
    for (const { name } of [dev, prod])
      assert.match(stdout, new RegExp(`^local cluster ${name} runs at https://`, "m"));
    const down = await checkout.command("down");
    assert.match(down.stdout, /local cluster dev stopped\nlocal cluster prod stopped/);
    assert.deepEqual(processesOf(checkout.layout.projectDir), []);
    assert.deepEqual([...pids(dev), ...pids(prod)], []);
  });
});

/** Listening sockets of these processes that are not on the loopback. */
async function openToOthers(processes: readonly number[]): Promise<string[]> {
  const { stdout } = await exec("ss", ["-Hltnp"]);
  const ours = stdout.split("\n").filter((line) => processes.some((pid) => line.includes(`pid=${pid},`)));
  assert.ok(ours.length >= 5, stdout);
  return ours.filter((line) => !line.includes(" 127.0.0.1:"));
}

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!condition()) {
    assert.ok(Date.now() < end, "it took longer than 20 s");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
