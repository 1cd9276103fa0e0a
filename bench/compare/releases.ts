// The five tools as their projects release them, archive or plain file, on a file server of this machine: made of the
// binaries that the local stack has, so that both sides of the comparison take in the same bytes from the same place.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { type Digest, sha256 } from "../../lib/oci/digest";
import { layerImage } from "../../lib/oci/layer";
import { catalogue } from "../../lib/pins/catalogue";
import { startFileServer } from "../../test/support/fileServer";
import { wholePins } from "../../test/support/project";
import { localProgram } from "../../test/support/releaseServer";
import { tarball } from "../../test/support/tarball";

const pack = promisify(gzip);

export interface ToolRelease {
  /** `1.13.2` */
  readonly version: string;
  /** Path on the file server, as on the release's own host. */
  readonly path: string;
  /** Of the file that is downloaded. */
  readonly sha256: Digest;
  /** Of the layer image that the binary becomes. */
  readonly digest: Digest;
}

export interface ReleaseServer {
  /** `127.0.0.1:port`. */
  readonly host: string;
  readonly tools: Readonly<Record<string, ToolRelease>>;
  /** A release one patch later of a tool: the same binary, in which only the version reads otherwise. */
  raised(name: string): Promise<ToolRelease>;
  stop(): Promise<void>;
}

export async function startReleaseServer(): Promise<ReleaseServer> {
  const dir = mkdtempSync(join(tmpdir(), "tool-releases-"));
  const pins = wholePins()["policy-platform:tools"] as Record<string, { version: string }>;
  const released: [string, ToolRelease][] = [];
  for (const [name, { version }] of Object.entries(pins))
    released.push([name, await release(dir, name, version, await localProgram(name))]);
  const server = await startFileServer(dir);
  return {
    host: server.host,
    tools: Object.fromEntries(released),
    raised: async (name) => {
      const { version } = pins[name]!;
      const next = version.replace(/\d+$/, (patch) => String(Number(patch) + 1));
      return release(dir, name, next, withVersion(await localProgram(name), version, next));
    },
    stop: async () => {
      await server.stop();
      rmSync(dir, { recursive: true });
    },
  };
}

async function release(dir: string, name: string, version: string, binary: Buffer): Promise<ToolRelease> {
  const { url, member, path: at } = catalogue[name]!;
  const path = new URL(url(version)).pathname;
  const file =
    member === undefined ? binary : await pack(await tarball({ name: member, mode: 0o755, content: binary }));
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), file);
  const entry = { path: at, executable: true, size: binary.length, open: () => binary };
  return { version, path, sha256: sha256(file), digest: (await layerImage([entry])).digest };
}

/** The binary with `v<from>` read as `v<to>`, which is as long, so that nothing moves. */
function withVersion(binary: Buffer, from: string, to: string): Buffer {
  const [old, next] = [Buffer.from(`v${from}`), Buffer.from(`v${to}`)];
  if (old.length !== next.length) throw new Error(`${from} and ${to} are not of one length`);
  const changed = Buffer.from(binary);
  for (let at = changed.indexOf(old); at >= 0; at = changed.indexOf(old, at + old.length)) next.copy(changed, at);
  return changed;
}
