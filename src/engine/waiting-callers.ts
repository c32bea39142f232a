import type { ProgressResult } from "../domain/progress-result.js";
import type { CancelTimer, Clock } from "../ports/clock.js";

interface Caller {
  readonly until: number;
  readonly settle: (result: ProgressResult) => void;
}

/** Those who wait for the write of what they reported: a slow storage holds nobody up for longer than `patienceMs`. */
export class WaitingCallers {
  readonly #clock: Clock;
  readonly #patienceMs: number;
  /** Longest waiting first. */
  readonly #callers = new Set<Caller>();
  #cancel: CancelTimer | null = null;

  constructor(clock: Clock, patienceMs: number) {
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  /** What a caller is answered, once `onWaiting`'s argument was called or time is up: then its value is kept. */
  wait(onWaiting: (settle: Caller["settle"]) => void): Promise<ProgressResult> {
    return new Promise((resolve) => {
      const until = this.#clock.monotonic() + this.#patienceMs;
      const settle = (result: ProgressResult) => {
        resolve(result);
        if (this.#callers.delete(caller) && this.#callers.size === 0) this.stop();
      };
      const caller = { until, settle };
      this.#callers.add(caller);
      this.#cancel ??= this.#arm(this.#patienceMs);
      onWaiting(settle);
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #arm(delayMs: number): CancelTimer {
    return this.#clock.schedule(delayMs, () => this.#answerPatient(), false);
  }

  #answerPatient(): void {
    this.#cancel = null;
    const now = this.#clock.monotonic();
    for (const { until, settle } of this.#callers) {
      if (until > now) {
        this.#cancel = this.#arm(until - now);
        return;
      }
      settle({ outcome: "coalesced" });
    }
  }
}
