import { WorkerProgressError } from "../../src/domain/errors.js";
import type { JobEvent } from "../../src/domain/event.js";
import type { PublisherAdapter, PublishOutcome } from "../../src/ports/publisher.js";
import { Gate } from "./in-memory-outbox.js";

/** A publisher that keeps what arrives, and fails on demand: like a channel, with all that is under way. */
export class RecordingPublisher implements PublisherAdapter {
  /** Every event that arrived, redeliveries too. Publishers may share it, as channels share a broker. */
  readonly arrivals: JobEvent[];
  /** How many events each call had that arrived. */
  readonly batches: number[] = [];
  /** Makes publishing wait until it is opened. */
  readonly gate = new Gate();
  setups = 0;
  closes = 0;
  /** Every call rejects while it is set. */
  away = false;
  /** Whether a call to publish fails, and whether its events arrived all the same: decided for each. */
  failing: () => "before" | "after" | null = () => null;
  unroutable: (event: JobEvent) => boolean = () => false;
  #channel = { lost: true };
  readonly #failures: ("before" | "after" | null)[] = [];

  constructor(arrivals: JobEvent[] = []) {
    this.arrivals = arrivals;
  }

  /** Each id once, in the order of its first arrival. */
  get firstArrivals(): readonly JobEvent[] {
    return [...new Map(this.arrivals.map((event) => [event.id, event])).values()];
  }

  /** What becomes of the next calls: null for success. */
  next(...failures: readonly ("before" | "after" | null)[]): void {
    this.#failures.push(...failures);
  }

  async setup(): Promise<void> {
    this.setups++;
    if (this.away) throw unavailable();
    if (this.#channel.lost) this.#channel = { lost: false };
  }

  async publish(events: readonly JobEvent[]): Promise<readonly PublishOutcome[]> {
    const failure = this.#failures.length > 0 ? this.#failures.shift() : this.failing();
    const channel = this.#channel;
    await this.gate.pass();
    if (this.away || channel.lost || failure === "before") throw lost(channel);
    this.batches.push(events.length);
    const outcomes = events.map((event) => (this.unroutable(event) ? "unroutable" : "confirmed"));
    this.arrivals.push(...events.filter((_, i) => outcomes[i] === "confirmed"));
    if (failure === "after") throw lost(channel);
    return outcomes;
  }

  async close(): Promise<void> {
    this.closes++;
  }
}

function lost(channel: { lost: boolean }): WorkerProgressError {
  channel.lost = true;
  return unavailable();
}

function unavailable(): WorkerProgressError {
  return new WorkerProgressError("PUBLISHER_UNAVAILABLE", "The broker cannot be reached");
}
