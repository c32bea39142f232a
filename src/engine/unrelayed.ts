import type { Log } from "../ports/log.js";
import type { DeliveryState, EventDelivery } from "./event-delivery.js";

/** No publisher in this process: events wait in the outbox for a process that has one. */
export class Unrelayed implements EventDelivery {
  readonly viaOutbox = true;
  readonly #log: Log;
  #told = false;

  constructor(log: Log) {
    this.#log = log;
  }

  start(): void {}

  committed(): void {
    if (this.#told) return;
    this.#told = true;
    this.#log.warn("No publisher was given: events wait in the outbox for a process that has one");
  }

  expected(): void {
    this.committed();
  }

  async drain(): Promise<boolean> {
    return true;
  }

  async stop(): Promise<void> {}

  state(): DeliveryState {
    return { publisher: "none", reason: null, published: 0, unroutable: 0 };
  }
}
