import { type BackoffPolicy, backoffMs } from "../domain/backoff.js";
import { isRetryable } from "../domain/errors.js";
import type { Clock } from "../ports/clock.js";

interface Pause {
  readonly isWanted: () => boolean;
  readonly end: () => void;
}

const backoff: BackoffPolicy = { firstMs: 100, maxMs: 2_000 };

/** Reads again and again while the storage is away and somebody waits for the answer. */
export class StoragePatience {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #pauses = new Set<Pause>();

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** What `read` answers once the storage is there; null when it is not wanted any more. */
  async until<T>(read: () => Promise<T>, isWanted: () => boolean): Promise<T | null> {
    for (let failures = 1; isWanted(); failures++) {
      try {
        return await read();
      } catch (error) {
        if (!isRetryable(error)) throw error;
      }
      if (isWanted()) await this.#pause(backoffMs(failures, backoff, this.#random()), isWanted);
    }
    return null;
  }

  /** Ends the pauses of what is not wanted any more, and leaves no timer of them. */
  release(): void {
    for (const { isWanted, end } of this.#pauses) if (!isWanted()) end();
  }

  #pause(ms: number, isWanted: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#pauses.delete(pause);
        resolve();
      };
      const pause = { isWanted, end };
      const cancel = this.#clock.schedule(ms, end, true);
      this.#pauses.add(pause);
    });
  }
}
