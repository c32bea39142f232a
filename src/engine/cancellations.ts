import type { LiveAdapter, LiveCancellation, Unsubscribe } from "../ports/live.js";
import { cancelled } from "./refusal.js";
import type { Slots } from "./slots.js";

/** Fires the signals of jobs of this process that somebody wants cancelled. What it misses, the next write tells. */
export class Cancellations {
  readonly #live: LiveAdapter;
  readonly #slots: Slots;
  #subscription: Promise<Unsubscribe | null> | null = null;

  constructor(live: LiveAdapter, slots: Slots) {
    this.#live = live;
    this.#slots = slots;
  }

  /** Listens from the first job on that this process begins. */
  listen(): void {
    this.#subscription ??= this.#live
      .subscribeCancellations({
        onMessage: (message) => {
          if (message.kind === "cancellation") this.#abort(message);
        },
        onGap: () => {},
      })
      .catch(() => null);
  }

  stop(): void {
    void this.#subscription?.then((unsubscribe) => unsubscribe?.());
  }

  // A job may be here twice: by its canonical id, as others name it, and as its worker spells it.
  #abort({ jobId, reason }: LiveCancellation): void {
    for (const { key, id, signal } of this.#slots.values()) {
      if (key === jobId || id === jobId) signal?.abort(cancelled(key), reason);
    }
  }
}
