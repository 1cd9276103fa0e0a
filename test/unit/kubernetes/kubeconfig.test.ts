// Finding, joining and reading kubeconfigs, and the credential plugins that they name.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { openConnection } from "../../../lib/kubernetes/connection";
import { readKubeconfig, targetOf } from "../../../lib/kubernetes/kubeconfig";
import { keepVariables } from "../../support/environment";
import { refused } from "../../support/refused";
import { kubeconfigOf } from "../../support/scriptedCluster";

const server = "https://127.0.0.1:6443";

describe("a kubeconfig", () => {
  let restore: () => void;
  let dir: string;
  before("the library, which is unbundled here, is loaded once", async function () {
    this.timeout(30_000);
    await import("@kubernetes/client-node/dist/config.js");
  });
  beforeEach(() => {
    restore = keepVariables();
    dir = mkdtempSync(join(tmpdir(), "kubeconfig-"));
    process.env.HOME = dir;
    delete process.env.KUBECONFIG;
  });
  afterEach(() => {
    restore();
    rmSync(dir, { recursive: true });
  });
  const file = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  /** The connection to the current context of a kubeconfig. */
  const open = async (kubeconfig: string, context?: string) =>
    openConnection(targetOf(await readKubeconfig(kubeconfig), context));
  const withUser = (user: object) => kubeconfigOf(server, user);

  it("is found in the home folder, in KUBECONFIG, by its path, and as text", async () => {
    const of = async (kubeconfig?: string) => targetOf(await readKubeconfig(kubeconfig)).cluster.fields.server;
    mkdirSync(join(dir, ".kube"));
    file(".kube/config", kubeconfigOf("https://home"));
    assert.equal(await of(), "https://home");
    process.env.KUBECONFIG = file("variable", kubeconfigOf("https://variable"));
    assert.equal(await of(), "https://variable");
    assert.equal(await of(file("path", kubeconfigOf("https://path"))), "https://path");
    assert.equal(await of("~/path"), "https://path");
    assert.equal(await of(kubeconfigOf("https://text")), "https://text");
  });

  it("is joined of a list, in which files may be absent and the first that names a thing decides", async () => {
    const first = file("a", "clusters: [{name: c, cluster: {server: 'https://a'}}]\n");
    const second = file("b", kubeconfigOf("https://b"));
    const joined = await readKubeconfig([join(dir, "absent"), first, second].join(delimiter));
    const { cluster, context } = targetOf(joined);
    assert.deepEqual([cluster.fields.server, context], ["https://a", "dev"]);
  });

  it("that is not there is said to be missing, with where it was looked for", async () => {
    const error = await refused("kubeconfig-missing", () => readKubeconfig());
    assert.match(error.message, /there is no kubeconfig ".*\/\.kube\/config"/);
    await refused("kubeconfig-missing", () => readKubeconfig(dir));
  });

  const malformed: readonly [what: string, text: string, reason: RegExp][] = [
    ["no YAML", "a: [\n  token: hunter2", /no YAML \(line \d\)/],
    ["a list", "[]\n", /not one document with fields/],
    ["clusters that are no list", "clusters: {}\n", /clusters are no list/],
    ["a cluster without a name", "clusters: [{}]\n", /clusters\[0\] has no name/],
    ["no current context", "contexts: []\n", /no current-context/],
    ["a context that is not there", "current-context: x\ncontexts: [{name: y}]\n", /no context "x" \(it has y\)/],
    [
      "a billion laughs",
      `a: &a [x]\n${[..."bcdefghij"].map((key, index) => `${key}: &${key} [${Array(9).fill(`*${"abcdefghi"[index]}`)}]`).join("\n")}\n`,
      /./,
    ],
  ];
  for (const [what, text, reason] of malformed)
    it(`with ${what} is refused, and not quoted`, async () => {
      const path = file("config", text);
      const error = await refused("kubeconfig-malformed", async () => targetOf(await readKubeconfig(path)));
      assert.match(error.message, reason);
      assert.doesNotMatch(error.message, /hunter2/);
    });

  it("without a server by https is refused", async () => {
    for (const wrong of ["", "127.0.0.1:6443", "ftp://x", "https://ann:hunter2@x"]) {
      const error = await refused("kubeconfig-malformed", () => open(kubeconfigOf(wrong)));
      assert.doesNotMatch(error.message, /hunter2/);
    }
  });

  it("gives a token, a token file, a password or a certificate, relative to its own folder", async () => {
    const authorization = async (user: object) => (await open(file("config", withUser(user)))).headers.Authorization;
    file("token", "from-file\n");
    assert.equal(await authorization({ token: "plain" }), "Bearer plain");
    assert.equal(await authorization({ tokenFile: "token" }), "Bearer from-file");
    assert.equal(await authorization({ username: "ann", password: "b" }), "Basic YW5uOmI=");
    file("pem", "certificate");
    const { tls } = await open(file("config", withUser({ "client-certificate": "pem", "client-key-data": "a2V5" })));
    assert.deepEqual([String(tls.cert), String(tls.key)], ["certificate", "key"]);
    const error = await refused("kubeconfig-malformed", () => authorization({ tokenFile: "absent" }));
    assert.match(error.message, /names the file absent, which cannot be read \(ENOENT\)/);
  });

  it("asks as another user with all that is said of that one", async () => {
    const extra = { "acme.com/scopes": ["view", "edit"], "50%": ["x"] };
    const { headers } = await open(withUser({ token: "t", as: "ann", "as-user-extra": extra }));
    assert.equal(headers["Impersonate-User"], "ann");
    assert.deepEqual(headers["Impersonate-Extra-acme.com%2Fscopes"], ["view", "edit"]);
    assert.deepEqual(headers["Impersonate-Extra-50%25"], ["x"]);
    for (const wrong of [["a"], { a: "b" }]) {
      const error = await refused("kubeconfig-malformed", () => open(withUser({ as: "ann", "as-user-extra": wrong })));
      assert.match(error.message, /as-user-extra that is no map of lists/);
    }
  });

  it("with an auth-provider that kubectl has dropped is refused", async () => {
    const user = { "auth-provider": { name: "gcp", config: { "cmd-path": "/bin/sh" } } };
    assert.match(
      (await refused("kubeconfig-malformed", () => open(withUser(user)))).message,
      /exec plugin takes its place/,
    );
  });

  describe("with a credential plugin (stand-in: a script)", () => {
    const apiVersion = "client.authentication.k8s.io/v1";
    const plugin = (script: string) => {
      chmodSync(file("plugin", `#!/usr/bin/env node\n${script}`), 0o755);
      return {
        exec: { apiVersion, command: "./plugin", args: ["$(touch x)"], env: [{ name: "PROFILE", value: "dev" }] },
      };
    };
    const run = (user: object) => open(file("config", withUser(user)));

    it("runs it without a shell, with the environment that it needs and no other", async () => {
      process.env.GOOGLE_APPLICATION_CREDENTIALS = "key.json";
      process.env.PULUMI_CONFIG_PASSPHRASE = "hunter2";
      const { headers, expires } = await run(
        plugin(`require("fs").writeFileSync("${dir}/seen", JSON.stringify([process.argv.slice(2), process.env]));
console.log(JSON.stringify({ status: { token: "fresh", expirationTimestamp: "2030-01-01T00:00:00Z" } }));`),
      );
      assert.equal(headers.Authorization, "Bearer fresh");
      assert.ok(expires < Date.parse("2030-01-01T00:00:00Z"));
      const [args, seen] = JSON.parse(readFileSync(join(dir, "seen"), "utf8"));
      assert.deepEqual(args, ["$(touch x)"]);
      assert.deepEqual([seen.PROFILE, seen.GOOGLE_APPLICATION_CREDENTIALS], ["dev", "key.json"]);
      assert.equal(seen.PULUMI_CONFIG_PASSPHRASE, undefined);
      assert.deepEqual(JSON.parse(seen.KUBERNETES_EXEC_INFO), {
        apiVersion,
        kind: "ExecCredential",
        spec: { interactive: false },
      });
    });

    it("tells it about the cluster where the kubeconfig says so, with the certificate of its authority wherever that is", async () => {
      const { exec } = plugin(`require("fs").writeFileSync("${dir}/seen", process.env.KUBERNETES_EXEC_INFO);
console.log(JSON.stringify({ status: { token: "fresh" } }));`);
      file("ca.crt", "authority");
      const data = Buffer.from("authority").toString("base64");
      for (const authority of [{ "certificate-authority": "ca.crt" }, { "certificate-authority-data": data }]) {
        await open(file("config", kubeconfigOf(server, { exec: { ...exec, provideClusterInfo: true } }, authority)));
        assert.deepEqual(JSON.parse(readFileSync(join(dir, "seen"), "utf8")).spec.cluster, {
          server,
          "certificate-authority-data": data,
        });
      }
    });

    it("that is absent says which, and the hint of the kubeconfig", async () => {
      const exec = { apiVersion, command: "gke-gcloud-auth-plugin-absent", installHint: "install\nit" };
      const error = await refused("kubeconfig-exec-missing", () => run({ exec }));
      assert.match(error.message, /"gke-gcloud-auth-plugin-absent".*; install it$/);
    });

    it("that fails is told in its own words, and never by what it printed for the cluster", async () => {
      const failing = plugin('console.log("hunter2"); console.error("login first"); process.exit(3);');
      assert.match((await refused("kubeconfig-exec-failed", () => run(failing))).message, /ended with 3: login first/);
      const error = await refused("kubeconfig-exec-failed", () => run(plugin('console.log("hunter2");')));
      assert.doesNotMatch(error.message, /hunter2/);
    });

    it("that would talk to a person, or of an unknown version, is refused", async () => {
      const { exec } = plugin("");
      await refused("kubeconfig-exec-failed", () => run({ exec: { ...exec, interactiveMode: "Always" } }));
      await refused("kubeconfig-malformed", () => run({ exec: { ...exec, apiVersion: "v1" } }));
      await refused("kubeconfig-malformed", () => run({ exec: { ...exec, args: [1] } }));
    });
  });
});
