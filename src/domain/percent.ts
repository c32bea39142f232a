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

/**
 * What is stored of a percent with so many decimal places, up to 12; null for as many as a number has. It is cut off, not rounded:
 * 99.9 is never 100.
 */
export function storedPercent(percent: number, decimals: number | null): number {
  if (decimals === null) return percent;
  const unit = 10 ** decimals;
  // The product may be a hair off the whole number that it stands for: 0.29 times 100 is less than 29.
  const nearest = Math.round(percent * unit);
  return (nearest / unit > percent ? nearest - 1 : nearest) / unit;
}

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  return typeof value === "number" || value === undefined || value === null ? String(value) : typeof value;
}
