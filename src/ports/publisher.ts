import type { JobEvent } from "../domain/event.js";

/** `unroutable`: the broker took the event, but no queue is bound for it. */
export type PublishOutcome = "confirmed" | "unroutable";

/**
 * Sends events to whoever listens. Rejects with `PUBLISHER_UNAVAILABLE` when trying again may succeed, and with
 * `TOPOLOGY_MISMATCH` when an exchange exists with another type.
 */
export interface PublisherAdapter {
  /** Connects and declares the topology. Idempotent; called again after a loss. */
  setup(): Promise<void>;
  /**
   * Sends events in order and answers in that order when the broker has confirmed every one. When it rejects, any of
   * them may have been sent: the relay sends all of them again with the same ids.
   */
  publish(events: readonly JobEvent[]): Promise<readonly PublishOutcome[]>;
  /** Releases what the adapter opened, never what it was given. Idempotent. */
  close(): Promise<void>;
}
