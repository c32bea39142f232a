import { WorkerProgressError } from "../domain/errors.js";
import type { JobEvent } from "../domain/event.js";
import type { Log } from "../ports/log.js";
import type { PublisherAdapter } from "../ports/publisher.js";
import type { DeliveryState } from "./event-delivery.js";

/** What happens to an event that no queue is bound for. */
export type Unroutable = "drop" | "keep";

/** Publishes and counts; says once when the publisher goes away or nobody listens. */
export class Publishing {
  readonly #publisher: PublisherAdapter;
  readonly #unroutable: Unroutable;
  readonly #log: Log;
  #reason: string | null = null;
  #ready: Promise<void> | null = null;
  #published = 0;
  #dropped = 0;
  #keeps = false;
  #breaks = 0;

  constructor(publisher: PublisherAdapter, unroutable: Unroutable, log: Log) {
    this.#publisher = publisher;
    this.#unroutable = unroutable;
    this.#log = log;
  }

  /** How often events were not published to the end of their batch. */
  get breaks(): number {
    return this.#breaks;
  }

  /** Resolves with how many of the events, from the first on, are done with. Rejects when the publisher is away. */
  async publish(events: readonly JobEvent[]): Promise<number> {
    try {
      this.#ready ??= this.#publisher.setup();
      await this.#ready;
      const outcomes = await this.#publisher.publish(events);
      this.#recovered();
      const stuck = this.#unroutable === "keep" ? outcomes.indexOf("unroutable") : -1;
      if (stuck !== -1) this.#breaks++;
      const done = stuck === -1 ? events.length : stuck;
      const lost = outcomes.slice(0, done).filter((outcome) => outcome === "unroutable").length;
      this.#count(done - lost, lost, stuck !== -1);
      return done;
    } catch (error) {
      this.#ready = null;
      this.#breaks++;
      this.#failed(error);
      throw error;
    }
  }

  state(): DeliveryState {
    return {
      publisher: this.#reason !== null ? "down" : this.#ready === null ? "idle" : "up",
      reason: this.#reason,
      published: this.#published,
      unroutable: this.#dropped,
    };
  }

  #count(published: number, dropped: number, kept: boolean): void {
    if (dropped > 0 && this.#dropped === 0) {
      this.#log.warn(
        'An event was let go because no queue is bound for it; pass unroutable "keep" to hold such events',
      );
    }
    if (kept && !this.#keeps) this.#log.warn("Events wait in the outbox because no queue is bound for them");
    this.#keeps = kept;
    this.#published += published;
    this.#dropped += dropped;
  }

  #failed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (this.#reason === null) {
      const code = error instanceof WorkerProgressError ? error.code : undefined;
      this.#log.warn("The publisher is away: events wait and are tried again", { code, reason });
    }
    this.#reason = reason;
  }

  #recovered(): void {
    if (this.#reason !== null) this.#log.warn("The publisher is back");
    this.#reason = null;
  }
}
