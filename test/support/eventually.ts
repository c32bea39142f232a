import { setTimeout as sleep } from "node:timers/promises";

/** How long to wait, and how often to look, in milliseconds. */
export interface EventuallyOptions {
  /** @default 10000 */
  readonly timeoutMs?: number;
  /** @default 10 */
  readonly everyMs?: number;
}

/** Runs `assertions` until they pass and answers what they return; rejects with their last error when time is up. */
export async function eventually<T>(assertions: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<T> {
  const { timeoutMs = 10_000, everyMs = 10 } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await assertions();
    } catch (error) {
      if (performance.now() >= deadline) throw error;
    }
    await sleep(everyMs);
  }
}
