// A stand-in of a cluster with Flux and Kyverno: an API server that keeps objects in memory, and two controllers that do what a test
// tells them. It knows what a delivery asks: discovery, get, list, one annotation, and the dry run of an apply.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { json, kubeconfigOf, notFound } from "./scriptedCluster";
import type { ScriptedAnswer } from "./scriptedServer";

const resources: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "source.toolkit.fluxcd.io/v1": { OCIRepository: "ocirepositories" },
  "kustomize.toolkit.fluxcd.io/v1": { Kustomization: "kustomizations" },
  "kyverno.io/v1": { ClusterPolicy: "clusterpolicies", Policy: "policies" },
};

const clusterWide: ReadonlySet<string> = new Set(["ClusterPolicy"]);

export interface StandInRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly body: string;
}

export interface StandInCluster {
  readonly kubeconfig: string;
  /** Requests beyond discovery. */
  lines(): string[];
  object(kind: string, name: string): any;
  put(object: any): void;
  remove(kind: string, name: string): void;
  /** Takes the kinds of an API version away, or gives them back. */
  serve(apiVersion: string, isServed: boolean): void;
  /** What controllers do when an annotation asks for it: `(kind) => …` changes objects. Default: nothing. */
  onRequest(work: (kind: string) => void): void;
  /** Answers before everything else where it gives an answer. */
  answer(script: (request: StandInRequest) => ScriptedAnswer | undefined): void;
  stop(): Promise<void>;
}

export async function startStandInCluster(): Promise<StandInCluster> {
  const objects = new Map<string, any>();
  const unserved = new Set<string>();
  let work: (kind: string) => void = () => undefined;
  let script: (request: StandInRequest) => ScriptedAnswer | undefined = () => undefined;
  const keyOf = (kind: string, name: string) => `${kind}/${name}`;

  const lines: string[] = [];
  const answerTo = (request: StandInRequest): ScriptedAnswer => {
    const scripted = script(request);
    if (scripted) return scripted;
    const [path, query = ""] = request.path.split("?") as [string, string?];
    const group = /^\/apis\/([^/]+)(?:\/([^/]+))?(?:\/namespaces\/[^/]+)?(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(path);
    const [, name = "", version, plural, object] = group ?? [];
    const apiVersion = `${name}/${version}`;
    const kinds = unserved.has(apiVersion) ? undefined : resources[apiVersion];
    if (version === undefined) {
      const served = Object.keys(resources).filter((one) => one.startsWith(`${name}/`) && !unserved.has(one));
      if (served.length === 0) return { status: 404, body: "404 page not found\n" };
      return json({ kind: "APIGroup", versions: served.map((groupVersion) => ({ groupVersion })) });
    }
    if (!kinds) return { status: 404, body: "404 page not found\n" };
    if (plural === undefined) {
      const list = Object.entries(kinds).map(([kind, plural]) => ({
        ...{ kind, name: plural, namespaced: !clusterWide.has(kind), verbs: ["get", "list", "patch"] },
      }));
      return json({ kind: "APIResourceList", resources: list });
    }
    const kind = Object.entries(kinds).find(([, one]) => one === plural)![0];
    if (object === undefined) {
      const items = [...objects.values()].filter((one) => one.kind === kind);
      return json({ kind: `${kind}List`, apiVersion, metadata: {}, items });
    }
    const found = objects.get(keyOf(kind, object));
    if (request.method === "GET") return found ? json(found) : notFound(object);
    const patch = JSON.parse(request.body);
    if (query.includes("dryRun=All")) return json(applied(found, patch));
    if (!found) return notFound(object);
    found.metadata = {
      ...found.metadata,
      annotations: { ...found.metadata.annotations, ...patch.metadata.annotations },
    };
    work(kind);
    return json(found);
  };
  const server = createServer(async (incoming, outgoing) => {
    const request = { method: incoming.method!, path: incoming.url!, body: await text(incoming) };
    lines.push(`${request.method} ${request.path}`);
    const { status = 200, headers = {}, body = "", delay } = answerTo(request);
    if (delay !== undefined) await sleep(delay, undefined, { ref: false });
    outgoing.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    kubeconfig: kubeconfigOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    lines: () => lines.filter((line) => !/^GET \/apis\/[^/]+(\/[^/]+)?$/.test(line)),
    object: (kind, name) => objects.get(keyOf(kind, name)),
    put: (object) => void objects.set(keyOf(object.kind, object.metadata.name), structuredClone(object)),
    remove: (kind, name) => void objects.delete(keyOf(kind, name)),
    serve: (apiVersion, isServed) => void (isServed ? unserved.delete(apiVersion) : unserved.add(apiVersion)),
    onRequest: (next) => {
      work = next;
    },
    answer: (next) => {
      script = next;
    },
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
}

/** As an API server applies for Flux: the defaults of the kind, and over what others wrote lies the document. */
function applied(found: any, document: any): any {
  const spec = { background: true, ...(found ? { ...found.spec } : {}), ...document.spec };
  return { ...document, metadata: { ...found?.metadata, ...document.metadata }, spec };
}
