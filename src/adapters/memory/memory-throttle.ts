import { Windows } from "../../domain/window.js";
import type { Clock } from "../../ports/clock.js";
import type { ThrottleAdapter } from "../../ports/throttle.js";

/** Options of `memoryThrottle`. */
export interface MemoryThrottleOptions {
  /** @default performance.now */
  readonly clock?: Pick<Clock, "monotonic">;
}

/** Windows of this process alone. Remembers a key no longer than about twice the number of open windows requires. */
export function memoryThrottle(options: MemoryThrottleOptions = {}): ThrottleAdapter {
  const { clock = { monotonic: () => performance.now() } } = options;
  const windows = new Windows();
  return {
    async acquire(keys, windowMs) {
      const now = clock.monotonic();
      return keys.map((key) => windows.acquire(key, now, windowMs));
    },
    async close() {},
  };
}
