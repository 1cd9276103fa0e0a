// Run as a process of its own: moves one large layer and prints how much memory that took beyond the idle process.
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { RegistryClient } from "../../lib/oci/client";
import { copyGraph } from "../../lib/oci/copy";
import { type Digest, shortDigest } from "../../lib/oci/digest";
import { fileLayerImage, pushLayerImage } from "../../lib/oci/layer";
import { pushWholeRelease, tagAs } from "./releasedImage";
import { PromotingStack } from "./standInEngine";

/** What the probe prints, as JSON: bytes beyond the idle process at the worst moment of each act. */
export interface MemoryReport {
  readonly file: number;
  readonly layer: number;
  readonly copy: number;
  /** A whole promotion of a release with this layer as a tool, over one with other policies. */
  readonly promotion: number;
}

async function probe(from: string, to: string, size: number): Promise<MemoryReport> {
  const dir = mkdtempSync(join(tmpdir(), "memory-"));
  try {
    const path = join(dir, "blob");
    // Never the same twice, so that no registry has it already.
    let seed = randomBytes(32);
    const chunks = function* () {
      for (let left = size; left > 0; left -= 65_536) {
        seed = Buffer.from(createHash("sha256").update(seed).digest());
        yield Buffer.alloc(Math.min(65_536, left), seed);
      }
    };
    await pipeline(Readable.from(chunks()), createWriteStream(path));
    const client = new RegistryClient();
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path)) hash.update(chunk);
    const descriptor = { digest: `sha256:${hash.digest("hex")}` as Digest, size: statSync(path).size };
    const source = { registry: from, path: "memory/source" };

    await client.pushBlob(
      source,
      { digest: "sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb", size: 1 },
      { bytes: Buffer.from("a") },
    );
    const file = await peak(() => client.pushBlob(source, descriptor, { file: path }));
    const image = await fileLayerImage(path, { at: "/usr/local/bin/tool" });
    const layer = await peak(() => pushLayerImage(client, source, image));
    const copy = await peak(() =>
      copyGraph(client, { from: source, to: { registry: to, path: "memory/target" }, digest: image.digest }),
    );
    const releases = { registry: from, path: "memory/releases" };
    await client.pushBlob(
      releases,
      image.layer,
      { stream: () => client.blobStream(source, image.layer.digest) },
      { mountFrom: source },
    );
    const stack = new PromotingStack(to);
    const promote = async (version: string) => {
      const policies = { p: { "a.yaml": version } };
      const content = { tools: { tool: "1.0.0" }, policies, forged: { tool: image.layer } };
      const { digest } = await pushWholeRelease(client, releases, content, version);
      const commit = shortDigest(digest);
      await tagAs(client, releases, digest, `sha-${commit}`);
      return peak(() => stack.up({ from: `${from}/memory/releases`, version, digest, commit }));
    };
    const promotion = Math.max(await promote("v1.0.0"), await promote("v1.1.0"));
    return { file, layer, copy, promotion };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** The highest resident size during `act` beyond what it was before. */
async function peak(act: () => Promise<unknown>): Promise<number> {
  const idle = process.memoryUsage.rss();
  let highest = idle;
  const timer = setInterval(() => {
    highest = Math.max(highest, process.memoryUsage.rss());
  }, 2);
  try {
    await act();
  } finally {
    clearInterval(timer);
  }
  return highest - idle;
}

const [from, to, size] = process.argv.slice(2);
if (from !== undefined && to !== undefined) {
  probe(from, to, Number(size)).then(
    (report) => console.log(JSON.stringify(report)),
    (error) => {
      console.error(error);
      process.exitCode = 1;
    },
  );
}
