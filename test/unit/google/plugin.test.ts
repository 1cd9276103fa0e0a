// The handlers of the stand-in for Google Cloud, in process: what they refuse, make, find, change and delete.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { member } from "../../../local/plugins/gcp/member";
import { repository } from "../../../local/plugins/gcp/repository";
import { UNKNOWN, type Values } from "../../../provider/host";
import { resourceContext } from "../../support/resourceContext";

const place = { project: "acme-policy", location: "europe-west1" };
const releases = { ...place, repositoryId: "policy-releases", format: "DOCKER", description: "Releases" };
const id = "projects/acme-policy/locations/europe-west1/repositories/policy-releases";
const right = {
  ...place,
  repository: "policy-releases",
  role: "roles/artifactregistry.reader",
  member: "user:ann@acme.com",
};
const urn =
  "urn:pulumi:dev::policy-platform::policychain:index:PolicyRegistry$gcp:artifactregistry/repository:Repository::registry-releases";

const context = (preview = false) => resourceContext({ urn, preview });

describe("stand-in: a repository of Artifact Registry", () => {
  const before = process.cwd();
  let dir: string;
  // The engine starts its plugins in the project's folder; each test has one of its own.
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "google-cloud-"));
    process.chdir(dir);
  });
  afterEach(() => {
    process.chdir(before);
    rmSync(dir, { recursive: true });
  });
  const reasons = async (inputs: Values, of = repository) =>
    (await of.check!(context(), undefined, inputs)).failures!.map(({ property, reason }) => `${property} ${reason}`);
  const policies = (...cleanupPolicies: Values[]) => reasons({ ...releases, cleanupPolicies });

  it("is made once, known by Google Cloud's own id, and says where it is reached", async () => {
    const made = await repository.create(context(), { ...releases, labels: { team: "a" } });
    assert.equal(made.id, id);
    assert.equal(made.outputs.name, "policy-releases");
    assert.equal(made.outputs.registryUri, "europe-west1-docker.pkg.dev/acme-policy/policy-releases");
    assert.deepEqual(made.outputs.effectiveLabels, { team: "a", "goog-pulumi-provisioned": "true" });
    assert.deepEqual(await repository.read!(context(), id, {}, {}), {
      id,
      inputs: { ...releases, labels: { team: "a" } },
      outputs: made.outputs,
    });
  });

  it("is not written in a preview, which knows what it cannot know", async () => {
    const { id: none, outputs } = await repository.create(context(true), releases);
    assert.deepEqual([none, outputs.createTime, outputs.repositoryId], ["", UNKNOWN, "policy-releases"]);
    assert.deepEqual(readdirSync(dir), []);
  });

  it("that is there already is refused with the line that imports it", async () => {
    await repository.create(context(), releases);
    await assert.rejects(repository.create(context(), releases), ({ message }: Error) => {
      assert.equal(
        message,
        `409: ${id} is there already; what the stack does not know of is never taken over without a word; pulumi import gcp:artifactregistry/repository:Repository registry-releases ${id} --parent registry=urn:pulumi:dev::policy-platform::policychain:index:PolicyRegistry::registry --stack dev; or choose another registry.prefix`,
      );
      return true;
    });
  });

  it("is changed in place, and replaced where its name or format changes", async () => {
    const diff = (change: Values) => repository.diff!(context(), id, releases, {}, { ...releases, ...change });
    assert.deepEqual(await diff({ description: "b" }), {
      changes: { description: "update" },
      deleteBeforeReplace: false,
    });
    assert.deepEqual(await diff({ location: "us" }), {
      changes: { location: "update-replace" },
      deleteBeforeReplace: false,
    });
    assert.equal((await diff({ format: "NPM" })).deleteBeforeReplace, true);
    await repository.create(context(), releases);
    const news = { ...releases, description: "b" };
    assert.equal((await repository.update(context(), id, releases, {}, news)).description, "b");
    assert.deepEqual((await repository.read!(context(), id, {}, {}))!.inputs, news);
  });

  it("is gone when its record is, and cannot be changed then", async () => {
    assert.equal(await repository.read!(context(), id, releases, {}), undefined);
    await assert.rejects(repository.update(context(), id, releases, {}, releases), /^PlatformError: 404: projects/);
    await repository.delete!(context(), id, {});
  });

  it("of a broken record is no answer, so that no refresh forgets it", async () => {
    await repository.create(context(), releases);
    writeFileSync(join(dir, ".local/google-cloud/acme-policy/europe-west1/policy-releases/repository.json"), "{");
    await assert.rejects(repository.read!(context(), id, {}, {}), /repository\.json is no JSON/);
  });

  it("is imported by its id alone, and by nothing else", async () => {
    for (const wrong of ["policy-releases", "projects/../locations/../repositories/..", ""])
      await assert.rejects(repository.read!(context(), wrong, {}, {}), /an id is projects\/PROJECT/);
  });

  it("is refused where Google Cloud would refuse it", async () => {
    assert.deepEqual(await reasons(releases), []);
    assert.deepEqual(await reasons({ ...place, repositoryId: UNKNOWN, format: "DOCKER" }), []);
    assert.deepEqual(
      await reasons({
        project: "acme",
        location: "here",
        repositoryId: "Policy",
        format: "NPM",
        labels: { A: "b" },
        mode: "VIRTUAL_REPOSITORY",
      }),
      [
        "project is no project id",
        "location is no location of Artifact Registry",
        "repositoryId is no name of a repository",
        "format is not served by the stand-in: DOCKER only",
        "labels are not at most 64 labels in lower case",
        "mode is not served by the stand-in",
      ],
    );
    assert.deepEqual(await reasons({ location: "us" }), [
      "project is required",
      "repositoryId is required",
      "format is required",
    ]);
  });

  it("takes no clean-up that would delete everything", async () => {
    const old = { id: "a", action: "DELETE", condition: { olderThan: "1209600s" } };
    const keep = { id: "b", action: "KEEP", mostRecentVersions: { keepCount: 3 } };
    assert.deepEqual(await policies(old, keep), []);
    assert.deepEqual(await policies({ id: "a", action: "DELETE", condition: { tagState: "ANY" } }), [
      "cleanupPolicies[0].condition would delete everything: it has no olderThan",
    ]);
    assert.deepEqual(await policies(old, { ...keep, id: "a" }), ["cleanupPolicies have one id twice"]);
    assert.deepEqual(await policies({ ...keep, action: "DELETE" }), [
      "cleanupPolicies[0].mostRecentVersions is for KEEP only",
    ]);
    assert.deepEqual(await policies({ ...old, condition: { olderThan: "14d" } }), [
      "cleanupPolicies[0].condition has an age that is not in seconds",
    ]);
  });

  it("has members once it is there, each of them once, until it or they are deleted", async () => {
    await assert.rejects(member.create(context(), right), /404: .*policy-releases is not there/);
    await repository.create(context(), releases);
    const made = await member.create(context(), right);
    assert.equal(made.id, `${id}/roles/artifactregistry.reader/user:ann@acme.com`);
    assert.equal((await member.create(context(), right)).id, made.id);
    assert.deepEqual((await member.read!(context(), made.id, {}, {}))!.inputs, right);
    assert.deepEqual(
      (await member.diff!(context(), made.id, right, {}, { ...right, member: "user:bob@acme.com" })).changes,
      {
        member: "update-replace",
      },
    );
    await member.delete!(context(), made.id, {});
    assert.equal(await member.read!(context(), made.id, {}, {}), undefined);
    await member.create(context(), right);
    await repository.delete!(context(), id, {});
    assert.equal(await member.read!(context(), made.id, {}, {}), undefined);
  });

  it("has no member or role that Google Cloud does not know", async () => {
    assert.deepEqual(await reasons(right, member), []);
    assert.deepEqual(await reasons({ ...right, role: "roles/owner", member: "ann", condition: {} }, member), [
      "role is no role on a repository",
      "member is no member",
      "condition is not served by the stand-in",
    ]);
  });
});
