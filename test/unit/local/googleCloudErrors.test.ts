// What the plugin that stands in for Google Cloud says where Google Cloud would refuse.
import assert from "node:assert/strict";
import { alreadyThere } from "../../../local/plugins/gcp/errors";

describe("the plugin gcp of a closed network", () => {
  it("stand-in: names the line that takes a repository which is there into the stack, below its registry", () => {
    const urn =
      "urn:pulumi:prod::policy-platform::policychain:index:PolicyRegistry$gcp:artifactregistry/repository:Repository::registry-layers";
    const id = "projects/acme-prod/locations/europe-west1/repositories/policy-layers";
    const { message } = alreadyThere(urn, id);
    const parent = "registry=urn:pulumi:prod::policy-platform::policychain:index:PolicyRegistry::registry";
    const line = `pulumi import gcp:artifactregistry/repository:Repository registry-layers ${id} --parent ${parent} --stack prod`;
    assert.ok(message.includes(`409: ${id} is there already; `), message);
    assert.ok(message.includes(`; ${line}; or`), message);
  });
});
