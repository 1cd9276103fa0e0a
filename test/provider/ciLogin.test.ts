// stand-in: the login of the CI page's shell, as a job runs it, against Google's token servers on loopback.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { exec } from "../../lib/exec";
import { googleFiles, startStandInGoogle } from "../support/standInGoogle";

const root = join(__dirname, "..", "..");

/** `ci/google.sh` of the page, with the file that a job hands its token over in moved to `folder`. */
function loginScript(folder: string): string {
  const page = readFileSync(join(root, "docs/how-to/run-in-ci.md"), "utf8");
  const [, script] = /^`ci\/google\.sh`:\n\n```bash\n(.*?)^```$/ms.exec(page)!;
  return script!.replace("/tmp/google-id-token", join(folder, "subject"));
}

describe("the login of a job on a CI host", () => {
  it("stand-in: gives docker a token of the account for the token of the step, and keeps it nowhere", async () => {
    const google = await startStandInGoogle();
    const files = googleFiles();
    try {
      mkdirSync(join(files.dir, "ci"));
      files.write("ci/google-release-dev.json", readFileSync(files.externalAccount(google.host, true), "utf8"));
      const script = `set -eu\n${loginScript(files.dir)}\ngoogle_token\nprintf '\\n%s' "$PULUMI_BACKEND_URL"`;
      const { stdout, stderr, code } = await exec("bash", ["-c", script], {
        cwd: files.dir,
        env: {
          PATH: process.env.PATH!,
          HOME: files.dir,
          NODE_PATH: join(root, "node_modules"),
          ACCOUNT: "release",
          STACK: "dev",
          BITBUCKET_STEP_OIDC_TOKEN: "canary-of-the-step",
        },
      });
      assert.deepEqual([code, stderr], [0, ""]);
      assert.equal(stdout, "ya29.canary-token-impersonated\ngs://acme-dev-policy-state");
      const [exchange] = google.requests;
      assert.match(String(exchange!.body), /subject_token=canary-of-the-step/);
    } finally {
      files.remove();
      await google.stop();
    }
  });
});
