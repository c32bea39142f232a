import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { holds, snippetsIn } from "./snippets.js";

const examples = join(import.meta.dirname, "../../examples");
const programs: string[] = [];
for await (const file of glob("**/*.ts", { cwd: examples }))
  programs.push(await readFile(join(examples, file), "utf8"));

describe.each(["README.md", "docs/migrating.md", "docs/shutdown.md", "docs/operations.md"])(
  "every TypeScript block of %s is compiled",
  async (document) => {
    const snippets = await snippetsIn(document);

    test.each(snippets.map((snippet) => [snippet.split("\n").findLast(Boolean), snippet]))("… %s", (_, snippet) => {
      const holder = programs.some((program) => holds(program, snippet));
      expect(holder, `This block is in no file of examples/; put it into examples/snippets.ts:\n${snippet}`).toBe(true);
    });
  },
);

test("a block with another line, another order or an import that is missing is not held", () => {
  const program = 'import { a } from "a";\n\nfunction f() {\n  a(1);\n  a(2);\n}\n';
  expect(holds(program, 'import { a } from "a";\n\na(1);\na(2);\n')).toBe(true);
  expect(holds(program, "a(2);\na(1);\n")).toBe(false);
  expect(holds(program, "a(1);\na(3);\n")).toBe(false);
  expect(holds(program, "a(1\n")).toBe(false);
  expect(holds(program, 'import { b } from "b";\n\na(1);\n')).toBe(false);
});
