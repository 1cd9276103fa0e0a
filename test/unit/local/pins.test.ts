import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { PlatformError } from "../../../lib/errors";
import { readPin, updatePins } from "../../../local/pins";

const built = `127.0.0.1:5000/layers/tools/yq@sha256:${"a".repeat(64)}`;
const rebuilt = `127.0.0.1:5000/layers/tools/yq@sha256:${"b".repeat(64)}`;
const text = `# mine
config:
  policy-platform:tools:
    yq: {version: "4.54.1", image: ${built}} # raised by hand in March
    helm:   {version: '3.19.0'}
  policy-platform:policies:
    # ours
    a: {folder: a}
`;

describe("the pins of Pulumi.local.yaml", () => {
  it("change where npm run local wrote them, and nothing else changes by a byte", () => {
    const update = updatePins(text, { wanted: { "tools.yq.image": rebuilt }, owned: { "tools.yq.image": built } });
    assert.equal(update.text, text.replace(built, JSON.stringify(rebuilt)));
    assert.deepEqual(update.changed, ["tools.yq.image"]);
    assert.deepEqual(update.owned, { "tools.yq.image": rebuilt });
  });

  it("stay when the user wrote them", () => {
    const update = updatePins(text, { wanted: { "tools.yq.image": rebuilt, "tools.yq.version": "5" }, owned: {} });
    assert.equal(update.text, text);
    assert.deepEqual(update.owned, {});
  });

  it("are known again when they equal what was just built, although the memory of them is lost", () => {
    const update = updatePins(text, { wanted: { "tools.yq.image": built }, owned: {} });
    assert.equal(update.text, text);
    assert.deepEqual(update.owned, { "tools.yq.image": built });
  });

  it("are not added where the user removed them or took another source", () => {
    const update = updatePins(text, { wanted: { "tools.helm.image": built, "base.image": built }, owned: {} });
    assert.equal(update.text, text);
    assert.deepEqual(update.changed, []);
  });

  it("are renewed when what they name is gone, whoever wrote them", () => {
    const isGone = (path: string, value: string) => path === "tools.yq.image" && value === built;
    assert.ok(updatePins(text, { wanted: { "tools.yq.image": rebuilt }, owned: {}, isGone }).text.includes(rebuilt));
  });

  it("fill the template, whose every other line stays", () => {
    const template = readFileSync(join(__dirname, "../../../local/Pulumi.local.template.yaml"), "utf8");
    const wanted = {
      "registry.address": "127.0.0.1:5001",
      "base.image": built,
      "tools.kyverno.image": built,
      "tools.kyverno.version": "1.10",
      "tools.yq.image": rebuilt,
      "tools.yq.version": "4.54.1",
    };
    const made = updatePins(template, { wanted, owned: {}, isGone: () => true });
    assert.deepEqual(made.owned, wanted);
    const { config } = parse(made.text);
    assert.deepEqual(config["policy-platform:tools"].kyverno, { version: "1.10", image: built });
    assert.equal(config["policy-platform:registry"].address, "127.0.0.1:5001");
    const comments = (whole: string) => whole.split("\n").filter((line) => line.includes("#"));
    assert.deepEqual(comments(made.text), comments(template));
    for (const [path, value] of Object.entries(wanted)) assert.equal(readPin(made.text, path), value);
  });

  it("are refused in a file that is no YAML, with its line", () => {
    assert.throws(
      () => updatePins("config: [", { wanted: {}, owned: {} }),
      (error: PlatformError) => error.code === "stack-file-malformed" && /line 1/.test(error.message),
    );
  });
});
