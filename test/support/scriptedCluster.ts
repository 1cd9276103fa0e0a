// A stand-in of a Kubernetes API server: it serves a few kinds and answers what a test's script says.
import { type RecordedRequest, type ScriptedAnswer, type ScriptedServer, startScriptedServer } from "./scriptedServer";

export interface ScriptedCluster {
  readonly server: ScriptedServer;
  /** A kubeconfig of the server as text. */
  readonly kubeconfig: string;
  /** Replaces what is answered beyond discovery. */
  answer(script: ClusterScript): void;
  /** The requests beyond discovery, as `PATCH /path?query`. */
  lines(): string[];
  stop(): Promise<void>;
}

export type ClusterScript = (request: RecordedRequest) => ScriptedAnswer | Promise<ScriptedAnswer>;

const served: Readonly<Record<string, readonly object[]>> = {
  "/api/v1": [
    { name: "namespaces", kind: "Namespace", namespaced: false, verbs: ["get", "list", "patch", "delete"] },
    { name: "namespaces/status", kind: "Namespace", namespaced: false, verbs: ["get"] },
    { name: "secrets", kind: "Secret", namespaced: true, verbs: ["get", "list", "patch", "delete"] },
    { name: "configmaps", kind: "ConfigMap", namespaced: true, verbs: ["get", "list", "patch", "delete"] },
  ],
  "/apis/source.toolkit.fluxcd.io/v1": [
    { name: "ocirepositories", kind: "OCIRepository", namespaced: true, verbs: ["get", "list", "patch", "delete"] },
  ],
};

export async function startScriptedCluster(script: ClusterScript = () => notFound("x")): Promise<ScriptedCluster> {
  let current = script;
  const server = await startScriptedServer((request) => {
    const [path] = request.path.split("?");
    const resources = served[path!];
    if (resources) return json({ kind: "APIResourceList", resources });
    if (path === "/apis/source.toolkit.fluxcd.io")
      return json({ kind: "APIGroup", versions: [{ groupVersion: "source.toolkit.fluxcd.io/v1", version: "v1" }] });
    if (/^\/apis\/[^/]+(\/[^/]+)?$/.test(path!)) return { status: 404, body: "404 page not found\n" };
    return current(request);
  });
  return {
    server,
    kubeconfig: kubeconfigOf(`http://${server.host}`),
    answer: (next) => {
      current = next;
    },
    lines: () => server.lines().filter((line) => !/^GET \/(api\/v1|apis\/[^/]+(\/[^/]+)?)$/.test(line)),
    stop: () => server.stop(),
  };
}

/** A kubeconfig with one context `dev`. */
export function kubeconfigOf(server: string, user: object = { token: "stand-in-token" }, cluster: object = {}): string {
  return JSON.stringify({
    "current-context": "dev",
    clusters: [{ name: "c", cluster: { server, ...cluster } }],
    users: [{ name: "u", user }],
    contexts: [{ name: "dev", context: { cluster: "c", user: "u" } }],
  });
}

export function json(body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): ScriptedAnswer {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) };
}

export function notFound(name: string): ScriptedAnswer {
  return refusedWith(404, "NotFound", `"${name}" not found`, { name });
}

/** An answer with the API's Status document. */
export function refusedWith(code: number, reason: string, message: string, details: object = {}): ScriptedAnswer {
  return json({ kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message, details }, code);
}
