import { appendFileSync } from "node:fs";

/** Prints the figures of a row, and appends them to the file that FAULT_FIGURES names, so that the table's come from a run. */
export function recordFigures(figures: { readonly server: string; readonly fault: string }): void {
  const line = JSON.stringify(figures);
  const { FAULT_FIGURES: file } = process.env;
  if (file) appendFileSync(file, `${line}\n`);
  console.log(`fault: ${line}`);
}
