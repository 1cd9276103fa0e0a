// Which kinds a cluster serves. What is there is remembered, what is not is asked for again: its controller may just be starting.
import { isRecord } from "../record";
import { kindUnserved, malformed, refusal } from "./errors";
import { groupOf, type ServedKind, type Status } from "./objects";
import type { ApiAnswer } from "./request";

/** A GET of the path. */
export type Look = (path: string, signal?: AbortSignal) => Promise<ApiAnswer>;

/** `/api/v1`, `/apis/source.toolkit.fluxcd.io/v1`. */
export function pathOf(apiVersion: string): string {
  const parts = apiVersion.split("/").map(encodeURIComponent);
  return `/${parts.length === 1 ? "api" : "apis"}/${parts.join("/")}`;
}

export class Discovery {
  readonly #known = new Map<string, ReadonlyMap<string, ServedKind>>();

  constructor(
    readonly server: string,
    readonly look: Look,
  ) {}

  /** How `kind` is served; undefined where it is not. */
  async find(apiVersion: string, kind: string, signal?: AbortSignal): Promise<ServedKind | undefined> {
    const known = this.#known.get(apiVersion)?.get(kind);
    if (known) return known;
    const path = pathOf(apiVersion);
    const answer = await this.look(path, signal);
    if (answer.status === 404) return undefined;
    const asked = { server: this.server, method: "GET", path };
    if (answer.status !== 200) throw refusal(asked, answer.status, statusOf(answer.body));
    const { resources } = isRecord(answer.body) ? answer.body : {};
    if (!Array.isArray(resources)) throw malformed(asked, "no list of resources");
    const kinds = new Map(resources.flatMap(served));
    this.#known.set(apiVersion, kinds);
    return kinds.get(kind);
  }

  /** Like {@link find}; a kind that is not served is an error, which names the controller to install. */
  async need(apiVersion: string, kind: string, signal?: AbortSignal): Promise<ServedKind> {
    const found = await this.find(apiVersion, kind, signal);
    if (found) return found;
    throw kindUnserved(this.server, apiVersion, kind, await this.versions(groupOf(apiVersion), signal));
  }

  /** The versions that are served of a group, as `apiVersion`s; none where the group is not served. */
  async versions(group: string, signal?: AbortSignal): Promise<string[]> {
    if (group === "") return ["v1"];
    const { status, body } = await this.look(`/apis/${encodeURIComponent(group)}`, signal);
    const versions = status === 200 && isRecord(body) && Array.isArray(body.versions) ? body.versions : [];
    return versions.flatMap((one: unknown) =>
      isRecord(one) && typeof one.groupVersion === "string" ? [one.groupVersion] : [],
    );
  }

  /** After an answer that a kind's path is not there. */
  forget(apiVersion: string): void {
    this.#known.delete(apiVersion);
  }
}

function served(resource: unknown): [string, ServedKind][] {
  if (!isRecord(resource)) return [];
  const { name, kind, namespaced, verbs } = resource;
  // `pods/status` is a part of another resource.
  if (typeof name !== "string" || typeof kind !== "string" || !/^[a-z0-9.-]+$/.test(name)) return [];
  return [
    [kind, { plural: name, namespaced: namespaced === true, verbs: Array.isArray(verbs) ? verbs.map(String) : [] }],
  ];
}

/** The Status document of a refusal, if it is one. */
export function statusOf(body: unknown): Status | undefined {
  if (!isRecord(body) || body.kind !== "Status") return undefined;
  const { code, reason, message, details } = body;
  const causes =
    isRecord(details) && Array.isArray(details.causes) ? details.causes.filter(isRecord).slice(0, 100) : [];
  const text = (value: unknown) => (typeof value === "string" ? value.slice(0, 16_384) : undefined);
  return {
    code: typeof code === "number" ? code : undefined,
    reason: text(reason),
    message: text(message),
    ...(isRecord(details)
      ? {
          details: {
            name: text(details.name),
            kind: text(details.kind),
            causes: causes.map((one) => ({
              reason: text(one.reason),
              message: text(one.message),
              field: text(one.field),
            })),
          },
        }
      : {}),
  };
}
