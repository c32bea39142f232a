import { longestDelayMs } from "../domain/longest-delay.js";
import type { Clock } from "../ports/clock.js";

/** The outcome of `work`, or a rejection with `late()` after `timeoutMs`. A later outcome of `work` is let go. */
export function bounded<T>(clock: Clock, work: Promise<T>, timeoutMs: number, late: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = clock.schedule(timeoutMs, () => reject(late()), true);
    work.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error) => {
        cancel();
        reject(error);
      },
    );
  });
}

/** Resolves after `delayMs`. */
export function delay(clock: Clock, delayMs: number, holdsProcess: boolean): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(delayMs, resolve, holdsProcess);
  });
}

/** Waits until `running` answers null: true; false when `deadline` (monotonic milliseconds) comes first. */
export async function settledBy(
  clock: Clock,
  deadline: number,
  running: () => Promise<unknown> | null,
): Promise<boolean> {
  for (let work = running(); work !== null; work = running()) {
    const left = deadline - clock.monotonic();
    if (left <= 0) return false;
    await bounded(clock, work, left, () => new Error("late")).catch(() => {});
  }
  return true;
}

/** The outcome of `work`, for which the process stays alive even where its sockets would let it end. */
export function held<T>(clock: Clock, work: Promise<T>): Promise<T> {
  return work.finally(clock.schedule(longestDelayMs, () => {}, true));
}
