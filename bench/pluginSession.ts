// A started plugin, spoken to as the engine speaks to it: for measurements of what the plugin itself takes.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { CreateRequest, type CreateResponse } from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { type JavaScriptValue, Struct } from "google-protobuf/google/protobuf/struct_pb";

const dist = join(__dirname, "..", "dist");

/** The programs that are measured. */
export const pluginPrograms = {
  policychain: join(dist, "policychain/pulumi-resource-policychain"),
  docker: join(dist, "plugins/docker/pulumi-resource-docker"),
};

export class PluginSession {
  private constructor(
    private readonly child: ChildProcess,
    private readonly client: ResourceProviderClient,
  ) {}

  /** Starts it and waits for its port. Its log goes nowhere: no engine is named. */
  static async start(program: string): Promise<PluginSession> {
    const child = spawn(program, [], { stdio: ["pipe", "pipe", "inherit"] });
    const port = String(await once(child.stdout, "data")).trim();
    return new PluginSession(child, new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure()));
  }

  /** Waits for a connection. */
  ready(): Promise<void> {
    return new Promise((resolve, reject) =>
      this.client.waitForReady(Date.now() + 5000, (error) => (error ? reject(error) : resolve())),
    );
  }

  /** Creates a resource of policychain, as `pulumi up` does. */
  create(
    type: "Copy" | "Tag" | "Artifact",
    inputs: Readonly<Record<string, JavaScriptValue>>,
  ): Promise<CreateResponse> {
    const request = new CreateRequest();
    request.setUrn(`urn:pulumi:bench::policy-platform::policychain:index:${type}::measured`);
    request.setProperties(Struct.fromJavaScript({ ...inputs }));
    return new Promise((resolve, reject) =>
      this.client.create(request, (error: ServiceError | null, answer) => (error ? reject(error) : resolve(answer))),
    );
  }

  /** Bytes that it holds in memory, `now` or at `most` so far. */
  resident(when: "now" | "most"): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, "utf8");
    return 1024 * Number(new RegExp(`^${when === "now" ? "VmRSS" : "VmHWM"}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
  }

  /** What the engine does with a plugin that it has no work for; resolves when it is gone. */
  async cancel(): Promise<void> {
    const gone = once(this.child, "close");
    this.client.cancel(new Empty(), () => this.client.close());
    await gone;
  }
}
