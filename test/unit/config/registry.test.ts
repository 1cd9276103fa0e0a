import assert from "node:assert/strict";
import { parseSettings } from "../../../config/parse";
import { repositoryNames } from "../../../lib/registry/names";
import { problemsAfter, projectDir, spoiled } from "./valid";

const context = { stack: "dev", projectDir };
const flux = "serviceAccount:flux@acme-prod.iam.gserviceaccount.com";
const small = { kind: "artifactRegistry", project: "acme-policy", location: "europe-west1" };

const parsed = (registry: unknown) => parseSettings(spoiled(["registry"], registry), context).registry;
/** `key code` of each problem. */
const codes = (registry: unknown) =>
  problemsAfter(["registry"], registry).map(({ key, code }) => `${key.replace("policy-platform:", "")} ${code}`);

describe("a registry of kind artifactRegistry", () => {
  it("has its address, its names and its defaults from project and location", () => {
    const registry = parsed(small);
    assert.deepEqual(registry, {
      kind: "artifactRegistry",
      address: "europe-west1-docker.pkg.dev/acme-policy",
      separator: "/",
      insecure: false,
      prefix: "policy",
      project: "acme-policy",
      location: "europe-west1",
      labels: {},
      immutableTags: false,
      protect: true,
      readers: [],
      writers: [],
    });
    const names = repositoryNames(registry);
    const host = "europe-west1-docker.pkg.dev/acme-policy";
    assert.deepEqual(
      [names.candidates("p"), names.releases("p"), names.base(), names.tool("yq"), names.policies("team")],
      ["candidates/p", "releases/p", "layers/base", "layers/tools/yq", "layers/repositories/team"].map(
        (name) => `${host}/policy-${name}`,
      ),
    );
  });

  it("takes everything that can be said, with ages in days", () => {
    const { cleanup, ...said } = {
      ...small,
      prefix: "guard-rails",
      labels: { team: "platform", "cost-centre": "", a_1: "x_1" },
      immutableTags: true,
      protect: false,
      cleanup: { olderThan: "14d", keep: 3, dryRun: false },
      readers: [flux, "group:policy@acme.com", "user:ann.o'neill+x@acme.co.uk"],
      writers: [
        "principalSet://iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/ci/attribute.repository/acme/policy",
        "principalSet://iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/ci/*",
        "serviceAccount:acme-prod.svc.id.goog[flux-system/source-controller]",
      ],
    };
    assert.deepEqual(parsed({ ...said, cleanup }), {
      ...said,
      address: "europe-west1-docker.pkg.dev/acme-policy",
      separator: "/",
      insecure: false,
      cleanup: { olderThanDays: 14, keep: 3, dryRun: false },
    });
  });

  it("is cleaned up in a dry run first, and keeps ten candidates, unless the stack says otherwise", () => {
    const registry = parsed({ ...small, cleanup: { olderThan: "30d" } });
    assert.deepEqual(registry.kind === "artifactRegistry" && registry.cleanup, {
      olderThanDays: 30,
      keep: 10,
      dryRun: true,
    });
  });

  it("is pushed to elsewhere where an address is given, under the same names", () => {
    const registry = parsed({ ...small, address: "127.0.0.1:5000" });
    assert.equal(registry.address, "127.0.0.1:5000");
    assert.equal(repositoryNames(registry).releases("p"), "127.0.0.1:5000/policy-releases/p");
  });

  it("is reached below its domain where its project belongs to one", () => {
    const { address } = parsed({ ...small, project: "acme.com:policy" });
    assert.equal(address, "europe-west1-docker.pkg.dev/acme.com/policy");
  });

  it("needs project and location, and says both at once with the lines that set them", () => {
    const problems = problemsAfter(["registry"], { kind: "artifactRegistry" });
    assert.deepEqual(
      problems.map(({ code, what, fix }) => [code, what, fix]),
      ["location", "project"].map((key) => [
        "key-missing",
        `policy-platform:registry.${key} is missing`,
        `pulumi config set --path 'policy-platform:registry.${key}' '${key === "project" ? "acme-policy" : "europe-west1"}' --stack dev`,
      ]),
    );
  });

  it("has no key of an existing registry, nor the other way round", () => {
    assert.deepEqual(codes({ ...small, separator: "-", insecure: true }), [
      "registry.insecure registry-kind",
      "registry.separator registry-kind",
    ]);
    const [unsaid] = problemsAfter(["registry"], { address: "ghcr.io/acme", project: "acme-policy" });
    assert.equal(unsaid!.code, "registry-kind");
    assert.equal(
      unsaid!.fix,
      "pulumi config set --path 'policy-platform:registry.kind' 'artifactRegistry' --stack dev",
    );
    const said = { kind: "existing", address: "ghcr.io/acme", cleanup: { olderThan: "14d" } };
    const [problem] = problemsAfter(["registry"], said);
    assert.equal(
      problem!.what,
      "policy-platform:registry.cleanup is a key of kind artifactRegistry; this registry is of kind existing",
    );
    assert.equal(problem!.fix, "pulumi config rm --path 'policy-platform:registry.cleanup' --stack dev");
  });

  it("is looked at whole: every error at once", () => {
    const registry = {
      kind: "artifactRegistry",
      project: "Acme",
      location: "europe-west1-b",
      prefix: "9lives-",
      labels: { Team: "Platform" },
      immutableTags: "yes",
      cleanup: { keep: 0, dryRun: 1 },
      readers: ["allUsers", flux, flux],
    };
    assert.deepEqual(codes(registry), [
      "registry.cleanup.dryRun value-wrong",
      "registry.cleanup.keep value-wrong",
      "registry.cleanup.olderThan key-missing",
      "registry.immutableTags value-wrong",
      "registry.labels.Team label-malformed",
      "registry.labels.Team label-malformed",
      "registry.location location-malformed",
      "registry.prefix name-malformed",
      "registry.project project-malformed",
      "registry.readers[0] member-public",
      "registry.readers[2] name-repeated",
    ]);
  });
});

describe("a clean-up rule", () => {
  for (const [title, cleanup, key] of [
    ["packages", { olderThan: "14d", packages: ["layers/tools"] }, "packages"],
    ["layers", { layers: { olderThan: "14d" }, olderThan: "14d" }, "layers"],
    ["releases", { olderThan: "14d", releases: true }, "releases"],
    ["tags", { olderThan: "14d", tagPrefixes: ["v"] }, "tagPrefixes"],
    ["a repository", { olderThan: "14d", repositories: ["policy-releases"] }, "repositories"],
  ] as const) {
    it(`that names ${title} cannot be written`, () => {
      const [problem, ...rest] = problemsAfter(["registry"], { ...small, cleanup });
      assert.deepEqual(rest, []);
      assert.deepEqual(problem, {
        key: `policy-platform:registry.cleanup.${key}`,
        code: "cleanup-kept",
        what: `policy-platform:registry.cleanup.${key} chooses what is cleaned up`,
        rule: "candidates alone are cleaned up, by olderThan, keep and dryRun; layers and releases are kept for ever",
        fix: `pulumi config rm --path 'policy-platform:registry.cleanup.${key}' --stack dev`,
      });
    });
  }

  it("that is misspelt says what was meant", () => {
    const [problem] = problemsAfter(["registry"], { ...small, cleanup: { olderThan: "14d", dryrun: false } });
    assert.match(problem!.what, /dryrun is no known key; did you mean dryRun\?$/);
  });

  it("is set to a number that stays one", () => {
    const [problem] = problemsAfter(["registry"], { ...small, cleanup: { olderThan: "14d", keep: "3" } });
    assert.match(problem!.what, /is text, not a whole number: "3"$/);
    const key = "'policy-platform:registry.cleanup.keep'";
    assert.equal(
      problem!.fix,
      `pulumi config rm --path ${key} --stack dev && pulumi config set --path ${key} '10' --stack dev`,
    );
  });
});

/** What stands where, and the value that the fix sets; undefined for one that nobody can guess. */
const refused: readonly [title: string, key: string, value: string, meant?: string][] = [
  ["a project with capitals", "project", "Acme-Policy", "acme-policy"],
  ["a project by its resource name", "project", "projects/acme-policy", "acme-policy"],
  ["a project by its number", "project", "123456789012"],
  ["a project of five characters", "project", "acme1"],
  ["a project that ends with a dash", "project", "acme-policy-"],
  ["a project of 31 characters", "project", "a".repeat(31)],
  ["a project that climbs", "project", "acme/../other"],
  ["a zone", "location", "europe-west1-b", "europe-west1"],
  ["a location in capitals", "location", "US", "us"],
  ["the short name of Europe", "location", "eu", "europe"],
  ["a registry's host as location", "location", "us-central1-docker.pkg.dev", "us-central1"],
  ["a location that is none", "location", "here"],
  ["a prefix with an underscore", "prefix", "our_policy", "our-policy"],
  ["a prefix of 53 characters", "prefix", "a".repeat(53)],
  ["an empty prefix", "prefix", ""],
];

describe("what Google Cloud would refuse is refused before anything is asked:", () => {
  for (const [title, key, value, meant] of refused) {
    it(title, () => {
      const [problem, ...rest] = problemsAfter(["registry"], { ...small, [key]: value });
      assert.deepEqual(rest, []);
      assert.match(problem!.code, /^(project|location|name)-malformed$/);
      const example = { project: "acme-policy", location: "europe-west1", prefix: "policy" }[key];
      assert.ok(problem!.fix.includes(`'${meant ?? example}'`), problem!.fix);
    });
  }

  it("more labels than there may be", () => {
    const labels = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`key-${index}`, "x"]));
    assert.deepEqual(codes({ ...small, labels }), ["registry.labels labels-many"]);
    delete labels["key-0"];
    assert.deepEqual(codes({ ...small, labels }), []);
  });

  for (const member of ["allUsers", "allAuthenticatedUsers", "domain:acme.com"]) {
    it(`${member}, as policies are private`, () => {
      const [problem] = problemsAfter(["registry"], { ...small, readers: [flux, member] });
      assert.equal(problem!.code, "member-public");
      assert.match(problem!.rule, /never everybody$/);
      assert.equal(problem!.fix, "pulumi config rm --path 'policy-platform:registry.readers[1]' --stack dev");
    });
  }

  for (const [member, meant] of [
    ["flux@acme-prod.iam.gserviceaccount.com", flux],
    ["serviceAccount:Flux@ACME-prod.iam.gserviceaccount.com", flux],
    ["ann@acme.com", flux],
    ["user:ann", flux],
    ["deleted:user:ann@acme.com?uid=1", flux],
    ["projectEditor:acme-policy", flux],
    ["principal://example.com/x", flux],
    ["user:ann@acme.com\nuser:bob@acme.com", flux],
  ] as const) {
    it(`a member ${JSON.stringify(member)}`, () => {
      const [problem, ...rest] = problemsAfter(["registry"], { ...small, writers: [member] });
      assert.deepEqual(rest, []);
      assert.equal(problem!.code, "member-malformed");
      assert.ok(problem!.fix.includes(`'${meant}'`), problem!.fix);
    });
  }
});

describe("an address on a well-known host", () => {
  const problems = (registry: unknown) =>
    problemsAfter(["registry"], registry).map(({ code, what, rule, fix }) => `${code}: ${what}; ${rule}; ${fix}`);

  for (const address of ["docker.io/acme", "ghcr.io/acme", "ghcr.io/acme/platform", "docker.io.example/a/b"])
    it(`may be ${address}`, () => {
      const separator = address.startsWith("docker.io/") ? "-" : "/";
      assert.deepEqual(problems({ kind: "existing", address, separator }), []);
    });

  it("on Docker Hub needs the separator for two levels", () => {
    for (const registry of [
      { kind: "existing", address: "docker.io/acme" },
      { kind: "existing", address: "docker.io/acme", separator: "/" },
    ]) {
      const [problem, ...others] = problems(registry);
      assert.deepEqual(others, []);
      assert.match(
        problem!,
        /^registry-levels: .*separator.* is "\/" on Docker Hub;.* two levels.*registry\.separator.* -/,
      );
    }
  });

  for (const [address, wrong, meant] of [
    ["docker.io", "is not a registry's address", "host[:port][/path]"],
    ["docker.io/acme/policies", "has 2 levels after", "docker.io/acme"],
    ["index.docker.io/acme", "names Docker Hub as index.docker.io", "docker.io/acme"],
    ["registry-1.docker.io/acme", "names Docker Hub as registry-1.docker.io", "docker.io/acme"],
    ["ghcr.io", "names no owner", "ghcr.io/OWNER"],
  ] as const)
    it(`is not ${address}`, () => {
      const found = problems({ kind: "existing", address, separator: "-" });
      assert.equal(found.length, 1, found.join("\n"));
      assert.ok(found[0]!.includes(wrong), found[0]);
      assert.ok(found[0]!.includes(meant), found[0]);
    });
});
