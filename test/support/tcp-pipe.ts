import type { Socket } from "node:net";

interface Parcel {
  /** Null stands for the end of the stream. */
  readonly chunk: Buffer | null;
  readonly dueAt: number;
}

// A slow line does not deliver a large chunk at once at the end of its time.
const slicesPerSecond = 50;

/** One way of a connection: what goes in comes out in its order, some of it later. */
export class Pipe {
  readonly #to: Socket;
  #parcels: Parcel[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(to: Socket) {
    this.#to = to;
  }

  /** Bytes on their way. */
  get length(): number {
    return this.#parcels.reduce((sum, { chunk }) => sum + (chunk?.length ?? 0), 0);
  }

  send(chunk: Buffer | null): void {
    this.#queue(chunk, this.#lastDueAt);
  }

  sendAfter(ms: number, chunk: Buffer | null): void {
    this.#queue(chunk, Math.max(this.#lastDueAt, performance.now() + ms));
  }

  sendAt(bytesPerSecond: number, chunk: Buffer): void {
    const size = Math.max(1, Math.floor(bytesPerSecond / slicesPerSecond));
    for (let from = 0; from < chunk.length; from += size) {
      const slice = chunk.subarray(from, from + size);
      const begin = Math.max(this.#lastDueAt, performance.now());
      this.#queue(slice, begin + (slice.length / bytesPerSecond) * 1_000);
    }
  }

  /** Keeps it, and all that follows, until `release`. */
  hold(chunk: Buffer | null): void {
    this.#queue(chunk, Number.POSITIVE_INFINITY);
  }

  /** Delivers now whatever is on its way. */
  release(): void {
    this.#parcels = this.#parcels.map(({ chunk }) => ({ chunk, dueAt: 0 }));
    this.#deliver();
  }

  /** Loses whatever is on its way. */
  clear(): void {
    this.#parcels = [];
    clearTimeout(this.#timer);
  }

  get #lastDueAt(): number {
    return this.#parcels.at(-1)?.dueAt ?? 0;
  }

  #queue(chunk: Buffer | null, dueAt: number): void {
    this.#parcels.push({ chunk, dueAt });
    if (this.#parcels.length === 1) this.#deliver();
  }

  #deliver(): void {
    clearTimeout(this.#timer);
    for (let next = this.#parcels[0]; next !== undefined; next = this.#parcels[0]) {
      const waitMs = next.dueAt - performance.now();
      if (waitMs > 0) {
        // Held until released.
        if (waitMs !== Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.#deliver(), waitMs);
        return;
      }
      this.#parcels.shift();
      if (next.chunk === null) this.#to.end();
      else if (!this.#to.destroyed) this.#to.write(next.chunk);
    }
  }
}
