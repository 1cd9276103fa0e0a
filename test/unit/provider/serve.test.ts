import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials, Server, ServerCredentials, type ServiceError } from "@grpc/grpc-js";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as rpc from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { buildSync } from "esbuild";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { fromWire, secret, toWire, UNKNOWN, type Values } from "../../../provider/host";

const urn = "urn:pulumi:test::program::parent:index:Parent$echo:index:Echo::name";

const dir = mkdtempSync(join(tmpdir(), "serve-test-"));
process.once("exit", () => rmSync(dir, { recursive: true }));

/** The provider as one file, as the plugins are: it is started a dozen times. */
function provider(): string {
  const outfile = join(dir, "echo.js");
  if (!existsSync(outfile))
    buildSync({
      entryPoints: [join(__dirname, "fixtures", "echo.ts")],
      bundle: true,
      platform: "node",
      sourcemap: "inline",
      outfile,
    });
  return outfile;
}

/** A started provider, with a client as the engine has one and an engine that records lines. */
class Session {
  readonly lines: { text: string; severity: number; ephemeral: boolean; urn: string }[] = [];
  stdout = "";
  private constructor(
    readonly child: ChildProcess,
    private readonly engine: Server,
  ) {}
  client!: ResourceProviderClient;

  static async start(): Promise<Session> {
    const engine = new Server();
    const sessions: Session[] = [];
    engine.addService(EngineService, {
      log: (call: { request: LogRequest }, callback: (error: null, response: Empty) => void) => {
        const { request } = call;
        sessions[0]!.lines.push({
          text: request.getMessage(),
          severity: request.getSeverity(),
          ephemeral: request.getEphemeral(),
          urn: request.getUrn(),
        });
        callback(null, new Empty());
      },
    });
    const address = await new Promise<number>((resolve, reject) =>
      engine.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
    const child = spawn(process.execPath, ["--enable-source-maps", provider(), `127.0.0.1:${address}`], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const session = new Session(child, engine);
    sessions.push(session);
    child.stdout!.on("data", (chunk) => (session.stdout += chunk));
    await once(child.stdout!, "data");
    session.client = new ResourceProviderClient(`127.0.0.1:${session.stdout.trim()}`, credentials.createInsecure());
    return session;
  }

  /** Any call of the provider, answered or refused. */
  call<Request, Response>(method: string, request: Request): Promise<Response> {
    const client = this.client as unknown as Record<
      string,
      (request: Request, done: (error: ServiceError | null, response: Response) => void) => void
    >;
    return new Promise((resolve, reject) =>
      client[method]!(request, (error, response) => (error ? reject(error) : resolve(response))),
    );
  }

  create(inputs: Values, options: { preview?: boolean; timeout?: number } = {}): Promise<rpc.CreateResponse> {
    const request = new rpc.CreateRequest();
    request.setUrn(urn);
    request.setProperties(toWire(inputs));
    request.setPreview(options.preview ?? false);
    request.setTimeout(options.timeout ?? 0);
    return this.call("create", request);
  }

  /** Milliseconds until the process has ended after `stop`. */
  async endsAfter(stop: () => void): Promise<number> {
    const start = performance.now();
    const exit = once(this.child, "exit");
    stop();
    await exit;
    return performance.now() - start;
  }

  stop(): void {
    this.client.close();
    this.child.kill("SIGKILL");
    this.engine.forceShutdown();
  }
}

describe("the frame of a provider", function () {
  this.timeout(20_000);
  let session: Session;
  before(async () => {
    session = await Session.start();
  });
  after(() => session.stop());

  it("prints its port and nothing else on stdout", () => {
    assert.match(session.stdout, /^\d+\n$/);
  });

  it("says what it is and what it can do", async () => {
    const handshake = await session.call<unknown, rpc.ProviderHandshakeResponse>(
      "handshake",
      new rpc.ProviderHandshakeRequest(),
    );
    assert.equal(handshake.getAcceptSecrets(), true);
    assert.equal(handshake.getAcceptOutputs(), false);
    assert.equal(
      (await session.call<unknown, { getVersion(): string }>("getPluginInfo", new Empty())).getVersion(),
      "1.2.3",
    );
    const schema = await session.call<unknown, rpc.GetSchemaResponse>("getSchema", new rpc.GetSchemaRequest());
    assert.equal(schema.getSchema(), '{"name":"echo"}');
  });

  it("takes the provider's configuration, echoes it in CheckConfig and sees its changes", async () => {
    const check = new rpc.CheckRequest();
    check.setNews(toWire({ host: "a" }));
    const checked = await session.call<unknown, rpc.CheckResponse>("checkConfig", check);
    assert.deepEqual(fromWire(checked.getInputs()), { host: "a" });
    const diff = new rpc.DiffRequest();
    diff.setOldInputs(toWire({ host: "a" }));
    diff.setNews(toWire({ host: "b" }));
    const changed = await session.call<unknown, rpc.DiffResponse>("diffConfig", diff);
    assert.deepEqual(changed.getDiffsList(), ["host"]);
    const configure = new rpc.ConfigureRequest();
    configure.setArgs(toWire({ host: secret("a") }));
    const configured = await session.call<unknown, rpc.ConfigureResponse>("configure", configure);
    assert.deepEqual([configured.getSupportspreview(), configured.getAcceptsecrets()], [true, true]);
  });

  it("hands on preview, time-out, configuration, unknowns and secrets, and drops what is undefined", async () => {
    const created = await session.create({ open: UNKNOWN, key: [secret("s")] }, { preview: true, timeout: 7 });
    assert.deepEqual(fromWire(created.getProperties()), {
      open: UNKNOWN,
      key: [secret("s")],
      preview: true,
      timeoutSeconds: 7,
      configuration: { host: "a" },
      late: UNKNOWN,
    });
  });

  it("reports check failures with the property, and the inputs in the state only when there are some", async () => {
    const request = new rpc.CheckRequest();
    request.setUrn(urn);
    request.setOlds(toWire({}));
    request.setNews(toWire({ bad: 1 }));
    const first = await session.call<unknown, rpc.CheckResponse>("check", request);
    assert.deepEqual(
      first.getFailuresList().map((failure) => [failure.getProperty(), failure.getReason()]),
      [["bad", "is bad"]],
    );
    assert.equal(fromWire(first.getInputs()).hadOlds, false);
    request.setOlds(toWire({ bad: 0 }));
    assert.equal(
      fromWire((await session.call<unknown, rpc.CheckResponse>("check", request)).getInputs()).hadOlds,
      true,
    );
  });

  it("gives a detailed diff of old and new inputs, with the list of names beside it", async () => {
    const request = new rpc.DiffRequest();
    request.setUrn(urn);
    request.setOlds(toWire({ files: { "policies/b.yaml": "only an output" } }));
    request.setOldInputs(toWire({ files: { "policies/a.yaml": "1", "policies/b.yaml": "1" }, gone: 1 }));
    request.setNews(toWire({ files: { "policies/a.yaml": "1", "policies/b.yaml": "2" }, fresh: 1 }));
    const diff = await session.call<unknown, rpc.DiffResponse>("diff", request);
    const detailed: Record<string, number> = {};
    diff.getDetaileddiffMap().forEach((change, path) => {
      detailed[path] = change.getKind();
    });
    const { ADD, DELETE, UPDATE } = rpc.PropertyDiff.Kind;
    assert.deepEqual(detailed, { 'files["policies/b.yaml"]': UPDATE, gone: DELETE, fresh: ADD });
    assert.deepEqual(diff.getDiffsList(), ["files", "gone", "fresh"]);
    assert.equal(diff.getHasdetaileddiff(), true);
    assert.deepEqual(diff.getReplacesList(), []);
    request.setNews(request.getOldInputs());
    const none = await session.call<unknown, rpc.DiffResponse>("diff", request);
    assert.equal(none.getChanges(), rpc.DiffResponse.DiffChanges.DIFF_NONE);
  });

  it("reads a resource as there with its inputs, as gone without an id, as not known with an error", async () => {
    const read = (state: string) => {
      const request = new rpc.ReadRequest();
      request.setUrn(urn);
      request.setId("one");
      request.setInputs(toWire({ digest: "wanted" }));
      request.setProperties(toWire({ state }));
      return session.call<unknown, rpc.ReadResponse>("read", request);
    };
    const there = await read("there");
    assert.deepEqual([there.getId(), fromWire(there.getInputs())], ["one", { digest: "found" }]);
    assert.equal((await read("gone")).getId(), "");
    await assert.rejects(read("unknown"), /cannot look/);
  });

  it("says a user's error in one sentence and a bug with its stack", async () => {
    const details = (error: ServiceError) => error.details;
    assert.equal(await session.create({ act: "refuse" }).catch(details), "what is wrong: 1; the rule; the fix");
    assert.match(String(await session.create({ act: "break" }).catch(details)), /^TypeError: a bug\n {4}at .*echo\.ts/);
  });

  it("has every line at the engine before its answer, and no progress of short work", async () => {
    session.lines.length = 0;
    await session.create({ act: "log" });
    assert.deepEqual(session.lines, [
      { text: "an info", severity: 1, ephemeral: false, urn },
      { text: "a warning", severity: 2, ephemeral: false, urn },
    ]);
  });

  it("shows one passing line of 1.5 seconds of work, and that the latest", async () => {
    session.lines.length = 0;
    await session.create({ act: "long" });
    assert.equal(session.lines.length, 1);
    assert.match(session.lines[0]!.text, /^tick (1[5-9]|2\d)$/);
    assert.equal(session.lines[0]!.ephemeral, true);
  });

  it("ends work whose time-out is over", async () => {
    await assert.rejects(session.create({ act: "wait" }, { timeout: 0.2 }), /not finished within 0.2 s/);
  });

  it("tells the engine what is there of a resource that is not ready, so that it stays in the state", async () => {
    const error = await session.create({ act: "half" }).then(
      () => assert.fail("it was ready"),
      (reason: ServiceError) => reason,
    );
    assert.equal(error.details, "it is not ready");
    const [packed] = error.metadata.get("grpc-status-details-bin");
    const [details] = Status.deserializeBinary(packed as Buffer).getDetailsList();
    const told = details!.unpack(rpc.ErrorResourceInitFailed.deserializeBinary, "pulumirpc.ErrorResourceInitFailed")!;
    assert.deepEqual([told.getId(), told.getReasonsList()], ["one", ["it is not ready"]]);
    assert.deepEqual([fromWire(told.getProperties()), fromWire(told.getInputs())], [{ done: "half" }, { act: "half" }]);
  });

  it("serves types that are not known beforehand", async () => {
    const request = new rpc.CreateRequest();
    request.setUrn("urn:pulumi:test::program::echo:any/v1:Thing::name");
    assert.equal((await session.call<unknown, rpc.CreateResponse>("create", request)).getId(), "one");
  });

  it("names a resource type that it does not have", async () => {
    const request = new rpc.CreateRequest();
    request.setUrn("urn:pulumi:test::program::echo:index:Other::name");
    await assert.rejects(session.call("create", request), /no resource type echo:index:Other/);
  });
});

describe("the end of a provider", function () {
  // Milliseconds are measured: on a busy machine the best of three counts.
  this.timeout(20_000).retries(2);

  const ends: [string, (session: Session) => void][] = [
    ["Cancel", (session) => void session.call("cancel", new Empty()).catch(() => undefined)],
    ["SIGINT", (session) => session.child.kill("SIGINT")],
    ["SIGTERM", (session) => session.child.kill("SIGTERM")],
    ["the end of stdin, which is how a killed engine shows", (session) => session.child.stdin!.end()],
  ];
  for (const [name, stop] of ends) {
    it(`comes at once by ${name}, and work in flight is told to stop`, async () => {
      const [idle, working] = await Promise.all([Session.start(), Session.start()]);
      try {
        assert.ok((await idle.endsAfter(() => stop(idle))) < 700, "idle");
        const refused = working.create({ act: "wait" }).catch((error: ServiceError) => error.details);
        await working.call("getPluginInfo", new Empty());
        assert.ok((await working.endsAfter(() => stop(working))) < 700, "working");
        assert.match(String(await refused), /^stopped: /);
      } finally {
        for (const session of [idle, working]) session.stop();
      }
    });
  }

  it("comes within a second when work in flight does not listen", async () => {
    const session = await Session.start();
    try {
      const never = session.create({ act: "deaf" }).catch((error: ServiceError) => error.details);
      await session.call("getPluginInfo", new Empty());
      assert.ok((await session.endsAfter(() => session.child.stdin!.end())) < 1000);
      await never;
    } finally {
      session.stop();
    }
  });

  it("comes with a line on the screen when the plugin itself crashes", async () => {
    const session = await Session.start();
    try {
      await assert.rejects(session.create({ act: "crash" }));
      assert.match(session.lines[0]!.text, /^the plugin echo has failed: Error: nobody awaits this\n +at .*echo\.ts/);
    } finally {
      session.stop();
    }
  });

  it("answers Cancel before it goes, so that the engine does not take it for a crash", async () => {
    const session = await Session.start();
    try {
      await session.call("cancel", new Empty());
    } finally {
      session.stop();
    }
  });
});
