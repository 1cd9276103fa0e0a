// A registry that the stack declares itself, before and after it is created; and the tags that it may not move.
import assert from "node:assert/strict";
import { PlatformError } from "../../../lib/errors";
import { parseRepository } from "../../../lib/oci/reference";
import { DeclaredRegistryClient } from "../../../lib/registry/declaredClient";
import { requireMovableLatest } from "../../../lib/release/immutableTags";
import { emptyManifest, manifestAnswer, notFound, quickLimits } from "../../support/scriptedRegistry";
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
  const client = (uncreated?: (repository: string) => void) =>
    new DeclaredRegistryClient({ ...declared(), ...(uncreated && { uncreated }) }, { limits: quickLimits });

  for (const status of [401, 403, 404]) {
    it(`counts as empty in the preview that is to create it, where it answers ${status}`, async () => {
      answer = status === 404 ? notFound : { status };
      const seen: string[] = [];
      for (const root of ["candidates", "layers", "releases"]) {
        const found = reads(
          client((repository) => seen.push(repository)),
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

  it("says both that 403 can mean once it is there", async () => {
    answer = { status: 403 };
    for (const read of reads(client(), "policy-releases/p"))
      await assert.rejects(read, (error) => {
        assert.ok(error instanceof PlatformError);
        assert.match(error.problem.what, /answered 403 .*: no permission, or not created yet$/);
        assert.match(error.problem.fix, /; what is not created yet, pulumi up creates$/);
        return true;
      });
  });

  describe("with immutable tags", () => {
    const present = manifestAnswer(emptyManifest);
    const digest = present.headers!["docker-content-digest"] as `sha256:${string}`;
    const settings = (immutableTags: boolean) => ({
      registry: { ...declared(), kind: "artifactRegistry" as const, insecure: false, immutableTags },
      image: { name: "p" },
    });
    const required = (image: typeof digest | undefined, immutableTags = true) =>
      requireMovableLatest(settings(immutableTags), image, "dev");
    const refused = (error: unknown) => {
      assert.ok(error instanceof PlatformError);
      assert.equal(error.code, "latest-immutable");
      assert.equal(
        error.message,
        `${server.host}/policy-releases/p:latest would be written, and registry.immutableTags is on; a release moves latest, and an immutable tag never moves; pulumi config set --path policy-platform:registry.immutableTags false --stack dev`,
      );
      return true;
    };

    it("refuses an image that is yet to be built, and asks nobody for it", async () => {
      const before = server.requests.length;
      await assert.rejects(required(undefined), refused);
      assert.equal(server.requests.length, before);
    });

    it("refuses the first release, as the second could not follow, and one that latest does not name", async () => {
      answer = notFound;
      await assert.rejects(required(digest), refused);
      answer = present;
      await assert.rejects(required(`sha256:${"0".repeat(64)}`), refused);
    });

    it("lets a run pass that leaves latest where it is, and every run while tags can move", async () => {
      answer = present;
      await required(digest);
      answer = notFound;
      await required(digest, false);
      await required(undefined, false);
    });
  });
});
