import { WorkerProgressError } from "../domain/errors.js";
import { isTerminal } from "../domain/job-status.js";
import type { Log } from "../ports/log.js";
import { JobEvents } from "./job-events.js";
import type { JobSource } from "./job-source.js";
import { eventId, seenState } from "./job-version.js";
import { within } from "./within.js";

/** How a stream is kept. */
export interface EventStreamOptions {
  readonly heartbeatMs: number;
  readonly log: Log;
}

const firstStateMs = 10_000;
const headers = {
  "content-type": "text/event-stream",
  "cache-control": "private, no-cache, no-transform",
  // nginx would else hold events back until its buffer is full.
  "x-accel-buffering": "no",
};

/**
 * Follows a job for as long as the client listens. 204, which ends a browser's reconnecting, when it has seen the end.
 *
 * @throws {STORAGE_UNAVAILABLE} when there is no first state within ten seconds, and what `watch` throws before it
 */
export async function eventStream(
  source: JobSource,
  jobId: string,
  request: Request,
  options: EventStreamOptions,
): Promise<Response> {
  const ending = new AbortController();
  const unavailable = (reason: string) =>
    new WorkerProgressError("STORAGE_UNAVAILABLE", `Cannot watch job "${jobId}": ${reason}`, { jobId });
  const states = source.watch(jobId, { signal: ending.signal });
  const stop = () => {
    request.signal.removeEventListener("abort", stop);
    ending.abort();
    // What waits to be asked for its next state hears no signal.
    states.return?.()?.catch(() => {});
  };
  request.signal.addEventListener("abort", stop);
  if (request.signal.aborted) stop();
  try {
    const first = await within(states.next(), firstStateMs, unavailable);
    if (first.done) throw unavailable("watching ended before it began");
    const lastEventId = request.headers.get("last-event-id");
    if (isTerminal(first.value.status) && eventId(first.value) === lastEventId) {
      stop();
      return new Response(null, { status: 204, headers: { "cache-control": "private, no-cache" } });
    }
    const seen = seenState(lastEventId);
    const events = new JobEvents({ states, first: first.value, seen, lastEventId, stop, ...options });
    return new Response(new ReadableStream(events, { highWaterMark: 0 }), { headers });
  } catch (error) {
    stop();
    throw error;
  }
}
