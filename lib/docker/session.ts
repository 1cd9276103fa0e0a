// A BuildKit session: while a build runs, the engine asks this process for the credentials of the registries it pulls from.
// The connection of `POST /session` is turned round: it becomes HTTP/2 with the engine as the client.
// Protocol: github.com/moby/buildkit session/ (moby.filesync.v1.Auth, grpc.health.v1.Health).
import { randomBytes } from "node:crypto";
import { type handleUnaryCall, Server, ServerCredentials, status } from "@grpc/grpc-js";
import type { RegistryAuth } from "./auth";
import { decodeFields, encodeFields, text } from "./protobuf";
import type { EngineTransport } from "./transport";

export interface BuildSession {
  /** Named in the build's `session` parameter. */
  readonly id: string;
  close(): void;
}

/** One method whose messages are handled as bytes, so that no generated code is needed. */
function method(path: string) {
  const pass = (bytes: Buffer) => bytes;
  return {
    path,
    requestStream: false as const,
    responseStream: false as const,
    requestSerialize: pass,
    requestDeserialize: pass,
    responseSerialize: pass,
    responseDeserialize: pass,
  };
}

const credentialsPath = "/moby.filesync.v1.Auth/Credentials";
const healthPath = "/grpc.health.v1.Health/Check";

/**
 * Opens a session that answers credential questions through `auth`, which is asked for the exact host that the engine
 * names: a credential never goes to another host. The other ways to a token are not offered, so the engine fetches it itself.
 */
export async function openSession(
  transport: EngineTransport,
  auth: RegistryAuth,
  signal?: AbortSignal,
): Promise<BuildSession> {
  const id = randomBytes(16).toString("hex");
  const credentials: handleUnaryCall<Buffer, Buffer> = (call, answer) => {
    const host = text(decodeFields(call.request), 1);
    auth(host).then(
      (found) =>
        answer(
          null,
          found
            ? "identityToken" in found
              ? encodeFields({ 2: found.identityToken })
              : encodeFields({ 1: found.username, 2: found.password })
            : Buffer.alloc(0),
        ),
      (error: Error) => answer({ code: status.INTERNAL, details: error.message }),
    );
  };
  const health: handleUnaryCall<Buffer, Buffer> = (_call, answer) => answer(null, encodeFields({ 1: 1 /* SERVING */ }));
  const server = new Server();
  server.addService({ Credentials: method(credentialsPath) }, { Credentials: credentials });
  server.addService({ Check: method(healthPath) }, { Check: health });
  const socket = await transport.upgrade({
    method: "POST",
    path: "/session",
    protocol: "h2c",
    headers: {
      "x-docker-expose-session-uuid": id,
      "x-docker-expose-session-name": "policy-platform",
      "x-docker-expose-session-sharedkey": "",
      "x-docker-expose-session-grpc-method": [credentialsPath, healthPath],
    },
    signal,
  });
  // The engine hangs up at the end of the build; that must not become an uncaught error.
  socket.on("error", () => undefined);
  server.createConnectionInjector(ServerCredentials.createInsecure()).injectConnection(socket);
  return {
    id,
    close() {
      server.forceShutdown();
      socket.destroy();
    },
  };
}
