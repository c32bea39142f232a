/** How long to wait between tries, in milliseconds. */
export interface BackoffPolicy {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * The wait after so many failures in a row: doubles from `firstMs` to `maxMs`, of which the upper half is drawn by
 * `random` (0–1), so that processes that failed together do not return together.
 */
export function backoffMs(failures: number, policy: BackoffPolicy, random: number): number {
  const ceiling = Math.min(policy.maxMs, policy.firstMs * 2 ** Math.min(30, Math.max(0, failures - 1)));
  return ceiling / 2 + (ceiling / 2) * random;
}
