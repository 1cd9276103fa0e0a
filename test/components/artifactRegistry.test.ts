// What kind artifactRegistry asks of Google Cloud, input by input; protection, which mocks do not show, by a transformation.
import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { PolicyRegistry, type PolicyRegistryArgs } from "../../components/registry";
import { type Recorded, record } from "../support/mocks";
import { unwrap } from "../support/unwrap";

const repositoryType = "gcp:artifactregistry/repository:Repository";
const memberType = "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember";
const flux = "serviceAccount:flux@acme-prod.iam.gserviceaccount.com";
const ci =
  "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/attribute.repository/acme/policy";
const place = { project: "acme-policy", location: "europe-west1" };
const small = { kind: "artifactRegistry", ...place } as const;

const descriptions = {
  candidates: "Images that were built and are not released yet; they may be deleted at any time",
  layers: "Layer images of tools, policies and bases; images are composed of them by digest",
  releases: "Released images and artifacts, which clusters and CI pull",
};

/** Inputs by `<type> <name>`. */
const inputsOf = (recorded: readonly Recorded[], type: string) =>
  Object.fromEntries(recorded.filter((one) => one.type === type).map(({ name, inputs }) => [name, inputs]));

/** The three repositories as Google Cloud is asked for them, with what differs from the smallest configuration. */
const repositories = (more: Partial<Record<keyof typeof descriptions, object>> = {}, prefix = "policy") =>
  Object.fromEntries(
    (Object.keys(descriptions) as (keyof typeof descriptions)[]).map((root) => [
      `registry-${root}`,
      { ...place, repositoryId: `${prefix}-${root}`, format: "DOCKER", description: descriptions[root], ...more[root] },
    ]),
  );

for (const preview of [false, true]) {
  describe(`a registry of kind artifactRegistry${preview ? " in a preview" : ""}`, () => {
    /** Declares one, and waits for everything that it declares. */
    async function declared(args: PolicyRegistryArgs, opts: pulumi.ComponentResourceOptions = {}) {
      const recorded = await record(preview);
      const registry = new PolicyRegistry("registry", args, opts);
      await registry.created();
      await unwrap(registry.address);
      const members = 3 * new Set(args.writers).size + 2 * new Set(args.readers).size;
      const declaredMembers = () => recorded.filter(({ type }) => type === memberType).length;
      for (let turn = 0; turn < 1000 && declaredMembers() < members; turn++) await new Promise(setImmediate);
      return { registry, recorded };
    }

    it("declares three repositories of docker format, and nothing else", async () => {
      const { registry, recorded } = await declared(small);
      assert.deepEqual(inputsOf(recorded, repositoryType), repositories());
      assert.deepEqual(recorded.map(({ type }) => type).sort(), [
        ...Array(3).fill(repositoryType),
        "policychain:index:PolicyRegistry",
      ]);
      assert.equal(await unwrap(registry.address), "europe-west1-docker.pkg.dev/acme-policy");
      assert.equal(registry.names.base(), "europe-west1-docker.pkg.dev/acme-policy/policy-layers/base");
    });

    it("declares releases alone for a stack that promotes", async () => {
      const { recorded } = await declared({ ...small, only: ["releases"] });
      const { "registry-releases": releases } = repositories();
      assert.deepEqual(inputsOf(recorded, repositoryType), { "registry-releases": releases });
    });

    it("gives them labels, and candidates alone a clean-up, which deletes nothing at first", async () => {
      const labels = { team: "platform" };
      const cleanup = { olderThanDays: 14, keep: 10, dryRun: true };
      const { recorded } = await declared({ ...small, prefix: "guard", labels, cleanup });
      const candidates = {
        labels,
        cleanupPolicyDryRun: true,
        cleanupPolicies: [
          { id: "delete-old", action: "DELETE", condition: { tagState: "ANY", olderThan: "1209600s" } },
          { id: "keep-newest", action: "KEEP", mostRecentVersions: { keepCount: 10 } },
        ],
      };
      assert.deepEqual(
        inputsOf(recorded, repositoryType),
        repositories({ candidates, layers: { labels }, releases: { labels } }, "guard"),
      );
    });

    it("makes the tags of releases immutable where it is asked to, and no others", async () => {
      const { recorded } = await declared({ ...small, immutableTags: true });
      const releases = { dockerConfig: { immutableTags: true } };
      assert.deepEqual(inputsOf(recorded, repositoryType), repositories({ releases }));
      const { recorded: movable } = await declared({ ...small, immutableTags: false });
      assert.deepEqual(inputsOf(movable, repositoryType), repositories());
    });

    it("lets readers pull layers and releases, and writers push to all three", async () => {
      const { recorded } = await declared({ ...small, readers: [flux], writers: [ci, ci] });
      const right = (root: string, role: string, member: string) => ({
        ...place,
        repository: `policy-${root}`,
        role: `roles/artifactregistry.${role}`,
        member,
      });
      assert.deepEqual(inputsOf(recorded, memberType), {
        "registry-candidates-writer-317d2fd1": right("candidates", "writer", ci),
        "registry-layers-reader-d1abce93": right("layers", "reader", flux),
        "registry-layers-writer-317d2fd1": right("layers", "writer", ci),
        "registry-releases-reader-d1abce93": right("releases", "reader", flux),
        "registry-releases-writer-317d2fd1": right("releases", "writer", ci),
      });
    });

    it("names a member the same wherever it stands in the list", async () => {
      const names = async (readers: string[]) =>
        Object.keys(inputsOf((await declared({ ...small, readers })).recorded, memberType)).sort();
      assert.deepEqual(await names([flux, ci]), await names([ci, flux]));
    });

    it("protects and retains layers and releases, never candidates, and nothing where the stack says so", async () => {
      const options = async (args: PolicyRegistryArgs) => {
        const seen: Record<string, unknown> = {};
        const transformations = [
          ({ type, name, opts }: pulumi.ResourceTransformationArgs) => {
            if (type === repositoryType) seen[name] = [opts.protect, opts.retainOnDelete];
            return undefined;
          },
        ];
        await declared(args, { transformations });
        return seen;
      };
      assert.deepEqual(await options(small), {
        "registry-candidates": [false, false],
        "registry-layers": [true, true],
        "registry-releases": [true, true],
      });
      assert.deepEqual(await options({ ...small, protect: false }), {
        "registry-candidates": [false, false],
        "registry-layers": [false, false],
        "registry-releases": [false, false],
      });
    });

    it("is pushed to elsewhere where an address is given, and declares the same", async () => {
      const { registry, recorded } = await declared({ ...small, address: "127.0.0.1:5000" });
      assert.deepEqual(inputsOf(recorded, repositoryType), repositories());
      assert.equal(registry.names.releases("p"), "127.0.0.1:5000/policy-releases/p");
    });

    it("is there once its repositories are, which a preview of the first run cannot say", async () => {
      const { registry } = await declared(small);
      assert.equal(await registry.created(), true);
      assert.equal(await new PolicyRegistry("there", { address: "127.0.0.1:5000" }).created(), true);

      // What the engine answers in a preview for what is yet to be made: no id.
      const newResource = ({ inputs }: pulumi.runtime.MockResourceArgs) => ({ id: preview ? "" : "id", state: inputs });
      await pulumi.runtime.setMocks({ newResource, call: () => ({}) }, "policy-platform", "test", preview);
      assert.equal(await new PolicyRegistry("registry", small).created(), !preview);
    });
  });
}

describe("a registry of kind artifactRegistry that lacks something", () => {
  it("is refused with everything that it lacks", async () => {
    await record(false);
    assert.throws(
      () => new PolicyRegistry("registry", { kind: "artifactRegistry" }),
      ({ errors }: pulumi.InputPropertiesError) => {
        assert.deepEqual(
          errors!.slice(0, 2).map(({ propertyPath, reason }) => `${propertyPath} ${reason}`),
          ["project is required of kind artifactRegistry", "location is required of kind artifactRegistry"],
        );
        return true;
      },
    );
  });
});
