import assert from "node:assert/strict";
import { sha256 } from "../../../lib/oci/digest";
import type { TagRole } from "../../../provider/resources/tag";
import { decideTag, type TagDecision, type TagFacts } from "../../../provider/tagRule";

const [ours, theirs, next] = [sha256("ours"), sha256("theirs"), sha256("next")];

const rows: [string, Omit<TagFacts, "role">, { commit: TagDecision; version: TagDecision; latest: TagDecision }][] = [
  ["a name that is free is written", { wanted: ours }, { commit: "write", version: "write", latest: "write" }],
  [
    "a free name is foreseen for an image that is not known yet",
    {},
    { commit: "write", version: "write", latest: "write" },
  ],
  [
    "a free name that the state knows is written again",
    { wanted: ours, released: ours },
    { commit: "write", version: "write", latest: "write" },
  ],
  [
    "what is there already is kept, without a state too",
    { found: ours, wanted: ours },
    { commit: "keep", version: "keep", latest: "keep" },
  ],
  [
    "what was moved away and is wanted again is kept",
    { found: next, wanted: next, released: ours },
    { commit: "keep", version: "keep", latest: "keep" },
  ],
  [
    "another image under the name is refused, latest moves",
    { found: theirs, wanted: ours },
    { commit: "taken", version: "taken", latest: "write" },
  ],
  [
    "an image that is not known yet cannot have a name that is there",
    { found: theirs },
    { commit: "taken", version: "taken", latest: "write" },
  ],
  [
    "not even a name that this stack released",
    { found: ours, released: ours },
    { commit: "taken", version: "taken", latest: "write" },
  ],
  [
    "a new image under the old name is refused",
    { found: ours, wanted: next, released: ours },
    { commit: "taken", version: "taken", latest: "write" },
  ],
  [
    "a tag that was moved by hand goes back",
    { found: theirs, wanted: ours, released: ours },
    { commit: "repair", version: "repair", latest: "write" },
  ],
  [
    "a tag that was moved by hand takes no third image",
    { found: theirs, wanted: next, released: ours },
    { commit: "taken", version: "taken", latest: "write" },
  ],
];

describe("the rule of tags", () => {
  for (const [title, facts, expected] of rows) {
    it(title, () => {
      for (const role of ["commit", "version", "latest"] as TagRole[])
        assert.equal(decideTag({ role, ...facts }), expected[role], role);
    });
  }
});
