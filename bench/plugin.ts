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
  const figures = Object.entries(plugins).map(async ([name, program]) => {
    const starts: number[] = [];
    const ends: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      const child = spawn(program, ["127.0.0.1:1"], { stdio: ["pipe", "pipe", "inherit"] });
      let port = "";
      starts.push(await timed(async () => (port = String(await once(child.stdout, "data")).trim())));
      const client = new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
      const gone = once(child, "close");
      await new Promise((resolve) => client.waitForReady(Date.now() + 5000, resolve));
      const end = () => {
        client.cancel(new Empty(), () => client.close());
        return gone;
      };
      ends.push(await timed(end));
    }
    return [
      {
        what: `plugin ${name}: start until its port`,
        goal: `≤ ${allowedStart} s`,
        measured: `${seconds(starts.slice(1))}, ${rounds} rounds`,
        met: median(starts.slice(1)) <= allowedStart,
      },
      {
        what: `plugin ${name}: idle, from Cancel until it is gone`,
        goal: `≤ ${allowedEnd} s`,
        measured: `${seconds(ends.slice(1))}, ${rounds} rounds`,
        met: median(ends.slice(1)) <= allowedEnd,
      },
    ];
  });
  return (await Promise.all(figures)).flat();
}
