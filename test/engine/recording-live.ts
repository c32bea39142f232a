import { memoryLive } from "../../src/adapters/memory/memory-live.js";
import type { LiveAdapter, LiveListener, LiveMessage, Unsubscribe } from "../../src/ports/live.js";
import type { SimulatedClock } from "../support/simulated-clock.js";

/** Live updates that engines of one test share, with every message kept and every subscription counted. */
export class RecordingLive implements LiveAdapter {
  reach: LiveAdapter["reach"] = "shared";
  /** The messages of every round trip, in order. */
  readonly rounds: { readonly at: number; readonly messages: readonly LiveMessage[] }[] = [];
  /** Whether nothing arrives. */
  deaf = false;
  readonly #clock: SimulatedClock;
  readonly #live: LiveAdapter;
  readonly #listeners = new Map<LiveListener, string>();

  constructor(clock: SimulatedClock) {
    this.#clock = clock;
    this.#live = memoryLive({ clock });
  }

  /** The jobs that are subscribed to, and "all cancellations"; one entry per subscription. */
  get subscriptions(): readonly string[] {
    return [...this.#listeners.values()];
  }

  /** Messages of a job, in order. */
  messagesOf(jobId: string): readonly LiveMessage[] {
    return this.rounds.flatMap(({ messages }) => messages.filter((message) => message.jobId === jobId));
  }

  /** What a connection that was lost and is back tells. */
  gap(): void {
    for (const listener of [...this.#listeners.keys()]) listener.onGap();
  }

  async publish(messages: readonly LiveMessage[]): Promise<void> {
    this.rounds.push({ at: this.#clock.monotonic(), messages });
    if (!this.deaf) await this.#live.publish(messages);
  }

  async subscribe(jobId: string, listener: LiveListener): Promise<Unsubscribe> {
    return this.#counted(jobId, listener, await this.#live.subscribe(jobId, listener));
  }

  async subscribeCancellations(listener: LiveListener): Promise<Unsubscribe> {
    return this.#counted("all cancellations", listener, await this.#live.subscribeCancellations(listener));
  }

  async latest(jobIds: readonly string[]) {
    return this.deaf ? jobIds.map(() => null) : this.#live.latest(jobIds);
  }

  async close(): Promise<void> {}

  #counted(name: string, listener: LiveListener, unsubscribe: Unsubscribe): Unsubscribe {
    this.#listeners.set(listener, name);
    return () => {
      this.#listeners.delete(listener);
      unsubscribe();
    };
  }
}
