import { setImmediate as macrotask } from "node:timers/promises";
import type { CancelTimer, Clock } from "../../src/ports/clock.js";

/** A timer that has not fired. */
export interface PendingTimer {
  /** When it fires, on the monotonic clock. */
  readonly at: number;
  readonly holdsProcess: boolean;
}

interface Timer extends PendingTimer {
  readonly run: () => void;
}

/** A clock that stands still until a test advances it. */
export class SimulatedClock implements Clock {
  readonly #timers = new Set<Timer>();
  #monotonic = 0;
  #wall: number;

  constructor(wall = Date.UTC(2024, 0, 20, 10, 30)) {
    this.#wall = wall;
  }

  wall(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  schedule(delayMs: number, run: () => void, holdsProcess: boolean): CancelTimer {
    const timer = { at: this.#monotonic + Math.max(0, delayMs), run, holdsProcess };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** Moves time on, firing timers in order and letting promises settle before, between and after them. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await macrotask();
    for (let timer = this.#next(end); timer !== null; timer = this.#next(end)) {
      this.#moveTo(Math.max(this.#monotonic, timer.at));
      this.#timers.delete(timer);
      timer.run();
      await macrotask();
    }
    this.#moveTo(end);
    await macrotask();
  }

  /** Moves the wall clock alone, forwards or back, as an operator or NTP does. */
  jumpWall(ms: number): void {
    this.#wall += ms;
  }

  /** Timers that have not fired, soonest first. */
  pendingTimers(): readonly PendingTimer[] {
    return [...this.#timers].sort((a, b) => a.at - b.at).map(({ at, holdsProcess }) => ({ at, holdsProcess }));
  }

  /** Whether a pending timer keeps the process alive. */
  holdsProcess(): boolean {
    return this.pendingTimers().some((timer) => timer.holdsProcess);
  }

  #next(end: number): Timer | null {
    let next: Timer | null = null;
    for (const timer of this.#timers) if (timer.at <= end && (next === null || timer.at < next.at)) next = timer;
    return next;
  }

  #moveTo(monotonic: number): void {
    this.#wall += monotonic - this.#monotonic;
    this.#monotonic = monotonic;
  }
}
