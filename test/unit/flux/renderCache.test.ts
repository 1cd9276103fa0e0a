// Rendered files are remembered by what they were rendered from, whole or not at all.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { recallRendered, rememberRendered } from "../../../lib/flux/renderCache";
import { sha256 } from "../../../lib/oci/digest";
import { useOwnCache } from "../../support/ownCache";

describe("files that helm rendered", () => {
  const cache = useOwnCache();
  const files = new Map([["devops/charts/x/templates/a.yaml", Buffer.from("kind: é\n")]]);

  it("are found again by the digest of their inputs, and by no other", async () => {
    await rememberRendered(sha256("inputs"), files);
    assert.deepEqual(await recallRendered(sha256("inputs")), files);
    assert.equal(await recallRendered(sha256("others")), undefined);
  });

  it("are nothing once somebody touched them", async () => {
    await rememberRendered(sha256("inputs"), files);
    const folder = join(cache(), "policy-platform", "rendered");
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      writeFileSync(path, readFileSync(path, "utf8").replace("kind", "sort"));
    }
    assert.equal(await recallRendered(sha256("inputs")), undefined);
  });
});
