// Answers of a registry, written by hand: for scripted servers that lie, cut, redirect and throttle.
import { createHash } from "node:crypto";
import type { Limits } from "../../lib/oci/limits";
import type { ScriptedAnswer } from "./scriptedServer";

/** Waits of milliseconds and bounds of kilobytes, so that every bound is reached in no time. */
export const quickLimits: Partial<Limits> = {
  firstWait: 2,
  longestWait: 4,
  totalWait: 500,
  answerTime: 2000,
  idleTime: 2000,
  commitTime: 2000,
};

export const digestOf = (bytes: string | Uint8Array): `sha256:${string}` =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

export const notFound: ScriptedAnswer = {
  status: 404,
  body: '{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}',
};

/** A manifest's answer with the headers of an honest registry. */
export function manifestAnswer(document: unknown, headers: Record<string, string> = {}): ScriptedAnswer {
  const body = JSON.stringify(document);
  const type = "application/vnd.oci.image.manifest.v1+json";
  return { body, headers: { "content-type": type, "docker-content-digest": digestOf(body), ...headers } };
}

/** The smallest manifest that can be read. */
export const emptyManifest = {
  schemaVersion: 2,
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf("{}"), size: 2 },
  layers: [],
};
