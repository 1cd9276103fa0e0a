// Serves one provider over gRPC. Own frame and not the SDK's: that one has no preview flag, no provider
// configuration, no detailed diff and no time-outs, and takes three times as long to start.
import { type handleUnaryCall, Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as rpc from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { checkResponse, diffResponse, failure } from "./answers";
import { diffInputs } from "./diff";
import { engineLog } from "./engineLog";
import type { ProviderDefinition, ResourceContext, ResourceHandler } from "./handler";
import { startLifetime } from "./lifetime";
import { fromWire, toWire, unwrapSecrets, type Values } from "./values";

/** What a call tells about itself, as far as its message has it. */
interface CallFacts {
  readonly urn: string;
  readonly preview?: boolean;
  readonly timeoutSeconds?: number;
}

/** Starts to serve and prints the port, the first and only line on stdout. Resolves when the port is printed. */
export async function serve(definition: ProviderDefinition): Promise<void> {
  const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
  const lifetime = startLifetime({
    close: () => {
      definition.stop?.();
      return new Promise((resolve) => server.tryShutdown(() => resolve()));
    },
  });
  const log = engineLog(process.argv[2] === undefined ? undefined : process.argv.at(-1));
  // What nobody awaited is a bug; without this its stack would be hidden with the rest of stderr.
  process.on("uncaughtException", (error) => {
    const last = log.forCall("");
    last.line("error", `the plugin ${definition.name} has failed: ${error.stack ?? String(error)}`);
    void last.flush().finally(() => process.exit(1));
  });
  const handlers = new Map<string, ResourceHandler>();
  let configuration: Values = {};

  const handlerOf = (urn: string): ResourceHandler => {
    const token = typeOfUrn(urn);
    const known = handlers.get(token);
    if (known) return known;
    const handler = definition.resources[token]?.() ?? definition.otherResources?.(token);
    if (!handler) throw new Error(`the package ${definition.name} has no resource type ${token}`);
    handlers.set(token, handler);
    return handler;
  };

  /** Runs one call with its context; its lines are at the engine before its answer is. */
  const call = <Request, Response>(
    facts: (request: Request) => CallFacts,
    run: (request: Request, context: ResourceContext) => Promise<Response>,
  ): handleUnaryCall<Request, Response> => {
    return ({ request }, callback) => {
      const { urn, preview = false, timeoutSeconds = 0 } = facts(request);
      const callLog = log.forCall(urn);
      const timeout = timeoutSeconds > 0 ? AbortSignal.timeout(timeoutSeconds * 1000) : undefined;
      const context: ResourceContext = {
        urn,
        preview,
        timeoutSeconds,
        configuration,
        signal: timeout ? AbortSignal.any([lifetime.signal, timeout]) : lifetime.signal,
        progress: callLog.progress,
        info: (text) => callLog.line("info", text),
        warn: (text) => callLog.line("warning", text),
      };
      const answer = async () => {
        try {
          if (lifetime.signal.aborted) throw lifetime.signal.reason;
          const response = await run(request, context);
          await callLog.flush();
          callback(null, response);
        } catch (error) {
          await callLog.flush();
          callback(failure(error, lifetime.signal, timeout, timeoutSeconds));
        }
      };
      void lifetime.during(answer());
    };
  };
  const noFacts = () => ({ urn: "" });
  const urnOnly = (request: { getUrn(): string }) => ({ urn: request.getUrn() });

  const methods: UntypedServiceImplementation = {
    handshake: call(noFacts, async () => {
      const response = new rpc.ProviderHandshakeResponse();
      response.setAcceptSecrets(true);
      return response;
    }),
    getPluginInfo: call(noFacts, async () => {
      const response = new PluginInfo();
      response.setVersion(definition.version);
      return response;
    }),
    getSchema: call(noFacts, async () => {
      const response = new rpc.GetSchemaResponse();
      response.setSchema(definition.schema());
      return response;
    }),
    checkConfig: call(urnOnly, async (request: rpc.CheckRequest) => {
      const news = fromWire(request.getNews());
      return checkResponse((await definition.checkConfig?.(news)) ?? { inputs: news });
    }),
    diffConfig: call(urnOnly, async (request: rpc.DiffRequest, { signal }) => {
      const [olds, news] = [fromWire(request.getOldInputs()), fromWire(request.getNews())];
      return diffResponse((await definition.diffConfig?.(olds, news, signal)) ?? diffInputs(olds, news));
    }),
    configure: call(noFacts, async (request: rpc.ConfigureRequest, context) => {
      configuration = unwrapSecrets(fromWire(request.getArgs()));
      await definition.configure?.({ ...context, configuration }, configuration, request.getId() || undefined);
      const response = new rpc.ConfigureResponse();
      response.setAcceptsecrets(true);
      response.setSupportspreview(true);
      return response;
    }),
    check: call(urnOnly, async (request: rpc.CheckRequest, context) => {
      const olds = request.hasOlds() ? fromWire(request.getOlds()) : {};
      const news = fromWire(request.getNews());
      const handler = handlerOf(context.urn);
      const previous = Object.keys(olds).length > 0 ? olds : undefined;
      return checkResponse((await handler.check?.(context, previous, news)) ?? { inputs: news });
    }),
    diff: call(urnOnly, async (request: rpc.DiffRequest, context) => {
      const handler = handlerOf(context.urn);
      const oldInputs = fromWire(request.getOldInputs());
      const news = fromWire(request.getNews());
      return diffResponse(
        handler.diff
          ? await handler.diff(context, request.getId(), oldInputs, fromWire(request.getOlds()), news)
          : diffInputs(oldInputs, news),
      );
    }),
    create: call(
      (request: rpc.CreateRequest) => ({
        urn: request.getUrn(),
        preview: request.getPreview(),
        timeoutSeconds: request.getTimeout(),
      }),
      async (request, context) => {
        const created = await handlerOf(context.urn).create(context, fromWire(request.getProperties()));
        const response = new rpc.CreateResponse();
        response.setId(created.id);
        response.setProperties(toWire(created.outputs));
        return response;
      },
    ),
    read: call(
      (request: rpc.ReadRequest) => ({ urn: request.getUrn(), timeoutSeconds: request.getTimeout() }),
      async (request, context) => {
        const inputs = fromWire(request.getInputs());
        const outputs = fromWire(request.getProperties());
        const handler = handlerOf(context.urn);
        const found = handler.read
          ? await handler.read(context, request.getId(), inputs, outputs)
          : { id: request.getId(), inputs, outputs };
        const response = new rpc.ReadResponse();
        if (!found) return response; // no id: gone
        response.setId(found.id);
        response.setInputs(toWire(found.inputs));
        response.setProperties(toWire(found.outputs));
        return response;
      },
    ),
    update: call(
      (request: rpc.UpdateRequest) => ({
        urn: request.getUrn(),
        preview: request.getPreview(),
        timeoutSeconds: request.getTimeout(),
      }),
      async (request, context) => {
        const outputs = await handlerOf(context.urn).update(
          context,
          request.getId(),
          fromWire(request.getOldInputs()),
          fromWire(request.getOlds()),
          fromWire(request.getNews()),
        );
        const response = new rpc.UpdateResponse();
        response.setProperties(toWire(outputs));
        return response;
      },
    ),
    delete: call(
      (request: rpc.DeleteRequest) => ({ urn: request.getUrn(), timeoutSeconds: request.getTimeout() }),
      async (request, context) => {
        await handlerOf(context.urn).delete?.(context, request.getId(), fromWire(request.getProperties()));
        return new Empty();
      },
    ),
    // Comes at every normal end too, before the engine waits for the process: answered, then gone.
    cancel: ((_, callback) => {
      callback(null, new Empty());
      lifetime.stop("cancelled");
    }) satisfies handleUnaryCall<Empty, Empty>,
  };
  server.addService(ResourceProviderService, methods);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  process.stdout.write(`${port}\n`);
}

/** `urn:pulumi:stack::project::parent$type::name` → `type`. */
function typeOfUrn(urn: string): string {
  return urn.split("::")[2]?.split("$").at(-1) ?? "";
}
