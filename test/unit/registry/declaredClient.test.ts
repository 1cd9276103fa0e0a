// A registry that the stack declares itself, before and after it is created.
import assert from "node:assert/strict";
import { PlatformError } from "../../../lib/errors";
import { parseRepository } from "../../../lib/oci/reference";
import { DeclaredRegistryClient, type Uncreated } from "../../../lib/registry/declaredClient";
import { notFound, quickLimits } from "../../support/scriptedRegistry";
import { type ScriptedAnswer, type ScriptedServer, startScriptedServer } from "../../support/scriptedServer";

describe("a registry that the stack declares", () => {
  let server: ScriptedServer;
  let answer: ScriptedAnswer;
  before(async () => {
    server = await startScriptedServer(() => answer);
  });
  after(() => server.stop());

  const declared = () => ({ address: server.host, separator: "/", prefix: "policy" }) as const;
  const at = (path: string) => parseRepository(`${server.host}/${path}`);
  /** All that is read before the first resource. */
  const reads = (client: DeclaredRegistryClient, path: string) => [
    () => client.tags(at(path)),
    () => client.resolve(at(path), "v1.0.0"),
    () => client.manifest(at(path), "v1.0.0"),
  ];
  const client = (uncreated?: Uncreated) => new DeclaredRegistryClient(declared(), { limits: quickLimits, uncreated });

  for (const status of [401, 403, 404]) {
    it(`counts as empty in the preview that is to create it, where it answers ${status}`, async () => {
      answer = status === 404 ? notFound : { status };
      const seen: string[] = [];
      for (const root of ["candidates", "layers", "releases"]) {
        const found = reads(
          client((repository) => seen.push(repository) > 0),
          `policy-${root}/p`,
        ).map((read) => read());
        assert.deepEqual(await Promise.all(found), [[], undefined, undefined]);
      }
      const names = ["candidates", "layers", "releases"].map((root) => `${server.host}/policy-${root}/p`);
      assert.deepEqual(seen, status === 404 ? [] : names.flatMap((name) => [name, name, name]));
    });
  }

  for (const [status, code] of [
    [429, "registry-throttled"],
    [500, "registry-unavailable"],
    [418, "registry-answer"],
  ] as const) {
    it(`is no empty one where it answers ${status}, created or not`, async () => {
      answer = { status };
      const throwing = () => assert.fail("taken for empty");
      for (const read of reads(client(throwing), "policy-releases/p")) await assert.rejects(read, { code });
    });
  }

  it("is no empty one where there are no credentials to ask with, and says nothing of permissions", async () => {
    const missing = new PlatformError("google-credentials-missing", {
      what: "no credentials",
      rule: "a",
      fix: "log in",
    });
    const credentials = { find: () => Promise.reject(missing) };
    answer = { status: 401, headers: { "www-authenticate": 'Basic realm="r"' } };
    const uncreated = () => assert.fail("taken for empty");
    const closed = new DeclaredRegistryClient(declared(), { limits: quickLimits, uncreated, credentials });
    for (const read of reads(closed, "policy-releases/p"))
      await assert.rejects(read, (error: PlatformError) => {
        assert.deepEqual([error.code, error.problem.what], ["google-credentials-missing", "no credentials"]);
        return true;
      });
  });

  it("softens nothing of repositories that are not its own, on the same host", async () => {
    answer = { status: 403 };
    const throwing = () => assert.fail("taken for empty");
    for (const path of ["releases/p", "policy-releases-2/p", "other/policy-releases/p"])
      for (const read of reads(client(throwing), path))
        await assert.rejects(read, (error: PlatformError) => {
          assert.doesNotMatch(error.message, /not created yet/);
          return true;
        });
  });

  it("says what to do where nobody can tell whether it is created", async () => {
    answer = { status: 403 };
    for (const read of reads(
      client(() => "ask somebody"),
      "policy-releases/p",
    ))
      await assert.rejects(read, (error: PlatformError) => error.problem.fix.endsWith("; ask somebody"));
  });

  it("says both that 403 can mean once it is there", async () => {
    answer = { status: 403 };
    const all = [client(), client(() => false), client(async () => false)];
    for (const read of all.flatMap((one) => reads(one, "policy-releases/p")))
      await assert.rejects(read, (error) => {
        assert.ok(error instanceof PlatformError);
        assert.match(error.problem.what, /answered 403 .*: no permission, or not created yet$/);
        assert.match(error.problem.fix, /; what is not created yet, pulumi up creates$/);
        return true;
      });
  });
});
