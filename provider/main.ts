// The plugin `policychain`. Handlers are loaded at their first use: the engine waits for the port at every command.
import { type ResourceHandler, serve } from "./host";

const load = (module: { readonly [name: string]: unknown }, name: string) => module[name] as ResourceHandler;

const { version } = require("../package.json") as { version: string };

void serve({
  name: "policychain",
  version,
  schema: () => JSON.stringify({ ...require("./schema.json"), version }),
  resources: {
    "policychain:index:Manifest": () => load(require("./manifest"), "manifest"),
    "policychain:index:Copy": () => load(require("./copy"), "copy"),
    "policychain:index:Tag": () => load(require("./tag"), "tag"),
    "policychain:index:GateRun": () => load(require("./gateRun"), "gateRun"),
  },
});
