import { setImmediate as nextTurn } from "node:timers/promises";
import type { ProgressSink, TrackOptions } from "./progress-sink.js";

/** Yields the items and reports on the way. */
export function track<T>(
  sink: ProgressSink,
  items: Iterable<T> | AsyncIterable<T>,
  options: TrackOptions,
  throwIfAborted: () => void,
): AsyncIterableIterator<T> {
  const total = options.total ?? sizeOf(items);
  if (total === undefined || !(total >= 0)) {
    throw new TypeError("Cannot track items of unknown number: pass { total }");
  }
  return trackCounted(sink, items, total, options.step, throwIfAborted);
}

async function* trackCounted<T>(
  sink: ProgressSink,
  items: Iterable<T> | AsyncIterable<T>,
  total: number,
  step: string | undefined,
  throwIfAborted: () => void,
): AsyncIterableIterator<T> {
  let done = 0;
  void sink.progress(0, step);
  for await (const item of items) {
    throwIfAborted();
    yield item;
    done++;
    void sink.progress(done >= total ? 100 : (done / total) * 100, step);
    // Without a turn of the event loop no write goes out, however long the loop lasts.
    await nextTurn();
  }
  if (total === 0) void sink.progress(100, step);
}

function sizeOf(items: object): number | undefined {
  if ("length" in items && typeof items.length === "number") return items.length;
  if ("size" in items && typeof items.size === "number") return items.size;
  return undefined;
}
