// Closed-network plugin `docker`: serves docker.Image where the official plugin cannot be downloaded. It has the real effect
// (BuildKit builds, registry pushes) and the official one's inputs, outputs, defaults and traps, for what this program uses.
import { serve } from "../../../provider/host";
import { connect } from "./configure";

void serve({
  name: "docker",
  version: require("./schema.json").version,
  schema: () => JSON.stringify(require("./schema.json")),
  configure: (context, configuration) => connect(configuration, context.signal),
  resources: { "docker:index/image:Image": () => (require("./image") as typeof import("./image")).image },
});
