import { eventually } from "../support/eventually.js";

/** Longest that a browser test may take, in milliseconds: a browser shares the machine with the servers and workers. */
export const browserTestMs = 90_000;

/** Waits until the page shows what it should. */
export function untilShown<T>(assertions: () => T | Promise<T>): Promise<T> {
  return eventually(assertions, { timeoutMs: 40_000, everyMs: 50 });
}
