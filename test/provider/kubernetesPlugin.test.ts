// The closed-network plugin `kubernetes` under the real Pulumi engine and SDK, with the real API server.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import { type ClusterClient, connectCluster } from "../../lib/kubernetes/client";
import type { KubernetesObject } from "../../lib/kubernetes/objects";
import { type ApiServer, sourceDefinitions, startApiServer } from "../support/apiServer";

const root = join(__dirname, "..", "..");
const { version } = JSON.parse(readFileSync(require.resolve("@pulumi/kubernetes/package.json"), "utf8"));
const program = `
const { readFileSync } = require("node:fs");
require(${JSON.stringify(join(root, "components/lightSdk"))});
const pulumi = require("@pulumi/pulumi");
const { Provider } = require("@pulumi/kubernetes/provider");
const { Namespace } = require("@pulumi/kubernetes/core/v1/namespace");
const { Secret } = require("@pulumi/kubernetes/core/v1/secret");
const { CustomResource } = require("@pulumi/kubernetes/apiextensions/customResource");
const { kubeconfig, context, password, spec, annotations } = JSON.parse(readFileSync("args.json", "utf8"));
const provider = new Provider("cluster", { kubeconfig, context, enableSecretMutable: true });
const namespace = new Namespace("namespace", { metadata: { name: "flux-system", labels: { team: "policy" } } }, { provider });
const inside = { namespace: namespace.metadata.name };
new Secret("login", { metadata: { name: "login", ...inside }, stringData: { password: pulumi.secret(password) } }, { provider });
const source = new CustomResource("source", { apiVersion: "source.toolkit.fluxcd.io/v1", kind: "OCIRepository",
  metadata: { name: "policies", ...inside, annotations }, spec }, { provider });
module.exports = { name: source.metadata.name, uid: namespace.metadata.uid };
`;
const spec = { url: "oci://127.0.0.1:5000/releases", interval: "10m", suspend: false };
const forced = { "pulumi.com/patchForce": "true" };
const policies = {
  apiVersion: "source.toolkit.fluxcd.io/v1",
  kind: "OCIRepository",
  name: "policies",
  namespace: "flux-system",
};

describe("the closed-network plugin kubernetes", function () {
  this.timeout(120_000);
  let server: ApiServer;
  let client: ClusterClient;
  let dir: string;

  before(async () => {
    server = await startApiServer();
    client = await connectCluster({ kubeconfig: server.kubeconfig });
    await client.apply(parse(sourceDefinitions("ocirepositories")) as KubernetesObject, { fieldManager: "test" });
    const plugin = join(root, "dist/plugins/kubernetes");
    assert.ok(existsSync(join(plugin, "pulumi-resource-kubernetes")), "the plugin is not built: npm run prepare");
    dir = mkdtempSync(join(tmpdir(), "kubernetes-plugin-"));
    cpSync(plugin, join(dir, `home/plugins/resource-kubernetes-v${version}`), { recursive: true });
    // Not all of the SDKs: for each of them the engine would look for a plugin, at every command.
    mkdirSync(join(dir, "node_modules/@pulumi"), { recursive: true });
    for (const name of ["pulumi", "kubernetes"])
      symlinkSync(join(root, "node_modules/@pulumi", name), join(dir, "node_modules/@pulumi", name));
    writeFileSync(join(dir, "Pulumi.yaml"), "name: program\nruntime: nodejs\nmain: index.js\n");
    writeFileSync(join(dir, "package.json"), "{}");
    writeFileSync(join(dir, "index.js"), program);
    writeFileSync(join(dir, "passphrase"), "passphrase");
    write({});
    await pulumi(0, "stack", "init", "test");
  });
  after(async () => {
    await server?.stop();
    if (dir) rmSync(dir, { recursive: true });
  });

  const write = (more: object) =>
    writeFileSync(
      join(dir, "args.json"),
      JSON.stringify({ kubeconfig: server.kubeconfig, password: "hunter2", spec, annotations: forced, ...more }),
    );
  const start = (
    ...args: string[]
  ): { child: ChildProcess; ended: Promise<{ code: number | null; output: string }> } => {
    const child = spawn("pulumi", [...args, "--non-interactive", "--color=never"], {
      cwd: dir,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        PATH: [process.env.PATH, join(root, ".local/bin")].join(delimiter),
        PULUMI_HOME: join(dir, "home"),
        PULUMI_BACKEND_URL: `file://${dir}`,
        PULUMI_CONFIG_PASSPHRASE_FILE: join(dir, "passphrase"),
        PULUMI_NODEJS_TRANSPILE_ONLY: "true",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      },
    });
    const ended = new Promise<{ code: number | null; output: string }>((resolve, reject) => {
      let output = "";
      for (const stream of [child.stdout, child.stderr]) stream!.on("data", (chunk) => (output += chunk));
      child.on("error", reject);
      child.on("close", (code) => resolve({ code, output }));
    });
    return { child, ended };
  };
  /** Runs a command, asserts its exit code and returns what it printed. */
  const pulumi = async (wanted: number, ...args: string[]) => {
    const { code, output } = await start(...args).ended;
    assert.equal(code, wanted, `pulumi ${args.join(" ")}:\n${output}`);
    return output;
  };
  const up = (wanted = 0) => pulumi(wanted, "up", "--yes", "--skip-preview");
  const live = async () =>
    (await client.get(policies)) as (KubernetesObject & { spec: Record<string, unknown> }) | undefined;

  const uids = async () => [
    (await live())?.metadata.uid,
    (await client.get({ apiVersion: "v1", kind: "Namespace", name: "flux-system" }))?.metadata.uid,
  ];
  /** The test's kubeconfig with a second cluster entry and context `moved`, and what `change` does to it. */
  const ways = (change: (clusters: { cluster: Record<string, unknown> }[]) => void = () => {}) => {
    const kubeconfig = JSON.parse(readFileSync(server.kubeconfig, "utf8"));
    const { cluster } = kubeconfig.clusters[0];
    const moved = { server: cluster.server.replace("127.0.0.1", "localhost"), "insecure-skip-tls-verify": true };
    kubeconfig.clusters.push({ name: "moved", cluster: moved });
    kubeconfig.contexts.push({ name: "moved", context: { cluster: "moved", user: "admin" } });
    change(kubeconfig.clusters);
    writeFileSync(join(server.dir, "ways"), JSON.stringify(kubeconfig));
    return join(server.dir, "ways");
  };

  it("warns in a preview where the kubeconfig or its credential plugin is not there", async () => {
    const absent = JSON.parse(readFileSync(server.kubeconfig, "utf8"));
    absent.users[0].user = { exec: { apiVersion: "client.authentication.k8s.io/v1", command: "gone-auth-plugin" } };
    writeFileSync(join(server.dir, "with-plugin"), JSON.stringify(absent));
    for (const [kubeconfig, words] of [
      [join(server.dir, "with-plugin"), /no preview from the cluster: .*"gone-auth-plugin" .*there is no such program/],
      [join(dir, "absent"), /no preview from the cluster: there is no kubeconfig/],
    ] as const) {
      write({ kubeconfig });
      const output = await pulumi(0, "preview");
      assert.match(output, words);
      assert.match(output, /5 to create/);
    }
    write({});
  });

  it("previews what it would make, and makes it", async () => {
    assert.match(await pulumi(0, "preview"), /5 to create/);
    assert.equal(await live(), undefined);
    assert.match(await up(), /5 created/);
    assert.equal((await live())!.spec.url, spec.url);
    assert.equal(JSON.parse(await pulumi(0, "stack", "output", "--json")).name, "policies");
  });

  it("changes nothing in a second run, nor by a refresh", async () => {
    await pulumi(0, "refresh", "--yes", "--skip-preview", "--expect-no-changes");
    await pulumi(0, "preview", "--expect-no-changes");
  });

  it("keeps the password out of the state and off the screen, and rotates it in place", async () => {
    write({ password: "hunter3" });
    const diff = await pulumi(0, "preview", "--diff");
    assert.match(diff, /~ data *:/);
    assert.match(await up(), /1 updated/);
    const state = readFileSync(join(dir, ".pulumi/stacks/program/test.json"), "utf8");
    for (const text of [diff, state]) assert.doesNotMatch(text, /hunter|aHVudGVy/);
  });

  it("names a field that was edited by hand in a preview with refresh, and puts it right", async () => {
    await client.mergePatch(policies, { spec: { suspend: true } }, { fieldManager: "kubectl-edit" });
    assert.match(await pulumi(0, "preview", "--refresh", "--diff"), /suspend *: true => false/);
    await pulumi(0, "up", "--yes", "--skip-preview", "--refresh");
    assert.equal((await live())!.spec.suspend, false);
  });

  it("makes again what was deleted by hand", async () => {
    await client.delete(policies);
    assert.match(await pulumi(0, "up", "--yes", "--skip-preview", "--refresh"), /1 created/);
    assert.ok(await live());
  });

  it("leaves every object as it is when its cluster gets another address", async () => {
    const before = await uids();
    write({ kubeconfig: ways(), context: "moved" });
    assert.doesNotMatch(await pulumi(0, "preview"), /replace/);
    assert.doesNotMatch(await up(), /(created|replaced|deleted)/);
    assert.deepEqual(await uids(), before);
  });

  it("loses nothing where the old address cannot be asked any more: it is refused, with what to do", async () => {
    const before = await uids();
    const gone = ways(([, moved]) => {
      moved!.cluster.server = "https://127.0.0.1:1";
    });
    write({ kubeconfig: gone, context: "admin" });
    assert.match(await pulumi(0, "preview"), /flux-system already, .*this very resource has made it, by another way/);
    assert.match(await up(1), /flux-system already, .*give the kubeconfig's entry that the stack used before/);
    assert.deepEqual(await uids(), before);
    write({ kubeconfig: ways(), context: "admin" });
    assert.doesNotMatch(await up(), /(created|replaced)/);
    assert.deepEqual(await uids(), before);
  });

  it("keeps an object that does not get ready in the state, with the reason, and tries again", async () => {
    const annotations = { ...forced, "pulumi.com/waitFor": "condition=Ready", "pulumi.com/timeoutSeconds": "1" };
    write({ annotations });
    assert.match(await up(1), /policies is not ready after 1 s: condition=Ready \(found no condition Ready yet\)/);
    assert.match(await pulumi(0, "preview"), /1 to update/);
  });

  it("is gone within seconds when the engine is killed while it waits, and the next run goes on", async () => {
    write({ annotations: { ...forced, "pulumi.com/waitFor": "condition=Ready", round: "killed" } });
    const { child, ended } = start("up", "--yes", "--skip-preview");
    await until(async () => (await live())?.metadata.annotations?.round === "killed", 20_000);
    assert.equal(pluginsIn(dir), 1);
    child.kill("SIGKILL");
    await ended;
    await until(() => pluginsIn(dir) === 0, 3000);
    await pulumi(0, "cancel", "--yes");
    write({ annotations: {} });
    await up();
  });

  it("is told of an object that is held by another manager, with its name and the field", async () => {
    await client.mergePatch(policies, { spec: { interval: "5m" } }, { fieldManager: "kubectl-edit" });
    write({ annotations: {}, spec: { ...spec, interval: "1m" } });
    assert.match(await up(1), /\.spec\.interval \(conflict with "kubectl-edit" using/);
  });

  it("takes all of it away again", async () => {
    await pulumi(0, "destroy", "--yes", "--skip-preview");
    assert.equal(await live(), undefined);
    assert.equal(await client.get({ apiVersion: "v1", kind: "Namespace", name: "flux-system" }), undefined);
  });
});

async function until(isSo: () => boolean | Promise<boolean>, patience: number): Promise<void> {
  const end = Date.now() + patience;
  while (!(await isSo())) {
    assert.ok(Date.now() < end, `it is not so after ${patience} ms`);
    await sleep(100);
  }
}

/** How many plugins work in a project's folder. */
function pluginsIn(dir: string): number {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const isPlugin = /pulumi-resource-kubernetes/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
      return isPlugin && readlinkSync(`/proc/${pid}/cwd`) === dir;
    } catch {
      return false; // gone meanwhile
    }
  }).length;
}
