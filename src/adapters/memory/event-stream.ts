import { WorkerProgressError } from "../../domain/errors.js";
import type { JobEventPayload } from "../../domain/event.js";

/** One reader's events, in order, kept until it takes them. */
export class EventStream implements AsyncIterableIterator<JobEventPayload> {
  readonly #capacity: number;
  readonly #onEnd: (stream: EventStream) => void;
  readonly #kept: JobEventPayload[] = [];
  readonly #readers: PromiseWithResolvers<IteratorResult<JobEventPayload>>[] = [];
  #ended = false;
  #overflow: WorkerProgressError | null = null;

  constructor(capacity: number, onEnd: (stream: EventStream) => void) {
    this.#capacity = capacity;
    this.#onEnd = onEnd;
  }

  push(event: JobEventPayload): void {
    if (this.#ended) return;
    const reader = this.#readers.shift();
    if (reader !== undefined) reader.resolve({ done: false, value: event });
    else if (this.#kept.length < this.#capacity) this.#kept.push(event);
    else this.#overflowed();
  }

  /** Takes no more; what was kept can still be read. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd(this);
    for (const reader of this.#readers.splice(0)) reader.resolve({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<JobEventPayload>> {
    const event = this.#kept.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#overflow !== null) return this.#rejectOnce(this.#overflow);
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    const reader = Promise.withResolvers<IteratorResult<JobEventPayload>>();
    this.#readers.push(reader);
    return reader.promise;
  }

  return(): Promise<IteratorResult<JobEventPayload>> {
    this.#kept.length = 0;
    this.#overflow = null;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #overflowed(): void {
    const message = `Cannot keep more than ${this.#capacity} events for a reader: read faster, or raise bufferSize`;
    this.#overflow = new WorkerProgressError("CAPACITY_EXCEEDED", message);
    this.end();
  }

  #rejectOnce(error: WorkerProgressError): Promise<never> {
    this.#overflow = null;
    return Promise.reject(error);
  }
}
