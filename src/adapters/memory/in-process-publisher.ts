import { WorkerProgressError } from "../../domain/errors.js";
import type { JobEventPayload } from "../../domain/event.js";
import type { Log } from "../../ports/log.js";
import type { PublisherAdapter, PublishOutcome } from "../../ports/publisher.js";
import { EventStream } from "./event-stream.js";

/** Gets each event, in order. What it throws, and what its promise rejects with, is logged and harms nobody else. */
export type EventListener = (event: JobEventPayload) => unknown;

/** Options of `inProcessPublisher`. */
export interface InProcessPublisherOptions {
  /** Most events kept for one reader of `events()` that does not read, 1 or more. @default 10000 */
  readonly bufferSize?: number;
  /** Told of listeners that fail. @default console */
  readonly log?: Log;
}

/** How to read events one by one. */
export interface ReadEventsOptions {
  /** Ends the reading when it aborts. */
  readonly signal?: AbortSignal;
}

/** A publisher whose listeners are in this process. */
export interface InProcessPublisher extends PublisherAdapter {
  /** Calls `listener` for each event from now on, until the answered function is called. */
  on(listener: EventListener): () => void;
  /**
   * Reads events from now on, each once and in order. Ends when the publisher closes, after what was kept is read, and
   * when `signal` aborts or the loop is left. A reader that falls `bufferSize` events behind gets what was kept and
   * then the error `CAPACITY_EXCEEDED`, so a gap never goes unseen.
   */
  events(options?: ReadEventsOptions): AsyncIterableIterator<JobEventPayload>;
}

/**
 * Hands events to listeners and readers in this process; with neither it answers "unroutable".
 * @throws TypeError or RangeError when an option is wrong
 * @example
 * const publisher = inProcessPublisher();
 * publisher.on((event) => console.log(event.job_id, event.status, event.progress));
 */
export function inProcessPublisher(options: InProcessPublisherOptions = {}): InProcessPublisher {
  const { bufferSize = 10_000, log = console } = options;
  const unknown = Object.keys(options).find((key) => key !== "bufferSize" && key !== "log");
  if (unknown !== undefined) throw new TypeError(`Unknown option "${unknown}", known are bufferSize, log`);
  if (!Number.isSafeInteger(bufferSize) || bufferSize < 1) {
    throw new RangeError("Option bufferSize must be a whole number of events, 1 or more");
  }
  const listeners = new Set<{ readonly listener: EventListener }>();
  const streams = new Set<EventStream>();
  let closed = false;

  const open = () => {
    if (closed) throw new WorkerProgressError("REPORTER_CLOSED", "Cannot publish: the publisher is closed");
  };
  const hand = (event: JobEventPayload): PublishOutcome => {
    if (listeners.size + streams.size === 0) return "unroutable";
    for (const { listener } of [...listeners]) call(listener, event, log);
    for (const stream of [...streams]) stream.push(event);
    return "confirmed";
  };
  return Object.freeze({
    async setup() {
      open();
    },
    async publish(events) {
      open();
      return events.map((event) => hand(event.payload));
    },
    on(listener) {
      const entry = { listener };
      if (!closed) listeners.add(entry);
      return () => {
        listeners.delete(entry);
      };
    },
    events({ signal } = {}) {
      const onAbort = () => void stream.return();
      const stream = new EventStream(bufferSize, (ended) => {
        streams.delete(ended);
        signal?.removeEventListener("abort", onAbort);
      });
      if (closed || signal?.aborted) stream.end();
      else streams.add(stream);
      if (streams.has(stream)) signal?.addEventListener("abort", onAbort, { once: true });
      return stream;
    },
    async close() {
      closed = true;
      listeners.clear();
      for (const stream of [...streams]) stream.end();
    },
  } satisfies InProcessPublisher);
}

function call(listener: EventListener, event: JobEventPayload, log: Log): void {
  const failed = (error: unknown) =>
    log.warn("A listener of job events failed", {
      event_id: event.event_id,
      reason: error instanceof Error ? error.message : String(error),
    });
  try {
    const result = listener(event);
    if (isPromiseLike(result)) result.then(undefined, failed);
  } catch (error) {
    failed(error);
  }
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
