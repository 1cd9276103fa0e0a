// One object of a cluster: checked, compared, applied from the server's side, waited for, read, deleted.
import { messageOf, PlatformError } from "../../../lib/errors";
import type { ClusterClient } from "../../../lib/kubernetes/client";
import { ClusterError, isNotKnownNow } from "../../../lib/kubernetes/errors";
import type { KubernetesObject } from "../../../lib/kubernetes/objects";
import {
  type CheckResult,
  containsUnknown,
  isValues,
  type ResourceContext,
  type ResourceHandler,
  Unfinished,
  unwrapSecrets,
  type Values,
} from "../../../provider/host";
import { annotation, propagation, waitingTime } from "./annotations";
import { applied, isMadeByResource, isManagedBy, ownManager, relinquish } from "./apply";
import { checkObject } from "./check";
import { parseWaitFor } from "./conditions";
import { cluster, settings } from "./configure";
import { diffObject } from "./diff";
import { alreadyThere, madeByAnotherProvider, withoutSecrets } from "./failures";
import { declared, idOf, imported, type Kept, objectOf, outputsOf, previewOf, referenceOf } from "./state";
import { NotReady, untilGone, untilReady } from "./waiting";

/** A kind, as its token names it. */
export interface ObjectType {
  readonly apiVersion: string;
  readonly kind: string;
}

/** `kubernetes:core/v1:Secret`, `kubernetes:source.toolkit.fluxcd.io/v1:OCIRepository`; undefined for other forms. */
export function resourceOf(token: string): ResourceHandler | undefined {
  const [, group, version, kind] = /^kubernetes:([a-z0-9.-]+)\/(v[a-z0-9]+):([A-Z][A-Za-z0-9]*)$/.exec(token) ?? [];
  if (!group || !version || !kind || kind.endsWith("List") || kind.endsWith("Patch")) return undefined;
  return handlerOf({ apiVersion: group === "core" ? version : `${group}/${version}`, kind });
}

function handlerOf(type: ObjectType): ResourceHandler {
  return {
    check: (_context, _olds, news): Promise<CheckResult> => checkObject(type, news),
    async diff(_context, _id, oldInputs, _oldOutputs, newInputs) {
      return diffObject(oldInputs, newInputs, settings());
    },
    async create(context, inputs) {
      const fieldManager = managerOf(context, {}, inputs);
      const made = await write(context, inputs, { inputs, initialApiVersion: type.apiVersion, fieldManager }, true);
      return made ?? { id: "", outputs: inputs };
    },
    async update(context, id, _oldInputs, oldOutputs, newInputs) {
      const old = text(oldOutputs.__fieldManager);
      const fieldManager = managerOf(context, oldOutputs, newInputs);
      const initialApiVersion = text(oldOutputs.__initialApiVersion) ?? type.apiVersion;
      const kept = { inputs: newInputs, initialApiVersion, fieldManager };
      const made = await write(context, newInputs, kept, false);
      if (made && old !== undefined && old !== fieldManager && !context.preview)
        await relinquish(await cluster(), referenceOf(id, type), old, context.signal);
      return made?.outputs ?? newInputs;
    },
    async read(context, id, inputs, outputs) {
      const live = await unlessGone(() => look(context, id, type));
      if (!live) return undefined;
      const initialApiVersion = text(outputs.__initialApiVersion) ?? type.apiVersion;
      const now = Object.keys(inputs).length > 0 ? declared(live, inputs) : imported(live);
      const fieldManager = managerOf(context, outputs, now);
      return { id, inputs: now, outputs: outputsOf(live, { inputs: now, initialApiVersion, fieldManager }) };
    },
    async delete(context, id, outputs) {
      await unlessGone(() => remove(context, id, type, outputs));
    },
  };
}

/** Applies and waits. Undefined for a preview that the cluster cannot give yet; the reason is said, where it is one to know. */
async function write(
  context: ResourceContext,
  inputs: Values,
  kept: Kept,
  isNew: boolean,
): Promise<{ id: string; outputs: Values } | undefined> {
  if (containsUnknown(inputs)) {
    if (context.preview) return undefined;
    throw new Error("an update was asked for with unknown inputs");
  }
  try {
    const client = await cluster();
    const object = objectOf(inputs);
    if (isNew) await refuseForeign(context, client, object, kept.fieldManager);
    const live = await applied(client, context, object, { ...kept, isNew });
    const outputs = outputsOf(live, kept);
    if (context.preview) return { id: isNew ? "" : idOf(live), outputs: previewOf(outputs) };
    return { id: idOf(live), outputs: outputsOf(await ready(client, context, live, inputs, kept), kept) };
  } catch (error) {
    const failure = withoutSecrets(error, inputs);
    if (!context.preview || !isForLater(failure)) throw failure;
    if (!isExpected(failure)) context.warn(`no preview from the cluster: ${messageOf(failure)}`);
    return undefined;
  }
}

async function ready(
  client: ClusterClient,
  context: ResourceContext,
  live: KubernetesObject,
  inputs: Values,
  kept: Kept,
): Promise<KubernetesObject> {
  const wanted = annotation(inputs, "waitFor");
  if (wanted === undefined || annotation(inputs, "skipAwait") === "true") return live;
  try {
    return await untilReady(client, context, live, parseWaitFor(wanted), waitingTime(inputs, context.timeoutSeconds));
  } catch (error) {
    if (!(error instanceof NotReady)) throw error;
    const reason = messageOf(withoutSecrets(error.cause, inputs));
    throw new Unfinished(idOf(live), outputsOf(error.live, kept), inputs, reason);
  }
}

/** What a stack creates is not there yet, unless an interrupted run of this very resource and provider has made it. */
async function refuseForeign(
  context: ResourceContext,
  client: ClusterClient,
  object: KubernetesObject,
  fieldManager: string,
): Promise<void> {
  if (settings().upsert) return;
  const { apiVersion, kind, metadata } = object;
  const live = await client.get(
    { apiVersion, kind, name: metadata.name, namespace: metadata.namespace },
    { signal: context.signal },
  );
  if (!live || isManagedBy(live, fieldManager)) return;
  const isSibling = isMadeByResource(live, context.urn);
  const foreign = isSibling ? madeByAnotherProvider(live, context.urn) : alreadyThere(live, context.urn);
  // A replacement is previewed while the old object is still there, and one of the official plugin's has a name of its making.
  const isPulumis = live.metadata.managedFields?.some(({ manager }) => manager?.startsWith("pulumi-kubernetes"));
  if (!context.preview || !isPulumis) throw foreign;
  context.warn(foreign.message);
}

async function look(context: ResourceContext, id: string, type: ObjectType): Promise<KubernetesObject | undefined> {
  return (await cluster()).get(referenceOf(id, type), { signal: context.signal });
}

async function remove(context: ResourceContext, id: string, type: ObjectType, outputs: Values): Promise<void> {
  const client = await cluster();
  const reference = referenceOf(id, type);
  const inputs = (unwrapSecrets(outputs).__inputs ?? {}) as Values;
  const { signal } = context;
  const live = await client.get(reference, { signal });
  if (!live) return;
  if (isAnother(live, unwrapSecrets(outputs))) {
    context.warn(`${type.kind} ${id} stays in the cluster: it is not the one that this stack had made, which is gone`);
    return;
  }
  const { uid } = live.metadata;
  if (!(await client.delete(reference, { propagation: propagation(inputs), uid, signal }))) return;
  if (type.kind === "Namespace" && annotation(inputs, "skipAwait") === "true") return;
  await untilGone(client, context, reference, uid, waitingTime(inputs, context.timeoutSeconds));
}

/** Whether somebody else has made an object anew under the name of the state's. */
function isAnother(live: KubernetesObject, { metadata, __fieldManager }: Values): boolean {
  const uid = isValues(metadata) ? metadata.uid : undefined;
  return typeof uid === "string" && uid !== live.metadata.uid && !isManagedBy(live, String(__fieldManager));
}

/** A kind that is not served any more has taken its objects along; a cluster that is gone may have, if the user says so. */
async function unlessGone<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    if (error.code === "kind-unserved") return undefined;
    if (error.code === "cluster-unreachable" && settings().deleteUnreachable) return undefined;
    throw error;
  }
}

/** What a preview may not be stopped by: a cluster that cannot be asked never blocks a release, and a kind may be on its way. */
function isForLater(error: unknown): boolean {
  return (
    isNotKnownNow(error) || (error instanceof PlatformError && error.code === "kind-unserved") || isExpected(error)
  );
}

/** A namespace that the same update makes, and what a replacement changes although it cannot be changed in place. */
function isExpected(error: unknown): boolean {
  if (!(error instanceof ClusterError)) return false;
  const { code, message = "", details } = error.status ?? {};
  return (code === 404 && details?.kind === "namespaces") || (code === 422 && message.includes("field is immutable"));
}

/** As in the official plugin: the annotation, then what made the object, then a name of its own, here always the same for one resource. */
function managerOf({ urn }: ResourceContext, outputs: Values, inputs: Values): string {
  return annotation(inputs, "patchFieldManager") ?? text(outputs.__fieldManager) ?? ownManager(urn);
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
