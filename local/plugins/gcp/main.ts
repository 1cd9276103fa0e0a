// Closed-network plugin `gcp`, a stand-in: it serves what this program declares in Google Cloud and makes nothing there. Its
// repositories and members are records in `.local/google-cloud` of the project, checked and refused as Google Cloud would.
import { serve } from "../../../provider/host";
import { member } from "./member";
import { repository } from "./repository";

void serve({
  name: "gcp",
  version: require("./schema.json").version,
  schema: () => JSON.stringify(require("./schema.json")),
  resources: {
    "gcp:artifactregistry/repository:Repository": () => repository,
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": () => member,
  },
});
