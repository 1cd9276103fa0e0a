// The links of all pages: whoever follows one comes to a page, and to the heading, that it names.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const pages = [
  ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md"],
  ...readdirSync("docs", { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .map((file) => join("docs", file)),
];

const proseOf = (page: string) => readFileSync(page, "utf8").replace(/^```.*?^```/gms, "");

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  const headings = [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map(([, text]) => text!);
  return headings.map((text) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-"),
  );
}

describe("the pages", () => {
  it("link to pages and headings that are there", () => {
    const broken = pages.flatMap((page) =>
      [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => {
        if (/^[a-z]+:/.test(link!)) return [];
        const [path, anchor] = link!.split("#");
        const target = path ? join(dirname(page), path) : page;
        const isThere = existsSync(target) && (!anchor || anchorsOf(target).includes(anchor));
        return isThere ? [] : [`${page}: ${link}`];
      }),
    );
    assert.deepEqual(broken, []);
  });

  it("of how-to and of decisions are all in the lists that people read", () => {
    const lists = [
      ["README.md", "docs/how-to"],
      ["docs/README.md", "docs/how-to"],
      ["docs/decisions/README.md", "docs/decisions"],
    ] as const;
    const missing = lists.flatMap(([list, folder]) => {
      const text = readFileSync(list, "utf8");
      const files = readdirSync(folder).filter((file) => file !== "README.md" && !text.includes(`${file})`));
      return files.map((file) => `${list} lacks ${folder}/${file}`);
    });
    assert.deepEqual(missing, []);
  });
});
