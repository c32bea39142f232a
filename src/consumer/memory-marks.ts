import type { EffectOutcome, EventDedupe } from "./event-dedupe.js";

/** Options of `memoryMarks`. */
export interface MemoryMarksOptions {
  /** How many events are remembered, 1 or more; the oldest are forgotten first. @default 100000 */
  readonly maxIds?: number;
}

/** Remembers in this process alone which events were handled: a restart, or another process, handles them again. */
export function memoryMarks(options: MemoryMarksOptions = {}): EventDedupe {
  const { maxIds = 100_000 } = options;
  if (!(maxIds >= 1)) throw new RangeError("Option maxIds must be 1 or more");
  const done = new Set<string>();
  const running = new Map<string, Promise<EffectOutcome>>();
  const run = async (key: string, effect: () => Promise<void>): Promise<EffectOutcome> => {
    await effect();
    done.add(key);
    for (const oldest of done) {
      if (done.size <= maxIds) break;
      done.delete(oldest);
    }
    return "done";
  };
  return Object.freeze({
    async once({ queue, eventId }, effect) {
      const key = JSON.stringify([queue, eventId]);
      for (let other = running.get(key); other !== undefined; other = running.get(key)) await other.catch(() => {});
      if (done.has(key)) return "known";
      const outcome = run(key, () => effect({}));
      running.set(key, outcome);
      return outcome.finally(() => running.delete(key));
    },
  } satisfies EventDedupe);
}
