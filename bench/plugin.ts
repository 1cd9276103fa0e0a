// A plugin's start until it prints its port, and its end when the engine has no more work: both are paid at every command.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { credentials } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { type Figure, median, seconds, timed } from "./figure";

const rounds = 9;
const allowedStart = 0.2;
const allowedEnd = 0.1;
const dist = join(__dirname, "..", "dist");
const plugins = {
  policychain: join(dist, "policychain/pulumi-resource-policychain"),
  docker: join(dist, "plugins/docker/pulumi-resource-docker"),
};

export async function measure(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [name, program] of Object.entries(plugins)) {
    const starts: number[] = [];
    const ends: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      const { start, end } = await startAndCancel(program);
      if (round === 0) continue; // warms the file cache
      starts.push(start);
      ends.push(end);
    }
    figures.push(
      {
        what: `plugin ${name}: start until its port`,
        goal: `≤ ${allowedStart} s`,
        measured: `${seconds(starts)}, ${rounds} rounds`,
        met: median(starts) <= allowedStart,
      },
      {
        what: `plugin ${name}: idle, from Cancel until it is gone`,
        goal: `≤ ${allowedEnd} s`,
        measured: `${seconds(ends)}, ${rounds} rounds`,
        met: median(ends) <= allowedEnd,
      },
    );
  }
  return figures;
}

/** What the engine does with a plugin that it has no work for. */
async function startAndCancel(program: string): Promise<{ start: number; end: number }> {
  const child = spawn(program, ["127.0.0.1:1"], { stdio: ["pipe", "pipe", "inherit"] });
  const gone = once(child, "close");
  let port = "";
  const start = await timed(async () => {
    port = String(await once(child.stdout, "data")).trim();
  });
  const client = new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
  await new Promise((resolve) => client.waitForReady(Date.now() + 5000, resolve));
  const end = await timed(() => {
    client.cancel(new Empty(), () => client.close());
    return gone;
  });
  return { start, end };
}
