// The plugin `policychain`. Handlers are loaded at their first use: the engine waits for the port at every command.
import { serve } from "./host";

const { version } = require("../package.json") as { version: string };

void serve({
  name: "policychain",
  version,
  schema: () => JSON.stringify({ ...require("./schema.json"), version }),
  resources: {
    "policychain:index:Manifest": () => (require("./manifest") as typeof import("./manifest")).manifest,
    "policychain:index:Artifact": () => (require("./artifact") as typeof import("./artifact")).artifact,
    "policychain:index:Copy": () => (require("./copy") as typeof import("./copy")).copy,
    "policychain:index:Tag": () => (require("./tag") as typeof import("./tag")).tag,
    "policychain:index:GateRun": () => (require("./gateRun") as typeof import("./gateRun")).gateRun,
    "policychain:index:DeliveredPolicies": () =>
      (require("./deliveredPolicies") as typeof import("./deliveredPolicies")).deliveredPolicies,
    "policychain:index:DeliveryCheck": () =>
      (require("./deliveryCheck") as typeof import("./deliveryCheck")).deliveryCheck,
    "policychain:index:ClusterFiles": () => (require("./clusterFiles") as typeof import("./clusterFiles")).clusterFiles,
  },
});
