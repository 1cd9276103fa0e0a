// Text of others on a screen.
import assert from "node:assert/strict";
import fc from "fast-check";
import { cut, printable, quoted, quotedAscii } from "../../lib/printable";
import { anyCharacter } from "../support/anyCharacter";

const anyText = fc.string({ unit: anyCharacter, maxLength: 2000 });
const hidden = /[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/;

describe("text of others", () => {
  it("is shown on one line, without colours and without what cannot be seen", () => {
    assert.equal(printable("\x1b[31mred\x1b[0m\r\n\ttwo\x00\u202ethree"), "red two three");
    assert.equal(printable("Grüße, 世界"), "Grüße, 世界");
    fc.assert(fc.property(anyText, (text) => !hidden.test(printable(text, 50)) && printable(text, 50).length <= 50));
  });

  it("is told exactly between quotes: read back it is the same text", () => {
    assert.equal(quoted("a\u202eb\u{e0001}ü"), '"a\\u202eb\\udb40\\udc01ü"');
    fc.assert(fc.property(anyText, (text) => !hidden.test(quoted(text)) && JSON.parse(quoted(text)) === text));
  });

  it("is told in ASCII where one letter could pass for another", () => {
    assert.equal(quotedAscii("раypal"), '"\\u0440\\u0430ypal"');
    fc.assert(
      fc.property(
        anyText,
        (text) => /^[\x20-\x7e]*$/.test(quotedAscii(text)) && JSON.parse(quotedAscii(text)) === text,
      ),
    );
  });

  it("is cut between characters", () => {
    assert.equal(cut("abcdef", 4), "abc…");
    assert.equal(cut("ab😀cd", 4), "ab…");
    assert.equal(cut("abcd", 4), "abcd");
  });
});
