import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { problemCodes, statusOf } from "../../src/http/problem.js";

const read = (path: string) => readFileSync(join(import.meta.dirname, path), "utf8");
const page = read("../../docs/http.md");
const squeezed = (code: string) => code.replace(/\s+/g, "");

test("every TypeScript snippet of docs/http.md is code that compiles", () => {
  const compiled = squeezed(read("mounting.ts"));
  const snippets = [...page.matchAll(/```ts\n(.*?)```/gs)].map(([, code = ""]) => code);
  expect(snippets.length).toBeGreaterThan(3);
  const missing = snippets.filter((code) => {
    const body = code.replace(/^import .*\n/gm, "");
    return !compiled.includes(squeezed(body));
  });
  expect(missing).toEqual([]);
});

test("docs/http.md names every problem and its status", () => {
  for (const code of problemCodes) expect(page).toContain(`| \`${code}\` | ${statusOf(code)} |`);
});
