import type { LiveListener, LiveMessage, Unsubscribe } from "../../ports/live.js";
import type { Log } from "../../ports/log.js";

interface Entry {
  readonly listener: LiveListener;
  /** Whether it was told of a subscription that did not stand, or has since been lost. */
  missed: boolean;
}

/** Who listens to a channel, and whether Redis is subscribed to it on the connection there is. */
export class LiveChannel {
  readonly name: string;
  /** The SUBSCRIBE that was sent on this connection. Never rejects. */
  subscribing: Promise<void> | null = null;
  readonly #entries = new Set<Entry>();
  readonly #log: Log;
  #stands = false;

  constructor(name: string, log: Log) {
    this.name = name;
    this.#log = log;
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** Adds a listener once `ready` has settled, as far as gaps go; it hears messages at once. */
  async add(listener: LiveListener, ready: () => Promise<void>, onRemoved: () => void): Promise<Unsubscribe> {
    const entry: Entry = { listener, missed: false };
    this.#entries.add(entry);
    await ready();
    entry.missed = !this.#stands;
    return () => {
      if (this.#entries.delete(entry)) onRemoved();
    };
  }

  deliver(message: LiveMessage): void {
    for (const { listener } of [...this.#entries]) this.#call(() => listener.onMessage(message));
  }

  stood(): void {
    this.#stands = true;
    for (const entry of [...this.#entries]) {
      if (!entry.missed) continue;
      entry.missed = false;
      this.#call(() => entry.listener.onGap());
    }
  }

  lost(): void {
    this.subscribing = null;
    if (!this.#stands) return;
    this.#stands = false;
    for (const entry of this.#entries) entry.missed = true;
  }

  #call(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warn("A listener of live updates failed", { reason });
    }
  }
}
