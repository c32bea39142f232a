import type { Clock } from "./ports/clock.js";

/**
 * The machine's clocks and timers. What is due runs once the sockets have been read: behind a blocked loop timers come first,
 * and an answer that had arrived would pass for none.
 * https://nodejs.org/en/learn/asynchronous-work/event-loop-timers-and-nexttick#phases-overview
 */
export const systemClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(delayMs, run, holdsProcess) {
    let due: NodeJS.Immediate | undefined;
    const timer = setTimeout(
      () => {
        due = setImmediate(run);
      },
      Math.max(0, Math.ceil(delayMs)),
    );
    if (!holdsProcess) timer.unref();
    return () => {
      clearTimeout(timer);
      clearImmediate(due);
    };
  },
};
