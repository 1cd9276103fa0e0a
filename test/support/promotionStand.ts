// What tests of promotions stand on: two real registries behind scripted proxies, releases without a build in the one, and
// stacks that promote them to the other.
import { RegistryClient } from "../../lib/oci/client";
import { type Digest, shortDigest } from "../../lib/oci/digest";
import { parseRepository, type Repository } from "../../lib/oci/reference";
import { startRegistry, type TestRegistry } from "./registry";
import { type ImageContent, pushWholeRelease, tagAs, type WholeRelease } from "./releasedImage";
import { quickLimits } from "./scriptedRegistry";
import { type RecordedRequest, type Script, type ScriptedServer, startScriptedServer } from "./scriptedServer";
import { PromotingStack, type Promotion } from "./standInEngine";

/** A release and the version that it has in its source. */
export type Released = Pick<WholeRelease, "digest"> & { readonly version: string };

export interface PromotionStand {
  readonly source: ScriptedServer;
  readonly target: ScriptedServer;
  /** Host of the target without the proxy. */
  readonly behind: string;
  /** Speaks to both, and waits for milliseconds only. */
  readonly client: RegistryClient;
  /** A source and a target that nobody used before; `source`: the registry that the source is in. Default the other one. */
  fresh(source?: ScriptedServer): PromotionPlace;
  /** One script for both; default: everything passes. */
  answer(script?: Script): void;
  stop(): Promise<void>;
}

export interface PromotionPlace {
  /** Repository of the releases of the source, `host/path`. */
  readonly from: string;
  readonly there: Repository;
  readonly here: Repository;
  readonly stack: PromotingStack;
  /** Releases an image in the source, as a stack that builds does: version, commit, latest. */
  release(version: string, content: ImageContent): Promise<WholeRelease & Released>;
  /** What `policy-platform promote` writes. */
  promotionOf(released: Released, rollback?: boolean): Promotion;
  /** What a tag names in the target. */
  digestAt(tag: string): Promise<Digest | undefined>;
}

export async function startPromotionStand(): Promise<PromotionStand> {
  const registries = await Promise.all([startRegistry(), startRegistry()]);
  const [source, target] = (await Promise.all(
    registries.map(({ host }) => startScriptedServer(() => "forward", { forwardTo: host })),
  )) as [ScriptedServer, ScriptedServer];
  const client = quickClient();
  let count = 0;
  return {
    source,
    target,
    behind: (registries[1] as TestRegistry).host,
    client,
    fresh: (host = source) =>
      placeOf(client, `${host.host}/releases/source-${++count}`, new PromotingStack(target.host, `target-${count}`)),
    answer: (script = () => "forward") => {
      for (const server of [source, target]) server.answer(script);
    },
    stop: async () => void (await Promise.all([source, target, ...registries].map((server) => server.stop()))),
  };
}

/** A place of these two; several stacks may promote from one source, and to one target. */
export function placeOf(client: RegistryClient, from: string, stack: PromotingStack): PromotionPlace {
  const [there, here] = [parseRepository(from), parseRepository(stack.to)];
  return {
    from,
    there,
    here,
    stack,
    async release(version, content) {
      const found = await pushWholeRelease(client, there, content, version, "latest");
      await tagAs(client, there, found.digest, tagOf(found));
      return { version, ...found };
    },
    promotionOf: ({ version, digest }, rollback = false) => ({
      from,
      version,
      digest,
      commit: shortDigest(digest),
      rollback,
    }),
    digestAt: async (tag) => (await client.resolve(here, tag))?.digest,
  };
}

/** Its tag of a commit. */
export function tagOf({ digest }: Pick<Released, "digest">): string {
  return `sha-${shortDigest(digest)}`;
}

/** A client that knows no registry yet: challenges are remembered. */
export function quickClient(): RegistryClient {
  return new RegistryClient({ limits: quickLimits });
}

/** True for a request that could write. */
export function isWrite({ method }: Pick<RecordedRequest, "method">): boolean {
  return method !== "GET" && method !== "HEAD";
}

/** The tag that a request writes. */
export function tagWritten({ method, path }: Pick<RecordedRequest, "method" | "path">): string | undefined {
  return method === "PUT" ? /\/manifests\/([^/:]+)$/.exec(path)?.[1] : undefined;
}

/** `PUT /v2/…` of all that could write, in order, from request number `start` on. */
export function writesOf({ requests }: ScriptedServer, start: number): string[] {
  return requests
    .slice(start)
    .filter(isWrite)
    .map(({ method, path }) => `${method} ${path}`);
}
