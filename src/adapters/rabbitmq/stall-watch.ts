/**
 * Calls `onStall` when something is awaited and nothing comes for `timeoutMs`. Holds no timer while nothing is awaited. What
 * arrived while the process was busy counts: a timer that is late by a blocked loop fires before the sockets are read.
 */
export class StallWatch {
  readonly #timeoutMs: number;
  readonly #onStall: () => void;
  #timer: NodeJS.Timeout | null = null;
  #late: NodeJS.Immediate | undefined;
  #awaited = 0;
  #paused = false;

  constructor(timeoutMs: number, onStall: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#onStall = onStall;
  }

  expect(): void {
    if (this.#awaited++ === 0) this.#restart();
  }

  came(): void {
    clearImmediate(this.#late);
    if (--this.#awaited === 0) this.stop();
    else this.#timer?.refresh();
  }

  /** While paused nothing is overdue. */
  pause(paused: boolean): void {
    this.#paused = paused;
    this.#restart();
  }

  stop(): void {
    clearImmediate(this.#late);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #restart(): void {
    this.stop();
    if (this.#awaited === 0 || this.#paused) return;
    this.#timer = setTimeout(() => {
      this.#late = setImmediate(this.#onStall);
    }, this.#timeoutMs);
  }
}
