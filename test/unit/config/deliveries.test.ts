// Environments and bundles: what a stack says of them, and what is refused.
import assert from "node:assert/strict";
import { parseBuildSettings, problemsOf } from "../../../config/parse";
import { projectDir, valid } from "./valid";

const context = { stack: "dev", projectDir };
const problems = (changes: object) =>
  problemsOf({ ...valid(), clusters: {}, ...changes }, context).map(({ code, what, fix }) => ({ code, what, fix }));

describe("what a stack delivers", () => {
  it("is read as it stands", () => {
    const { artifacts, bundles } = parseBuildSettings(
      { ...valid(), bundles: { all: { repositories: ["security-policy"] } } },
      context,
    );
    assert.deepEqual(artifacts, { environments: ["dev", "production"], allow: [] });
    assert.deepEqual(bundles, { all: { repositories: ["security-policy"] } });
  });

  it("names each environment once, by a name", () => {
    assert.deepEqual(problems({ artifacts: { environments: ["dev", "Prod", "dev"] } }), [
      {
        code: "name-malformed",
        what: 'policy-platform:artifacts.environments[1] is not a name: "Prod"',
        fix: "pulumi config set --path 'policy-platform:artifacts.environments[1]' 'prod' --stack dev",
      },
      {
        code: "name-repeated",
        what: 'policy-platform:artifacts.environments[2] stands there already: "dev"',
        fix: "pulumi config rm --path 'policy-platform:artifacts.environments[2]' --stack dev",
      },
    ]);
  });

  it("makes bundles of policy repositories that are there, each once", () => {
    const found = problems({
      bundles: { all: { repositories: ["security-polcy", "security-policy", "security-policy"] }, none: {} },
    });
    assert.deepEqual(
      found.map(({ code, what }) => `${code} ${what}`),
      [
        'repository-unknown policy-platform:bundles.all.repositories[0] names no policy repository: "security-polcy"',
        'name-repeated policy-platform:bundles.all.repositories[2] stands there already: "security-policy"',
        "key-missing policy-platform:bundles.none.repositories is missing",
      ],
    );
    assert.equal(
      found[0]!.fix,
      "pulumi config set --path 'policy-platform:bundles.all.repositories[0]' 'security-policy' --stack dev",
    );
  });

  it("is refused where it is of another form", () => {
    for (const [changes, code] of [
      [{ artifacts: "dev" }, "value-wrong"],
      [{ artifacts: { environments: "dev" } }, "value-wrong"],
      [{ artifacts: { environment: ["dev"] } }, "key-unknown"],
      [{ bundles: ["all"] }, "value-wrong"],
      [{ bundles: { "A b": { repositories: ["security-policy"] } } }, "name-malformed"],
      [{ bundles: { all: { repositories: [] } } }, "value-wrong"],
      [{ artifacts: { environments: Array.from({ length: 21 }, (_, index) => `e${index}`) } }, "value-wrong"],
    ] as const)
      assert.deepEqual(
        [...new Set(problems(changes).map((one) => one.code))],
        [code],
        `${JSON.stringify(changes)}: ${JSON.stringify(problems(changes))}`,
      );
  });
});
