// Closed-network plugin `kubernetes`: serves namespaces, secrets and custom resources where the official plugin cannot be downloaded. It has
// the real effect (server-side apply) and the official one's arguments, annotations and state, for what this program uses.
import { serve } from "../../../provider/host";
import { checkConfiguration, configure, diffConfiguration } from "./configure";
import { resourceOf } from "./resource";

void serve({
  name: "kubernetes",
  version: require("./schema.json").version,
  schema: () => JSON.stringify(require("./schema.json")),
  checkConfig: async (news) => checkConfiguration(news),
  diffConfig: diffConfiguration,
  configure: async (context, configuration, id) => configure(configuration, context.signal, id),
  resources: {},
  otherResources: resourceOf,
});
