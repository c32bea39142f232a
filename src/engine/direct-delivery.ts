import { type BackoffPolicy, backoffMs } from "../domain/backoff.js";
import type { JobEvent } from "../domain/event.js";
import type { Clock } from "../ports/clock.js";
import type { DedupeAdapter } from "../ports/dedupe.js";
import type { Log } from "../ports/log.js";
import { delay, held, settledBy } from "./bounded.js";
import type { DeliveryState, EventDelivery } from "./event-delivery.js";
import type { Publishing } from "./publishing.js";

export interface DirectDeliveryOptions {
  readonly publishing: Publishing;
  readonly dedupe: DedupeAdapter;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly batchSize: number;
  /** Most events waiting in memory; the oldest are let go beyond. */
  readonly maxWaiting: number;
  /** How long a published event id is remembered, in milliseconds. */
  readonly rememberMs: number;
  readonly backoff: BackoffPolicy;
}

/**
 * Publishes events from memory after their change is stored, without an outbox table. What it gives up: a process that
 * dies between the commit and the confirm loses the events it holds, and beyond `maxWaiting` the oldest are let go.
 */
export class DirectDelivery implements EventDelivery {
  readonly viaOutbox = false;
  readonly #options: DirectDeliveryOptions;
  #waiting: JobEvent[] = [];
  /** Events that carry our own mark and may not have been sent: the mark could not be taken back. */
  readonly #unsent = new Set<string>();
  #running: Promise<void> | null = null;
  #stopped = false;
  #toldFull = false;

  constructor(options: DirectDeliveryOptions) {
    this.#options = options;
  }

  start(): void {}

  committed(events: readonly JobEvent[]): void {
    this.#waiting.push(...events);
    const excess = this.#waiting.length - this.#options.maxWaiting;
    if (excess > 0) {
      for (const event of this.#waiting.splice(0, excess)) this.#unsent.delete(event.id);
      if (!this.#toldFull) this.#options.log.warn("Too many events wait for the publisher: the oldest are let go");
      this.#toldFull = true;
    }
    this.#run();
  }

  expected(): void {}

  drain(deadline: number): Promise<boolean> {
    return settledBy(this.#options.clock, deadline, () => this.#running);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  state(): DeliveryState {
    return this.#options.publishing.state();
  }

  #run(): void {
    if (this.#stopped || this.#waiting.length === 0) return;
    this.#running ??= held(this.#options.clock, this.#loop()).finally(() => {
      this.#running = null;
      this.#run();
    });
  }

  async #loop(): Promise<void> {
    const { clock, backoff, random, batchSize } = this.#options;
    let failures = 0;
    while (this.#waiting.length > 0 && !this.#stopped) {
      const batch = this.#waiting.slice(0, batchSize);
      try {
        await this.#publishUnmarked(batch);
        const done = new Set(batch);
        this.#waiting = this.#waiting.filter((event) => !done.has(event));
        failures = 0;
      } catch {
        await delay(clock, backoffMs(++failures, backoff, random()), true);
      }
    }
  }

  async #publishUnmarked(batch: readonly JobEvent[]): Promise<void> {
    const { dedupe, publishing, rememberMs } = this.#options;
    const ids = batch.map((event) => event.id);
    const unmarked = await dedupe.mark(ids, rememberMs);
    const fresh = batch.filter((event, i) => (unmarked[i] ?? true) || this.#unsent.has(event.id));
    if (fresh.length === 0) return;
    for (const event of fresh) this.#unsent.add(event.id);
    try {
      await publishing.publish(fresh);
    } catch (error) {
      await dedupe.unmark(fresh.map((event) => event.id)).catch(() => {});
      throw error;
    }
    for (const event of fresh) this.#unsent.delete(event.id);
  }
}
