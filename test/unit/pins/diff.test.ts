import assert from "node:assert/strict";
import { shortDigest } from "../../../lib/oci/digest";
import { diffInputs, editedRepositories } from "../../../lib/pins/diff";
import type { Inputs } from "../../../lib/pins/model";
import { digestOf, inputsWith } from "./arbitraries";

const old = inputsWith();
const short = (text: string) => shortDigest(digestOf(text));
const tools = (changes: Inputs["tools"]) => inputsWith({ tools: { ...old.tools, ...changes } });
const without = (name: string) => Object.fromEntries(Object.entries(old.tools).filter(([key]) => key !== name));
const texts = (next: Inputs, structures = {}) => diffInputs(old, next, structures).map(({ text }) => text);
const edited = inputsWith({ repositories: { "security-policy": { digest: digestOf("edited") } } });

describe("the lines that say what changed", () => {
  it("are none when nothing did", () => {
    assert.deepEqual(diffInputs(old, inputsWith()), []);
  });

  it("show a policy edit from digest to digest", () => {
    assert.deepEqual(diffInputs(old, edited), [
      {
        kind: "policies-updated",
        name: "policies.security-policy",
        from: short("policies"),
        to: short("edited"),
        bump: "patch",
        text: `policies security-policy: ${short("policies")} → ${short("edited")} (policy update)`,
      },
    ]);
  });

  it("name what vanished from the structure, three things and how many more", () => {
    const removed = [
      "folder x",
      "rule a of ClusterPolicy p",
      "rule b of ClusterPolicy p",
      "rule c of ClusterPolicy p",
      "z",
    ];
    assert.deepEqual(texts(edited, { "security-policy": { removed, added: [] } }), [
      `policies security-policy: ${short("policies")} → ${short("edited")} (policy structure change: removed folder x, ` +
        "rule a of ClusterPolicy p, rule b of ClusterPolicy p and 2 more)",
    ]);
  });

  it("call an old structure that cannot be read any more a structure change, and say why", () => {
    assert.deepEqual(
      diffInputs(old, edited, { "security-policy": "unknown" }).map(({ bump, text }) => ({ bump, text })),
      [
        {
          bump: "major",
          text: `policies security-policy: ${short("policies")} → ${short("edited")} (policy structure change: its content cannot be compared)`,
        },
      ],
    );
  });

  it("take additions to the structure for a policy update", () => {
    const [change] = diffInputs(old, edited, { "security-policy": { removed: [], added: ["folder new"] } });
    assert.equal(change?.kind, "policies-updated");
  });

  it("show a tool by its versions, up and down, as numbers and not as text", () => {
    const kyverno = (version: string) => tools({ kyverno: { digest: digestOf("other"), version } });
    assert.deepEqual(texts(kyverno("1.14.0")), ["tools kyverno: 1.13.2 → 1.14.0 (tool upgrade)"]);
    assert.deepEqual(texts(kyverno("1.9.0")), ["tools kyverno: 1.13.2 → 1.9.0 (tool downgrade)"]);
    assert.deepEqual(texts(kyverno("1.13.2-rc1")), ["tools kyverno: 1.13.2 → 1.13.2-rc1 (tool downgrade)"]);
    assert.deepEqual(texts(kyverno("1.13.2+b")), ["tools kyverno: 1.13.2 → 1.13.2+b (tool version change)"]);
    assert.deepEqual(texts(kyverno("nightly")), ["tools kyverno: 1.13.2 → nightly (tool version change)"]);
  });

  it("show a tool that was built again by its digests and its version", () => {
    assert.deepEqual(texts(tools({ yq: { digest: digestOf("again"), version: "4.54.1" } })), [
      `tools yq: ${short("yq")} → ${short("again")} (tool rebuilt: 4.54.1)`,
    ]);
  });

  it("show a new version of equal bytes too: the image's label changes with it", () => {
    assert.deepEqual(texts(tools({ yq: { digest: digestOf("yq"), version: "4.54.2" } })), [
      "tools yq: 4.54.1 → 4.54.2 (tool upgrade)",
    ]);
  });

  it("show what was added and removed, a rename as both", () => {
    const renamed = inputsWith({ tools: { ...without("yq"), yq4: old.tools.yq! } });
    assert.deepEqual(texts(renamed), ["tools yq: 4.54.1 (tool removed)", "tools yq4: 4.54.1 (new tool)"]);
    assert.deepEqual(texts(inputsWith({ repositories: { other: { digest: digestOf("policies") } } })), [
      `policies other: ${short("policies")} (new policy repository)`,
      `policies security-policy: ${short("policies")} (policy repository removed)`,
    ]);
  });

  it("see a tool that is called as a property of every object", () => {
    assert.deepEqual(texts(tools({ constructor: { digest: digestOf("x"), version: "1" } })), [
      "tools constructor: 1 (new tool)",
    ]);
  });

  it("come in a fixed order: base, user, template, tools, policies", () => {
    const next = {
      ...inputsWith({ base: digestOf("debian"), image: { user: "0:0" }, repositories: {}, tools: {} }),
      format: 2,
    };
    assert.deepEqual(texts(next), [
      `base image: ${short("base")} → ${short("debian")} (base update)`,
      "image user: 65532:65532 → 0:0 (user change)",
      "format: 1 → 2 (template change)",
      "tools kyverno: 1.13.2 (tool removed)",
      "tools yq: 4.54.1 (tool removed)",
      `policies security-policy: ${short("policies")} (policy repository removed)`,
    ]);
  });
});

describe("the repositories whose structure is compared", () => {
  it("are those in both releases whose digests differ: nothing else is ever read", () => {
    const before = inputsWith({
      repositories: { a: { digest: digestOf("1") }, b: { digest: digestOf("1") }, gone: { digest: digestOf("1") } },
    });
    const after = inputsWith({
      repositories: { a: { digest: digestOf("1") }, b: { digest: digestOf("2") }, fresh: { digest: digestOf("1") } },
    });
    assert.deepEqual(editedRepositories(before, after), ["b"]);
  });
});
