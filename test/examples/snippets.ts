import { readFile } from "node:fs/promises";

/** The TypeScript blocks of a Markdown file, in order, each without the indentation it has in the text. */
export async function snippetsIn(document: string): Promise<readonly string[]> {
  const text = await readFile(new URL(`../../${document}`, import.meta.url), "utf8");
  const blocks = text.matchAll(/^( *)```ts\n(.*?)^ *```$/gms);
  return [...blocks].map(([, indentation = "", code = ""]) => code.replaceAll(new RegExp(`^${indentation}`, "gm"), ""));
}

/** Whether a program holds a snippet literally: its imports, and the rest in one piece, at any one indentation. */
export function holds(program: string, snippet: string): boolean {
  const lines = snippet.trimEnd().split("\n");
  const imports = lines.filter((line) => line.startsWith("import "));
  const rest = lines.filter((line) => !line.startsWith("import "));
  const programLines = program.split("\n");
  return (
    imports.every((line) => programLines.includes(line)) &&
    ["", "  ", "    "].some((indentation) => `\n${program}`.includes(`\n${indented(rest, indentation)}\n`))
  );
}

function indented(lines: readonly string[], indentation: string): string {
  return lines
    .map((line) => (line === "" ? "" : indentation + line))
    .join("\n")
    .replace(/^\n+/, "");
}
