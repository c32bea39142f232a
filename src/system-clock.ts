import type { Clock } from "./ports/clock.js";

/** The machine's clocks and timers. */
export const systemClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(delayMs, run, holdsProcess) {
    const timer = setTimeout(run, Math.max(0, Math.ceil(delayMs)));
    if (!holdsProcess) timer.unref();
    return () => clearTimeout(timer);
  },
};
