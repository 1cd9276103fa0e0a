// Random programs of faults between the client and a real registry, and what must hold whatever happens.
import assert from "node:assert/strict";
import fc from "fast-check";
import { PlatformError } from "../../lib/errors";
import { RegistryClient } from "../../lib/oci/client";
import { copyGraph, missingFrom } from "../../lib/oci/copy";
import { layerImage, pushLayerImage, readLayerFiles } from "../../lib/oci/layer";
import type { Limits } from "../../lib/oci/limits";
import { manifestType } from "../../lib/oci/mediaTypes";
import { startRegistry } from "./registry";
import { type RecordedRequest, type ScriptedAnswer, startScriptedServer } from "./scriptedServer";

/** Faults after which another try is bound to succeed. */
export const passingFaults = [
  "reset before",
  "reset after",
  "cut answer",
  "silence",
  "500",
  "502",
  "503",
  "504",
  "408",
  "429",
  "429 with nonsense",
] as const;
/** Faults that may end an operation, but never in a false success. */
export const lyingFaults = [
  "other digest",
  "no digest",
  "other bytes",
  "mount refused",
  "mount answered 202",
  "redirect away",
  "upload away",
  "401",
  "403",
  "404",
  "405",
  "409",
  "507",
] as const;

type Fault = (typeof passingFaults)[number] | (typeof lyingFaults)[number];

/** A fault for the request of each number, counted from where the program begins. */
export type Program = readonly { readonly at: number; readonly fault: Fault }[];

const programOf = (faults: readonly Fault[], maxLength: number) =>
  fc.uniqueArray(fc.record({ at: fc.nat(24), fault: fc.constantFrom(...faults) }), {
    maxLength,
    selector: ({ at }) => at,
  });

const limits: Partial<Limits> = {
  firstWait: 1,
  longestWait: 2,
  totalWait: 5000,
  answerTime: 1000,
  idleTime: 1000,
  commitTime: 1000,
};
const user = { username: "tester", password: "secret" };
const knownCodes = /^(?:registry-|manifest-|blob-missing$)/;

export interface FaultCounts {
  readonly programs: number;
  readonly succeeded: number;
  readonly requests: number;
}

/**
 * Runs `count` programs against push, copy and read. For each: no false success (the image is whole and byte for byte right
 * whenever the client says so), errors of known codes only, no credential to another host, and one plain run after it ends
 * well. Programs of few passing faults must succeed at once.
 */
export async function runFaultPrograms(kind: "passing" | "lying", count: number): Promise<FaultCounts> {
  const registry = await startRegistry({ basic: true });
  const stranger = await startScriptedServer(() => ({ status: 201, body: "stolen" }));
  const proxy = await startScriptedServer(() => "forward", { forwardTo: registry.host });
  const credentials = { find: async (host: string) => (host === stranger.host ? undefined : user) };
  const direct = new RegistryClient({ credentials, limits });
  const counts = { programs: 0, succeeded: 0 };
  let number = 0;

  const run = async (program: Program) => {
    counts.programs++;
    const content = Buffer.from(`content ${++number}`.repeat(50));
    const image = await layerImage([
      { path: "/repos/x/a.yaml", executable: false, size: content.length, open: () => content },
    ]);
    const name = (path: string, host = proxy.host) => ({ registry: host, path: `${path}/p${number}` });
    const begin = proxy.requests.length;
    proxy.answer((request) => {
      const found = program.find(({ at }) => at === request.index - begin);
      return found === undefined ? "forward" : answerOf(found.fault, request, stranger.host);
    });
    const client = new RegistryClient({ credentials, limits });
    const release = async (by: RegistryClient) => {
      await pushLayerImage(by, name("layers"), image);
      await copyGraph(by, { from: name("layers"), to: name("releases"), digest: image.digest });
      await by.putManifest(name("releases"), "v1", image.manifest, manifestType);
      const read = await readLayerFiles(by, name("releases"), image.digest);
      assert.deepEqual([...read], [["repos/x/a.yaml", content]]);
    };
    const whole = async () => {
      const to = name("releases", registry.host);
      assert.deepEqual(await missingFrom(direct, to, image.digest), []);
      assert.equal((await direct.resolve(to, "v1"))?.digest, image.digest);
      assert.deepEqual((await direct.blob(to, image.layer.digest)).length, image.layer.size);
    };
    try {
      await release(client);
      counts.succeeded++;
      await whole();
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      assert.match(error.code, knownCodes);
      assert.equal(kind, "lying", error.message);
    }
    // A tag stands for a whole image or for nothing, at every moment.
    const tagged = await direct.resolve(name("releases", registry.host), "v1");
    if (tagged !== undefined) await whole();
    proxy.answer(() => "forward");
    await release(new RegistryClient({ credentials, limits }));
    await whole();
    for (const { headers } of stranger.requests) assert.equal(headers.authorization, undefined);
  };

  try {
    // At most four: each operation is tried five times.
    const programs =
      kind === "passing" ? programOf(passingFaults, 4) : programOf([...passingFaults, ...lyingFaults], 8);
    await fc.assert(fc.asyncProperty(programs, run), { numRuns: count, endOnFailure: true });
    return { ...counts, requests: proxy.requests.length };
  } finally {
    await Promise.all([registry.stop(), stranger.stop(), proxy.stop()]);
  }
}

function answerOf(fault: Fault, { method }: RecordedRequest, stranger: string): ScriptedAnswer | "forward" {
  const reading = method === "GET" || method === "HEAD";
  switch (fault) {
    case "reset before":
      return { reset: true };
    case "reset after":
      return { forward: true, reset: true };
    case "cut answer":
      // Of its true length: an answer that announces another one lies.
      return { forward: true, cutAfter: 10 };
    case "silence":
      return { reset: true, delay: 30 };
    case "429":
      return { status: 429, headers: { "retry-after": "0" } };
    case "429 with nonsense":
      return { status: 429, headers: { "retry-after": "35.852µs" } };
    case "other digest":
      return { forward: true, headers: { "docker-content-digest": `sha256:${"0".repeat(64)}` } };
    case "no digest":
      return { forward: true, headers: { "docker-content-digest": "" } };
    case "other bytes":
      return method === "GET" ? { forward: true, body: "x", headers: { "content-length": "1" } } : "forward";
    case "mount refused":
      return method === "POST" ? { status: 404 } : "forward";
    case "mount answered 202":
      return method === "POST" ? { status: 202, headers: { location: "/v2/nowhere/blobs/uploads/1" } } : "forward";
    case "redirect away":
      return reading ? { status: 307, headers: { location: `http://${stranger}/away` } } : "forward";
    case "upload away":
      return method === "POST" ? { status: 202, headers: { location: `http://${stranger}/upload` } } : "forward";
    default:
      return { status: Number(fault) };
  }
}
