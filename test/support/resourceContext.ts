// What a plugin's handler is told by the engine of one call, for tests that call it in process.
import type { ResourceContext } from "../../provider/host";

/** An update of stack `dev` that nobody stops and that says nothing; `more` replaces a part of it. */
export function resourceContext(more: Partial<ResourceContext> = {}): ResourceContext {
  return {
    urn: "urn:pulumi:dev::policy-platform::x::dev",
    preview: false,
    signal: new AbortController().signal,
    timeoutSeconds: 0,
    configuration: {},
    progress: () => {},
    info: () => {},
    warn: () => {},
    ...more,
  };
}
