import type { JobEvent } from "../../domain/event.js";
import type { PublishOutcome } from "../../ports/publisher.js";

/** The events of one `publish` call, until the broker has answered for every one. */
export class EventBatch {
  readonly events: readonly JobEvent[];
  readonly outcomes: Promise<readonly PublishOutcome[]>;
  readonly #outcomes: PublishOutcome[];
  readonly #resolve: (outcomes: readonly PublishOutcome[]) => void;
  readonly #reject: (error: Error) => void;
  #left: number;
  #failed = false;

  constructor(events: readonly JobEvent[]) {
    const { promise, resolve, reject } = Promise.withResolvers<readonly PublishOutcome[]>();
    this.events = events;
    this.outcomes = promise;
    this.#outcomes = new Array(events.length);
    this.#left = events.length;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Takes the answer for the event at `index`. */
  answer(index: number, outcome: PublishOutcome): void {
    this.#outcomes[index] = outcome;
    if (--this.#left === 0) this.#resolve(this.#outcomes);
  }

  /** Whether the rest need not be sent. */
  get failed(): boolean {
    return this.#failed;
  }

  fail(error: Error): void {
    this.#failed = true;
    this.#reject(error);
  }
}
