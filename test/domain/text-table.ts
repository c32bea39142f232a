/** Lays rows out as text, so that an exhaustive test reads, and fails, as one table. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** A table as a test file holds it: indented, and with cells two blanks or more apart. */
export function tableOf(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return textTable(lines.filter((line) => line !== "").map((line) => line.split(/ {2,}/)));
}
