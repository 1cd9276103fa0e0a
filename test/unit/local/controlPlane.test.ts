import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readKubeconfig, targetOf } from "../../../lib/kubernetes/kubeconfig";
import { chooseCluster, clusterOf, components, knownClusters } from "../../../local/controlPlane/cluster";
import { commandsOf } from "../../../local/controlPlane/commands";
import { credentialFiles, ensureCredentials, tokenOf, writeKubeconfig } from "../../../local/controlPlane/credentials";
import { definitionNames, ensureDefinitions } from "../../../local/controlPlane/definitions";
import { clusterLines } from "../../../local/controlPlane/manage";
import { kyvernoLease } from "../../../local/controlPlane/objects";
import { lastLines, runningComponents } from "../../../local/controlPlane/running";
import { type Layout, layoutOf } from "../../../local/layout";
import { remember } from "../../../local/memory";

const programs = {
  etcd: "/usr/bin/etcd",
  kubernetes: "/cache/kubernetes-1",
  "source-controller": "/cache/source-controller-1",
  "kustomize-controller": "/cache/kustomize-controller-1",
  "kyverno-controller": "/cache/kyverno-controller-1",
};
const coded = (code: string, words: RegExp) => (error: { code: string; message: string }) => {
  assert.equal(error.code, code);
  assert.match(error.message, words);
  return true;
};

describe("a local cluster", () => {
  let layout: Layout;

  beforeEach(() => {
    layout = layoutOf(mkdtempSync(join(tmpdir(), "cluster-")));
  });

  afterEach(() => {
    rmSync(layout.projectDir, { recursive: true });
  });

  it("has a name and five ports, and another beside it has others without being told", () => {
    const { name, ports } = chooseCluster(layout, {});
    assert.deepEqual([name, Object.values(ports)], ["dev", [6443, 6444, 6445, 6446, 6447]]);
    remember(layout.memoryFile, { clusters: { dev: { port: 6443 } } });
    assert.equal(chooseCluster(layout, {}).ports.api, 6443);
    assert.equal(chooseCluster(layout, { name: "prod" }).ports.api, 6453);
    assert.equal(chooseCluster(layout, { name: "prod", port: "7000" }).ports.kustomizeHealth, 7004);
  });

  it("keeps the ports that it was last started with", () => {
    remember(layout.memoryFile, { clusters: { prod: { port: 7000 } } });
    assert.equal(chooseCluster(layout, { name: "prod" }).ports.api, 7000);
  });

  it("is refused a name that is none and ports that are none", () => {
    for (const name of ["", "Prod", "-a", "a/b", "..", "a".repeat(33)])
      assert.throws(() => chooseCluster(layout, { name }), coded("cluster-name-malformed", /--cluster-name prod/));
    for (const port of ["", "0", "x", "65532", "123456", "-1", "1.5"])
      assert.throws(() => chooseCluster(layout, { port }), coded("port-malformed", /--cluster-port 6443/));
  });

  it("listens on the loopback alone, and etcd on a socket", () => {
    const commands = Object.values(commandsOf(clusterOf(layout, "dev", 6443), programs));
    assert.deepEqual(
      commands.map(({ component }) => component),
      [...components],
    );
    const addresses = commands.flatMap(({ args }) => args).filter((arg) => /^--\S*(addr|address|urls|ip)=/i.test(arg));
    assert.ok(addresses.length >= 10, addresses.join(" "));
    for (const address of addresses)
      assert.match(address, /=(127\.0\.0\.1(:\d+)?|unix:\/\/localhost:\d|http:\/\/localhost:2|0|)$/, address);
  });

  it("has no two programs at one port", () => {
    const ports = Object.values(commandsOf(clusterOf(layout, "dev", 6443), programs)).flatMap((one) => one.ports);
    assert.deepEqual([...ports].sort(), [6443, 6444, 6445, 6446, 6447]);
  });

  it("has tokens that nobody else reads, that no argument holds and that stay", async () => {
    const cluster = clusterOf(layout, "dev", 6443);
    await ensureCredentials(cluster);
    const token = tokenOf(cluster, "admin");
    assert.match(token, /^[0-9a-f]{64}$/);
    for (const file of Object.values(credentialFiles(cluster))) assert.equal(statSync(file).mode & 0o777, 0o600, file);
    assert.equal(statSync(cluster.folder).mode & 0o777, 0o700);
    const commands = JSON.stringify(commandsOf(cluster, programs));
    for (const line of readFileSync(credentialFiles(cluster).tokens, "utf8").trim().split("\n"))
      assert.ok(!commands.includes(line.split(",")[0]!));
    await ensureCredentials(cluster);
    assert.equal(tokenOf(cluster, "admin"), token);
  });

  it("has a context in one kubeconfig for all, once its API server has a certificate", async () => {
    const [dev, prod, never] = ["dev", "prod", "never"].map((name, index) =>
      clusterOf(layout, name, 6443 + 10 * index),
    );
    for (const cluster of [dev!, prod!, never!]) await ensureCredentials(cluster);
    for (const { certificate } of [dev!, prod!]) {
      mkdirSync(dirname(certificate));
      writeFileSync(certificate, "-----BEGIN CERTIFICATE-----\n");
    }
    await writeKubeconfig(layout.kubeconfig, [dev!, prod!, never!]);
    assert.equal(statSync(layout.kubeconfig).mode & 0o777, 0o600);
    const kubeconfig = await readKubeconfig(layout.kubeconfig);
    assert.deepEqual(
      kubeconfig.contexts.map(({ name }) => name),
      ["dev", "prod"],
    );
    assert.equal(targetOf(kubeconfig).context, "dev");
    const { cluster, user } = targetOf(kubeconfig, "prod");
    assert.equal(cluster.fields.server, "https://127.0.0.1:6453");
    assert.equal(user.fields.token, tokenOf(prod!, "admin"));
  });

  it("is found by the first argument of its programs, and no other program is taken for one", () => {
    const cluster = clusterOf(layout, "dev", 6443);
    const proc = join(layout.projectDir, "proc");
    const add = (pid: number, state: string, ...args: string[]) => {
      mkdirSync(join(proc, `${pid}`), { recursive: true });
      writeFileSync(join(proc, `${pid}`, "cmdline"), args.map((arg) => `${arg}\0`).join(""));
      const fields = [state, ...Array.from({ length: 18 }, () => "1"), `${pid}00`];
      writeFileSync(join(proc, `${pid}`, "stat"), `${pid} (x) ${fields.join(" ")}`);
    };
    mkdirSync(join(proc, "sys/kernel/random"), { recursive: true });
    writeFileSync(join(proc, "sys/kernel/random/boot_id"), "b\n");
    add(11, "S", join(cluster.folder, "kube-apiserver"), "--a", "--b=");
    add(12, "S", join(cluster.folder, "etcd"));
    add(13, "S", "tail", join(cluster.folder, "kyverno-controller"));
    add(14, "Z", join(cluster.folder, "source-controller"));
    add(15, "S", join(clusterOf(layout, "prod", 6453).folder, "etcd"));
    assert.deepEqual(
      runningComponents(cluster, proc).map(({ component, identity, args }) => [component, identity.pid, args]),
      [
        ["etcd", 12, []],
        ["kube-apiserver", 11, ["--a", "--b="]],
      ],
    );
  });

  it("is told of with the end of the log of what has ended", async () => {
    const cluster = clusterOf(layout, "dev", 6443);
    assert.deepEqual(await clusterLines(layout), ["no local cluster was started here"]);
    mkdirSync(cluster.folder, { recursive: true });
    assert.deepEqual(await clusterLines(layout), ["local cluster dev is down"]);
    assert.deepEqual(
      knownClusters(layout).map(({ name }) => name),
      ["dev"],
    );
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    remember(layout.memoryFile, { clusters: { dev: { port: 6443, boot } } });
    mkdirSync(cluster.logs, { recursive: true });
    writeFileSync(join(cluster.logs, "kyverno-controller.log"), "one\ntwo\n\u001b[31mthree\nfour\n");
    assert.deepEqual(await lastLines(cluster, "kyverno-controller"), ["two", "three", "four"]);
    const lines = (await clusterLines(layout)).join("\n");
    assert.match(lines, /^local cluster dev is not whole: npm run local starts etcd, .*kyverno-controller$/m);
    assert.match(
      lines,
      /kyverno-controller of the cluster dev has ended; .*kyverno-controller\.log ends with:\n +two\n +three\n +four/,
    );
  });

  it("has the kinds of the files that their generator named after them", () => {
    const folder = join(layout.projectDir, "crds");
    mkdirSync(join(folder, "kyverno"), { recursive: true });
    for (const file of [
      "kyverno/kyverno.io_policies.yaml",
      "source.toolkit.fluxcd.io_buckets.yaml",
      "kustomization.yaml",
    ])
      writeFileSync(join(folder, file), "");
    assert.deepEqual(definitionNames(folder), ["buckets.source.toolkit.fluxcd.io", "policies.kyverno.io"]);
  });

  describe("stand-in: whose API server is asked by a scripted kubectl", () => {
    const served = "policies.kyverno.io\nclusterpolicies.kyverno.io\n";
    let asked: string[];
    /** Applies kinds, and answers the next text of `lists` at each look; the last one again and again. */
    const kubectl = (...lists: string[]) => {
      asked = [];
      return async (...args: readonly string[]) => {
        asked.push(args[0]!);
        return args[0] === "apply" ? "" : lists.length > 1 ? lists.shift()! : lists[0]!;
      };
    };
    const place = () => {
      const cluster = clusterOf(layout, "dev", 6443);
      const folder = join(layout.projectDir, "kyverno-controller-1");
      mkdirSync(join(folder, "crds"), { recursive: true });
      mkdirSync(cluster.folder, { recursive: true });
      for (const name of ["policies", "clusterpolicies"])
        writeFileSync(join(folder, "crds", `kyverno.io_${name}.yaml`), "");
      return [cluster, folder] as const;
    };

    it("gets the kinds of a program once, and is waited for until it serves them", async () => {
      const [cluster, folder] = place();
      await ensureDefinitions(cluster, folder, kubectl("", served));
      assert.deepEqual(asked, ["apply", "api-resources", "api-resources"]);
      await ensureDefinitions(cluster, folder, kubectl(served));
      assert.deepEqual(asked, ["api-resources"]);
    });

    it("that does not serve them in time is said not to start, with their names, and gets them again", async () => {
      const [cluster, folder] = place();
      await assert.rejects(
        ensureDefinitions(cluster, folder, kubectl("policies.kyverno.io\n"), { patience: 300 }),
        coded("cluster-start", /after 0\.3 s its API server does not serve clusterpolicies\.kyverno\.io;/),
      );
      await ensureDefinitions(cluster, folder, kubectl(served));
      assert.deepEqual(asked, ["apply", "api-resources"]);
    });

    it("is not waited for any more when the run is stopped", async () => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new Error("stopped")), 100);
      const { signal } = controller;
      await assert.rejects(ensureDefinitions(...place(), kubectl(""), { signal }), /^Error: stopped$/);
    });
  });

  it("has a lease in the form of Kyverno's own, which refuses fractions of a second", () => {
    const { annotations } = kyvernoLease(new Date("2026-01-02T03:04:05.678Z")).metadata;
    assert.deepEqual(annotations, { "kyverno.io/last-request-time": "2026-01-02T03:04:05Z" });
  });
});
