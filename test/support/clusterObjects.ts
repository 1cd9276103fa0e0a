// Objects for tests of the closed-network plugin `kubernetes`, and the real API server that they are written to.
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import { type ClusterClient, connectCluster } from "../../lib/kubernetes/client";
import type { KubernetesObject } from "../../lib/kubernetes/objects";
import { configure } from "../../local/plugins/kubernetes/configure";
import { resourceOf } from "../../local/plugins/kubernetes/resource";
import type { ResourceContext, ResourceHandler, Values } from "../../provider/host";
import { type ApiServer, sourceDefinitions, startApiServer } from "./apiServer";
import { resourceContext } from "./resourceContext";

export interface ObjectStand {
  readonly server: ApiServer;
  readonly client: ClusterClient;
  /** What handlers have warned of since the last `use`. */
  readonly warnings: readonly string[];
  /** Configures the provider anew; `id` is its own in the state. */
  use(more?: Values, id?: string): void;
  /** The context of a resource of this name. */
  context(name: string, more?: Partial<ResourceContext>): ResourceContext;
  /** Changes a source in `default` behind the back of its stack. */
  edit(name: string, patch: object, fieldManager?: string): Promise<KubernetesObject>;
  stop(): Promise<void>;
}

export const sourceType = { apiVersion: "source.toolkit.fluxcd.io/v1", kind: "OCIRepository" };
export const namespaces = handler("kubernetes:core/v1:Namespace");
export const secrets = handler("kubernetes:core/v1:Secret");
export const sources = handler("kubernetes:source.toolkit.fluxcd.io/v1:OCIRepository");
export const inPreview = { preview: true };

/** An OCIRepository in the namespace `default`. */
export function source(name: string, spec: Values = {}, metadata: Values = {}): Values {
  return {
    ...sourceType,
    metadata: { name, namespace: "default", ...metadata },
    spec: { url: "oci://127.0.0.1:5000/releases", interval: "10m", suspend: false, ...spec },
  };
}

export function handler(token: string): ResourceHandler {
  const found = resourceOf(token);
  if (!found) throw new Error(`no handler for ${token}`);
  return found;
}

/** Starts the API server, and gives it Flux's definition of an OCIRepository. */
export async function startObjectStand(): Promise<ObjectStand> {
  const server = await startApiServer();
  const client = await connectCluster({ kubeconfig: server.kubeconfig });
  await client.apply(parse(sourceDefinitions("ocirepositories")) as KubernetesObject, { fieldManager: "test" });
  while (!(await client.served(sourceType.apiVersion, sourceType.kind))) await sleep(50);
  const warnings: string[] = [];
  return {
    server,
    client,
    warnings,
    use(more = {}, id) {
      warnings.length = 0;
      configure({ kubeconfig: server.kubeconfig, ...more }, new AbortController().signal, id);
    },
    context: (name, more = {}) =>
      resourceContext({
        urn: `urn:pulumi:dev::policy-platform::kubernetes:x/v1:X::${name}`,
        warn: (text) => warnings.push(text),
        ...more,
      }),
    edit: (name, patch, fieldManager = "kubectl-edit") =>
      client.mergePatch({ ...sourceType, name, namespace: "default" }, patch, { fieldManager }),
    stop: () => server.stop(),
  };
}
