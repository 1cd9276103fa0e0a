// Lines to the user. What a plugin prints is hidden by the engine, so all goes through its Log call.
import { credentials, Metadata } from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";

export type Severity = "info" | "warning" | "error";

/** The lines of one call of the engine. */
export interface CallLog {
  line(severity: Severity, text: string): void;
  progress(text: string): void;
  /** Resolves when every line has reached the engine: a line after the answer could be lost. */
  flush(): Promise<void>;
}

export interface EngineLog {
  forCall(urn: string): CallLog;
}

const severities = { info: LogSeverity.INFO, warning: LogSeverity.WARNING, error: LogSeverity.ERROR };

/** Without a terminal each progress line is a line of its own: short work shows none, long work one every few seconds. */
const firstProgressMs = 1000;
const progressEveryMs = 3000;
/** An engine that does not take a line is gone or stuck; the answer must not wait for it. */
const sendMs = 2000;

/** The log of the engine at `address` (host:port); without one, for a plugin run by hand, lines go nowhere. */
export function engineLog(address: string | undefined): EngineLog {
  const client = address ? new EngineClient(address, credentials.createInsecure()) : undefined;
  const send = (urn: string, severity: Severity, text: string, ephemeral: boolean): Promise<void> =>
    new Promise((resolve) => {
      if (!client) return resolve();
      const request = new LogRequest();
      request.setUrn(urn);
      request.setSeverity(severities[severity]);
      request.setMessage(text);
      request.setEphemeral(ephemeral);
      client.log(request, new Metadata(), { deadline: Date.now() + sendMs }, () => resolve());
    });
  return {
    forCall(urn) {
      const pending = new Set<Promise<void>>();
      const track = (sent: Promise<void>) => {
        pending.add(sent);
        void sent.then(() => pending.delete(sent));
      };
      let nextProgress = Date.now() + firstProgressMs;
      let waiting: { text: string; timer: NodeJS.Timeout } | undefined;
      return {
        line: (severity, text) => track(send(urn, severity, text, false)),
        progress(text) {
          if (waiting) {
            waiting.text = text;
            return;
          }
          const timer = setTimeout(
            () => {
              nextProgress = Date.now() + progressEveryMs;
              const { text } = waiting!;
              waiting = undefined;
              track(send(urn, "info", text, true));
            },
            Math.max(0, nextProgress - Date.now()),
          );
          waiting = { text, timer };
        },
        async flush() {
          clearTimeout(waiting?.timer);
          await Promise.all(pending);
        },
      };
    },
  };
}
