// The tools of the local stack as their makers release them, archives and plain programs, on a file server of this machine. The
// archives have the makers' form and addresses, not their bytes: nothing here can download those.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { memberIn } from "../../config/catalogued";
import { RegistryClient } from "../../lib/oci/client";
import { readLayerFiles } from "../../lib/oci/layer";
import { parsePinned } from "../../lib/oci/reference";
import { startFileServer } from "./fileServer";
import { wholePins } from "./project";
import { tarball } from "./tarball";

/** Bytes of the largest program, with room. */
const maxProgramBytes = 512 * 1024 * 1024;

export interface ReleaseServer {
  /** Mirrors for a stack file: the server in the place of each host of the addresses. */
  readonly mirrors: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Serves each tool of the local stack at its address, by name. */
export async function startReleaseServer(addresses: Readonly<Record<string, string>>): Promise<ReleaseServer> {
  const dir = mkdtempSync(join(tmpdir(), "releases-"));
  for (const [name, address] of Object.entries(addresses)) {
    const file = join(dir, new URL(address).pathname);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, await released(name, address));
  }
  const server = await startFileServer(dir);
  return {
    mirrors: Object.fromEntries(
      Object.values(addresses).map((address) => [new URL(address).host, `http://${server.host}`]),
    ),
    stop: async () => {
      await server.stop();
      rmSync(dir, { recursive: true });
    },
  };
}

/** The program as it is, or in an archive where the address names one. The same bytes at each run: downloads are kept by checksum. */
async function released(name: string, address: string): Promise<Buffer> {
  const program = await localProgram(name);
  const member = memberIn(name, address);
  if (member === undefined) return program;
  return gzipSync(await tarball({ name: member, mode: 0o755, mtime: new Date(0), content: program }), { level: 1 });
}

/** The program of a tool, out of the layer image that the local stack pins. */
export async function localProgram(name: string): Promise<Buffer> {
  const { digest, ...repository } = parsePinned(wholePins()["policy-platform:tools"][name].image);
  const files = await readLayerFiles(new RegistryClient(), repository, digest, { maxBytes: maxProgramBytes });
  return files.get(`usr/local/bin/${name}`)!;
}
