// Closed-network plugin `docker`: serves docker.Image where the official plugin cannot be downloaded. It has the real effect
// (BuildKit builds, registry pushes) and the official one's inputs, outputs, defaults and traps, for what this program uses.
import { type ResourceHandler, serve } from "../../../provider/host";
import { connect } from "./configure";

const load = (module: { readonly [name: string]: unknown }, name: string) => module[name] as ResourceHandler;

void serve({
  name: "docker",
  version: require("./schema.json").version,
  schema: () => JSON.stringify(require("./schema.json")),
  configure: (context, configuration) => connect(configuration, context.signal),
  resources: { "docker:index/image:Image": () => load(require("./image"), "image") },
});
