/** A percent that can be decided on, or what is wrong with the value. */
export type CheckedPercent =
  | { readonly ok: true; readonly percent: number }
  | { readonly ok: false; readonly problem: string };

/** Clamps a number to 0–100; anything that is not a finite number is refused. */
export function checkPercent(value: unknown): CheckedPercent {
  if (typeof value !== "number" || !Number.isFinite(value)) {
    return { ok: false, problem: `percent must be a finite number from 0 to 100, got ${describe(value)}` };
  }
  return { ok: true, percent: Math.min(100, Math.max(0, value)) };
}

/** What a column of this type stores of a percent. Whole columns floor: 99.9 is never 100. */
export function storedPercent(percent: number, type: "integer" | "decimal"): number {
  return type === "integer" ? Math.floor(percent) : percent;
}

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  return typeof value === "number" || value === undefined || value === null ? String(value) : typeof value;
}
