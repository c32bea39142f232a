/** Windows of one process: per key, until when it is taken. Pure data; the caller brings the time. */
export class Windows {
  readonly #until = new Map<string, number>();
  #sweepAt = 1_024;

  /** 0 when the window was free and is taken now, else the milliseconds until it is free. */
  acquire(key: string, now: number, windowMs: number): number {
    const until = this.#until.get(key);
    if (until !== undefined && until > now) return until - now;
    if (this.#until.size >= this.#sweepAt) this.#sweep(now);
    this.#until.set(key, now + windowMs);
    return 0;
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#until.size;
  }

  #sweep(now: number): void {
    for (const [key, until] of this.#until) if (until <= now) this.#until.delete(key);
    this.#sweepAt = Math.max(1_024, this.#until.size * 2);
  }
}
