import type { Clock } from "../../ports/clock.js";
import type { DedupeAdapter } from "../../ports/dedupe.js";

/** Options of `memoryDedupe`. */
export interface MemoryDedupeOptions {
  /** @default performance.now */
  readonly clock?: Pick<Clock, "monotonic">;
  /** How many ids are remembered, 1 or more; the oldest are forgotten first. @default 100000 */
  readonly maxIds?: number;
}

/** Remembers in this process alone which events were sent. */
export function memoryDedupe(options: MemoryDedupeOptions = {}): DedupeAdapter {
  const { clock = { monotonic: () => performance.now() }, maxIds = 100_000 } = options;
  if (!(maxIds >= 1)) throw new RangeError("Option maxIds must be 1 or more");
  const until = new Map<string, number>();
  const mark = (id: string, now: number, ttlMs: number) => {
    const end = until.get(id);
    if (end !== undefined && end > now) return false;
    // Taken out first, so that the map is in the order of marking.
    until.delete(id);
    until.set(id, now + ttlMs);
    for (const [oldest] of until) {
      if (until.size <= maxIds) break;
      until.delete(oldest);
    }
    return true;
  };
  return {
    async mark(ids, ttlMs) {
      const now = clock.monotonic();
      return ids.map((id) => mark(id, now, ttlMs));
    },
    async unmark(ids) {
      for (const id of ids) until.delete(id);
    },
    async close() {},
  };
}
