import { setImmediate } from "node:timers/promises";
import { onTestFinished, vi } from "vitest";
import { eventually } from "./eventually.js";

/**
 * Lets the timers of a test stand still until it lets time pass, while sockets go on: what is answered meanwhile is
 * answered at once, and however long the machine takes for it, nothing is given up.
 */
export function simulateTimers(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
}

/** Lets time pass, and the turns of the event loop that what was due then takes. */
export async function elapse(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  for (let turn = 0; turn < 3; turn++) await setImmediate();
}

/** Lets time pass until `assertions` pass, ten seconds of it at most. */
export function untilInTime<T>(assertions: () => T | Promise<T>): Promise<T> {
  const inTime = async () => {
    await elapse(10);
    return await assertions();
  };
  return eventually(inTime, { everyMs: 1 });
}
