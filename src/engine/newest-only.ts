/** An async iterator that holds the newest value only: a slow reader misses what was overtaken, and nothing piles up. */
export class NewestOnly<T> implements AsyncIterableIterator<T> {
  readonly #onStart: () => void;
  readonly #onEnd: () => void;
  #newest: { readonly value: T } | null = null;
  #waiting: { resolve(result: IteratorResult<T>): void; reject(error: unknown): void }[] = [];
  #started = false;
  #ended = false;
  #error: { readonly reason: unknown } | null = null;

  /** `onStart` is called when it is first read, `onEnd` once it is over, whoever ended it. */
  constructor(onStart: () => void, onEnd: () => void) {
    this.#onStart = onStart;
    this.#onEnd = onEnd;
  }

  /** Whether nothing more will be taken in. */
  get ended(): boolean {
    return this.#ended;
  }

  push(value: T): void {
    if (this.#ended) return;
    const reader = this.#waiting.shift();
    if (reader === undefined) this.#newest = { value };
    else reader.resolve({ value, done: false });
  }

  /** Ends after the newest value was read. */
  end(): void {
    this.#finish();
    for (const reader of this.#waiting.splice(0)) reader.resolve({ value: undefined, done: true });
  }

  fail(reason: unknown): void {
    if (this.#ended) return;
    this.#finish();
    const [reader, ...others] = this.#waiting.splice(0);
    if (reader === undefined) this.#error = { reason };
    else reader.reject(reason);
    for (const other of others) other.resolve({ value: undefined, done: true });
  }

  async next(): Promise<IteratorResult<T>> {
    if (!this.#started && !this.#ended) {
      this.#started = true;
      this.#onStart();
    }
    if (this.#newest !== null) {
      const { value } = this.#newest;
      this.#newest = null;
      return { value, done: false };
    }
    if (this.#error !== null) {
      const { reason } = this.#error;
      this.#error = null;
      throw reason;
    }
    if (this.#ended) return { value: undefined, done: true };
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  async return(): Promise<IteratorResult<T>> {
    this.#newest = null;
    this.end();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd();
  }
}
