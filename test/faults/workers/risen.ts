/** The percent of a job that was reported for so many milliseconds: rises fast at first, and never gets to 90. */
export function risen(forMs: number): number {
  return 90 * (1 - Math.exp(-forMs / 4_000));
}
