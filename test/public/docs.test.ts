import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { errorCodes } from "../../src/domain/errors.js";

const pages = ["README.md", "CHANGELOG.md", ...globSync("docs/**/*.md")];

test("each error code has a heading in docs/errors.md, and no heading is of another", () => {
  const headings = [...readFileSync("docs/errors.md", "utf8").matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
  expect(headings.toSorted()).toEqual(errorCodes.toSorted());
});

test.each(pages)("the relative links of %s lead somewhere", (page) => {
  const links = [...readFileSync(page, "utf8").matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link]) => link ?? "");
  expect(links.filter((link) => !existsSync(join(dirname(page), link)))).toEqual([]);
});
