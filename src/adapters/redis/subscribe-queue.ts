import type { LiveChannel } from "./live-channel.js";

// Long enough to be cheap, short enough to be answered in time.
const channelsAtOnce = 500;

/**
 * The channels of one connection that are to be subscribed to: many by one command, and one command after the other, so
 * that each has the whole time allowed to be answered in.
 */
export class SubscribeQueue {
  readonly #send: (channels: readonly LiveChannel[]) => Promise<void>;
  #last = Promise.resolve();
  /** What the last command will name. */
  #waiting: LiveChannel[] = [];

  /** @param send never rejects */
  constructor(send: (channels: readonly LiveChannel[]) => Promise<void>) {
    this.#send = send;
  }

  add(channel: LiveChannel): void {
    if (this.#waiting.length === 0 || this.#waiting.length === channelsAtOnce) this.#begin();
    this.#waiting.push(channel);
    channel.subscribing = this.#last;
  }

  #begin(): void {
    const channels: LiveChannel[] = [];
    this.#waiting = channels;
    this.#last = this.#last.then(() => {
      this.#waiting = [];
      return this.#send(channels);
    });
  }
}
