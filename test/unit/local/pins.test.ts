import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { editedText } from "../../../config/stackFile";
import { decidePins, type Pins, readPin } from "../../../local/pins";

const built = `127.0.0.1:5000/layers/tools/yq@sha256:${"a".repeat(64)}`;
const rebuilt = `127.0.0.1:5000/layers/tools/yq@sha256:${"b".repeat(64)}`;
const text = `# mine
config:
  policy-platform:tools:
    yq: {version: "4.54.1", image: "${built}"} # raised by hand in March
    helm:   {version: '3.19.0'}
  policy-platform:policies:
    # ours
    a: {folder: a}
`;

/** The text afterwards, with what was decided. */
function update(before: string, wanted: Pins, ours: Pins = {}) {
  const { edits, ...decision } = decidePins(before, wanted, (path, present) => present === ours[path]);
  return { ...decision, text: editedText(before, edits) };
}

describe("the pins of Pulumi.local.yaml", () => {
  it("change where npm run local wrote them, and nothing else changes by a byte", () => {
    const after = update(text, { "tools.yq.image": rebuilt }, { "tools.yq.image": built });
    assert.deepEqual(after, { text: text.replace(built, rebuilt), owned: { "tools.yq.image": rebuilt }, kept: {} });
  });

  it("change in keys without a namespace too", () => {
    const bare = text.replaceAll("policy-platform:", "");
    const after = update(bare, { "tools.yq.image": rebuilt }, { "tools.yq.image": built });
    assert.equal(after.text, bare.replace(built, rebuilt));
  });

  it("stay when the user wrote them, and are named", () => {
    const after = update(text, { "tools.yq.image": rebuilt, "tools.yq.version": "5" });
    assert.deepEqual(after, { text, owned: {}, kept: { "tools.yq.image": built, "tools.yq.version": "4.54.1" } });
  });

  it("are known again when they equal what was just built, although the memory of them is lost", () => {
    const after = update(text, { "tools.yq.image": built });
    assert.deepEqual(after, { text, owned: { "tools.yq.image": built }, kept: {} });
  });

  it("are not added where the user removed them or took another source", () => {
    const after = update(text, { "tools.helm.image": built, "base.image": built });
    assert.deepEqual(after, { text, owned: {}, kept: {} });
  });

  it("are filled in where they are empty, as in a copy of the template", () => {
    const empty = text.replace(built, "");
    assert.equal(update(empty, { "tools.yq.image": rebuilt }).text, text.replace(built, rebuilt));
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
    const made = update(template, wanted, { "registry.address": "127.0.0.1:5000" });
    assert.deepEqual(made.owned, wanted);
    const { config } = parse(made.text);
    assert.deepEqual(config["policy-platform:tools"].kyverno, { version: "1.10", image: built });
    assert.equal(config["policy-platform:registry"].address, "127.0.0.1:5001");
    const comments = (whole: string) => whole.split("\n").filter((line) => line.includes("#"));
    assert.deepEqual(comments(made.text), comments(template));
    for (const [path, value] of Object.entries(wanted)) assert.equal(readPin(made.text, path), value);
  });
});
