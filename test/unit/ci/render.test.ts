import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { parseDocument } from "yaml";
import type { ConsumerRequest } from "../../../lib/ci/checks";
import { Consumer, renderConsumerCi } from "../../../lib/ci/render";
import { shellLine, shellWord } from "../../../lib/ci/shell";
import { PlatformError } from "../../../lib/errors";
import { anyCharacter } from "../../support/anyCharacter";
import { golden } from "../../support/golden";

const consumers = Object.values(Consumer);
const request: ConsumerRequest = {
  image: { registry: "ghcr.io", path: "org/policy-platform", digest: `sha256:${"ab".repeat(32)}` },
  version: "v1.4.2",
  chart: "charts/app",
  values: ["cd/production/values.yaml"],
  policies: ["security-policy", "devops-policy/charts/release-hygiene"],
  environment: "production",
  kubernetes: "1.31",
  ruleset: ".spectral.yaml",
  registryLogin: "password",
};

describe("the CI file of an application team", () => {
  for (const consumer of consumers) {
    it(`for ${consumer} stays as it was reviewed, whenever it is made`, () => {
      const text = renderConsumerCi(consumer, request);
      assert.equal(renderConsumerCi(consumer, structuredClone(request)), text);
      golden(`ci/${consumer}.yml`, text);
    });

    it(`for ${consumer} is YAML 1.2 that names the image by digest alone, and the version beside it`, () => {
      const text = renderConsumerCi(consumer, request);
      const document = parseDocument(text, { version: "1.2", strict: true });
      assert.deepEqual([document.errors, document.warnings], [[], []]);
      const reference = `ghcr.io/org/policy-platform@sha256:${"ab".repeat(32)}`;
      assert.equal(text.split(reference).length, 2, "once");
      assert.ok(text.includes(`${reference} # v1.4.2\n`));
      assert.doesNotMatch(text.replace(/^#.*\n/gm, ""), /policy-platform:/, "no tag");
    });

    it(`for ${consumer} says how it was made, and that line makes it again`, () => {
      const lines = renderConsumerCi(consumer, { ...request, named: "ghcr.io/org/policy-platform:v1.4.2" }).split("\n");
      const [command] = lines.filter((line) => line.startsWith("#   policy-platform render ci"));
      const argv = execFileSync("sh", ["-c", `printf '%s\\n' ${command!.slice(4)}`], { encoding: "utf8" });
      assert.deepEqual(argv.trimEnd().split("\n").slice(0, 5), [
        ...["policy-platform", "render", "ci", "--consumer", consumer],
      ]);
      assert.match(argv, /--image\nghcr\.io\/org\/policy-platform:v1\.4\.2\n/);
    });

    it(`for ${consumer} holds no secret, only the names of two`, () => {
      const text = renderConsumerCi(consumer, request);
      assert.match(text, /POLICY_PLATFORM_REGISTRY_PASSWORD/);
      const none = renderConsumerCi(consumer, { ...request, registryLogin: "none" });
      assert.doesNotMatch(none.replace(/^#.*\n/gm, ""), /password|secrets/i);
    });
  }

  it("for GitHub may read the checkout and nothing else; packages only where GitHub's own token pulls", () => {
    const permissions = (registryLogin: ConsumerRequest["registryLogin"]) =>
      parseDocument(renderConsumerCi("github", { ...request, registryLogin })).get("permissions");
    assert.deepEqual(JSON.parse(JSON.stringify(permissions("password"))), { contents: "read" });
    assert.deepEqual(JSON.parse(JSON.stringify(permissions("github"))), { contents: "read", packages: "read" });
  });

  it("for GitHub takes every action by a full commit", () => {
    const uses = [...renderConsumerCi("github", request).matchAll(/uses: (.*)/g)].map(([, used]) => used!);
    assert.equal(uses.length, 1);
    for (const used of uses) assert.match(used, /^[\w/-]+@[0-9a-f]{40} # v/);
  });

  it("for Bitbucket has no login with GitHub's token", () => {
    refused({ registryLogin: "github" }, "--registry-login", "bitbucket");
  });

  it("is refused for paths that leave the checkout, options in disguise do no harm", () => {
    for (const chart of [
      "",
      "/etc",
      "../chart",
      "charts/../../x",
      "a\nb",
      "a,b",
      'a"b',
      "a\\b",
      "x${{ secrets.A }}",
      "\u202e",
    ])
      refused({ chart }, "--chart");
    refused({ values: ["ok.yaml", "../secret.yaml"] }, "--values");
    for (const policy of ["", "..", "../etc", "/etc", "security-policy/../..", "a b", "Team"])
      refused({ policies: [policy] }, "--policies");
    for (const kubernetes of ["", "1", "v1.31", "1.31 --x", "latest", "1.31.0.0"])
      refused({ kubernetes }, "--kubernetes");
    for (const environment of ["", "../dev", "a b", "-x"]) refused({ environment }, "--environment");
    refused({ ruleset: "/etc/spectral.yaml" }, "--ruleset");
    const text = renderConsumerCi("bitbucket", { ...request, chart: "--post-renderer", values: ["-f"] });
    assert.match(text, /helm template app \.\/--post-renderer --values \.\/-f /);
  });

  it("gives a chart at the root and rules of the image their due", () => {
    const text = renderConsumerCi("bitbucket", {
      ...request,
      chart: ".",
      ruleset: "/repos/backend-applications/.spectral.yaml",
    });
    assert.match(text, /helm template app \. --values/);
    assert.match(text, /spectral lint \.\/values\.yaml \S+ --ruleset \/repos\/backend-applications\/\.spectral\.yaml/);
  });

  it("hands every word to the shell as it is", () => {
    const word = fc.string({ unit: anyCharacter, maxLength: 30 }).filter((text) => !text.includes("\0"));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 20 }), (words) => {
        const printed = execFileSync("sh", ["-c", `printf '%s\\0' ${shellLine(words)}`], { encoding: "utf8" });
        assert.deepEqual(printed.split("\0").slice(0, -1), words);
      }),
      { numRuns: 50 },
    );
    assert.equal(shellWord("it's"), "'it'\\''s'");
  });

  function refused(change: Partial<ConsumerRequest>, option: string, consumer: Consumer = "github") {
    assert.throws(
      () => renderConsumerCi(consumer, { ...request, ...change }),
      (error) => error instanceof PlatformError && error.code === "ci-option" && error.message.startsWith(option),
      JSON.stringify(change),
    );
  }
});
