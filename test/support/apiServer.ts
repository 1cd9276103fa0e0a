// The real API server of Kubernetes with etcd, and the controllers that delete namespaces and owned objects, on free ports, for tests.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cacheFolder } from "../../lib/cache";
import { connectCluster } from "../../lib/kubernetes/client";

export interface ApiServer {
  /** Path of its kubeconfig, with the contexts `admin`, `nobody` (an unknown token) and `weak` (a user without any right). */
  readonly kubeconfig: string;
  readonly dir: string;
  /** While `work` goes on, the server keeps its connections and answers nothing. */
  whileItHangs<T>(work: () => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

/** A program that the toolchain has built or unpacked into the cache folder. */
function program(kind: "programs" | "debian", folder: RegExp, path: string): string | undefined {
  const root = cacheFolder(kind);
  return (existsSync(root) ? readdirSync(root) : [])
    .filter((name) => folder.test(name) && !name.endsWith(".tmp"))
    .map((name) => join(root, name, path))
    .find((file) => existsSync(file));
}

/** The definitions of the kinds of Flux's source-controller, as YAML; from the sources that were built. */
export function sourceDefinitions(name: string): string {
  const file = program("programs", /^source-controller-/, join("crds", `source.toolkit.fluxcd.io_${name}.yaml`));
  assert.ok(file, "the definitions of Flux are not there: `npm run local` builds its controllers");
  return readFileSync(file, "utf8");
}

export async function startApiServer(): Promise<ApiServer> {
  const kubernetes = (name: string) => program("programs", /^kubernetes-/, name);
  const [server, manager] = [kubernetes("kube-apiserver"), kubernetes("kube-controller-manager")];
  const etcd = program("debian", /^etcd-server-/, "usr/bin/etcd") ?? program("programs", /^etcd-/, "etcd");
  assert.ok(server && manager && etcd, "kube-apiserver and etcd are not there: `npm run local` builds them");
  const dir = mkdtempSync(join(tmpdir(), "api-server-"));
  const at = (name: string) => join(dir, name);
  const [etcdPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  writeFileSync(at("key"), privateKey.export({ type: "pkcs1", format: "pem" }));
  writeFileSync(at("tokens.csv"), 'admin-token,admin,admin,"system:masters"\nweak-token,weak,weak\n');
  writeFileSync(at("kubeconfig"), kubeconfig(`https://127.0.0.1:${port}`));
  const running: ChildProcess[] = [];
  const start = (file: string, ...args: string[]) => {
    const child = spawn(file, args, { stdio: "ignore", cwd: dir });
    running.push(child);
    return child;
  };
  const stop = async () => {
    await Promise.all(
      running.map((child) => {
        if (child.exitCode !== null || child.signalCode !== null) return undefined;
        const ended = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGKILL");
        return ended;
      }),
    );
    rmSync(dir, { recursive: true, force: true });
  };
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const peers = `http://127.0.0.1:${peerPort}`;
  start(
    etcd,
    ...["--data-dir", at("etcd"), "--listen-client-urls", etcdUrl, "--advertise-client-urls", etcdUrl],
    ...["--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", `default=${peers}`],
    ...["--unsafe-no-fsync", "--log-level", "error"],
  );
  const api = start(
    server,
    `--etcd-servers=${etcdUrl}`,
    ...[`--service-account-key-file=${at("key")}`, `--service-account-signing-key-file=${at("key")}`],
    ...["--service-account-issuer=https://kubernetes.default.svc", `--token-auth-file=${at("tokens.csv")}`],
    ...[`--secure-port=${port}`, "--bind-address=127.0.0.1", `--cert-dir=${at("certs")}`],
    ...["--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount"],
  );
  try {
    await untilReady(at("kubeconfig"), join(dir, "certs", "apiserver.crt"));
  } catch (error) {
    await stop();
    throw error;
  }
  start(
    manager,
    ...["--controllers=garbage-collector-controller,namespace-controller", "--leader-elect=false", "--secure-port=0"],
    ...[`--service-account-private-key-file=${at("key")}`, `--kubeconfig=${at("kubeconfig")}`],
  );
  const whileItHangs = async <T>(work: () => Promise<T>) => {
    api.kill("SIGSTOP");
    try {
      return await work();
    } finally {
      api.kill("SIGCONT");
    }
  };
  return { kubeconfig: at("kubeconfig"), dir, whileItHangs, stop };
}

function kubeconfig(server: string): string {
  const users = ["admin", "weak", "nobody"];
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "admin",
    clusters: [{ name: "test", cluster: { server, "certificate-authority": "certs/apiserver.crt" } }],
    users: users.map((name) => ({ name, user: { token: `${name}-token` } })),
    contexts: users.map((name) => ({ name, context: { cluster: "test", user: name } })),
  });
}

async function untilReady(path: string, certificate: string): Promise<void> {
  const end = Date.now() + 60_000;
  for (;;) {
    try {
      if (existsSync(certificate)) {
        const client = await connectCluster({ kubeconfig: path });
        await client.version();
        if (await client.get({ apiVersion: "v1", kind: "Namespace", name: "default" })) return;
      }
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    assert.ok(Date.now() < end, "the API server does not start");
    await sleep(150);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
