import { backoffMs } from "../domain/backoff.js";
import type { JobEventPayload } from "../domain/event.js";
import { reasonOf } from "../domain/reason-of.js";
import type { AmqpDelivery } from "./client-types.js";
import type { ConsumerSettings } from "./consumer-options.js";
import type { JobTurns } from "./job-turns.js";
import { pause } from "./pause.js";
import { readEvent } from "./read-event.js";

/** What is to become of a message. One that is abandoned comes again. */
export type Verdict = { readonly kind: "handled" } | { readonly kind: "abandoned" } | DeadLetter;

/** Why a message is put aside. */
export interface DeadLetter {
  readonly kind: "dead";
  /** "invalid": it is no event; "failed": the handler threw at every try. */
  readonly reason: "invalid" | "failed";
  readonly attempts: number;
  readonly error: string;
}

/** How a session tells its deliveries that it ends. */
export interface SessionSignals {
  /** Nothing new is begun. */
  readonly stopping: AbortSignal;
  /** Nobody waits for what was begun. */
  readonly abandoned: AbortSignal;
}

/** Brings a message to its verdict: the event of a job after the job's earlier ones, as often as it takes. Never rejects. */
export async function handleDelivery<Extra extends object>(
  message: AmqpDelivery,
  settings: ConsumerSettings<Extra>,
  turns: JobTurns,
  signals: SessionSignals,
): Promise<Verdict> {
  const read = readEvent(message);
  if (!read.ok) return { kind: "dead", reason: "invalid", attempts: 0, error: read.problem };
  const { event } = read;
  return turns.take(String(event.job_id), async () => {
    // The event's own, so that what a handler leaves listening to it goes with the event and not with the connection.
    const own = new AbortController();
    const abandon = () => own.abort();
    signals.abandoned.addEventListener("abort", abandon);
    const verdict = await tryEvent(event, message.fields.redelivered, settings, { ...signals, own: own.signal });
    signals.abandoned.removeEventListener("abort", abandon);
    return verdict;
  });
}

/**
 * A failed event stays in hand while it waits for its next try: it is neither lost in a crash nor overtaken by later events of
 * its job, and never more than the prefetch wait. Only tries that reached the handler count: an outage of what deduplicates is
 * no fault of the event.
 */
async function tryEvent<Extra extends object>(
  event: JobEventPayload,
  redelivered: boolean,
  settings: ConsumerSettings<Extra>,
  { stopping, abandoned, own }: SessionSignals & { readonly own: AbortSignal },
): Promise<Verdict> {
  const { queue, handler, dedupe, retry, log } = settings;
  let attempts = 0;
  for (let failures = 1; !stopping.aborted; failures++) {
    try {
      const effect = async (extra: Extra) =>
        handler(event, { ...extra, attempt: ++attempts, redelivered, signal: own });
      await dedupe.once({ queue, eventId: event.event_id }, effect, stopping);
      return { kind: "handled" };
    } catch (error) {
      if (abandoned.aborted) return { kind: "abandoned" };
      const reason = reasonOf(error);
      if (attempts >= retry.maxAttempts) return { kind: "dead", reason: "failed", attempts, error: reason };
      log.warn("Handling an event failed, it is tried again", { queue, eventId: event.event_id, attempts, reason });
      await pause(backoffMs(failures, retry, Math.random()), stopping);
    }
  }
  return { kind: "abandoned" };
}
