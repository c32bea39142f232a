import { type BackoffPolicy, backoffMs } from "../domain/backoff.js";
import { WorkerProgressError } from "../domain/errors.js";
import type { CancelTimer, Clock } from "../ports/clock.js";
import type { Log } from "../ports/log.js";

export interface StorageOutageOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** 0–1. */
  readonly random: () => number;
  readonly backoff: BackoffPolicy;
  /** An outage begins. */
  readonly onBegin: (error: WorkerProgressError) => void;
  /** The pause after a failure is over: try again. */
  readonly onRetry: () => void;
}

/** Whether the storage is away, said once, and when it is tried again. */
export class StorageOutage {
  readonly #options: StorageOutageOptions;
  #error: WorkerProgressError | null = null;
  #failures = 0;
  #paused = false;
  #stopped = false;
  #cancelRetry: CancelTimer | null = null;

  constructor(options: StorageOutageOptions) {
    this.#options = options;
  }

  /** Why the storage is away; null while it is not known to be. */
  get error(): WorkerProgressError | null {
    return this.#error;
  }

  /** Whether nothing is to be tried for now. */
  get paused(): boolean {
    return this.#paused;
  }

  failed(cause: unknown): void {
    const { log, clock, backoff, random, onBegin, onRetry } = this.#options;
    const error =
      cause instanceof WorkerProgressError
        ? cause
        : new WorkerProgressError("STORAGE_UNAVAILABLE", "The storage failed", { cause });
    if (this.#error === null) {
      log.warn("The storage is away: progress is kept in memory and tried again", {
        code: error.code,
        reason: error.message,
      });
      onBegin(error);
    }
    this.#error = error;
    this.#failures++;
    if (this.#paused || this.#stopped) return;
    this.#paused = true;
    const retry = () => {
      this.#paused = false;
      onRetry();
    };
    this.#cancelRetry = clock.schedule(backoffMs(this.#failures, backoff, random()), retry, true);
  }

  recovered(): void {
    if (this.#error !== null) this.#options.log.warn("The storage is back: what was kept is being written");
    this.#error = null;
    this.#failures = 0;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelRetry?.();
  }
}
