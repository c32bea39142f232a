import { reasonOf } from "../../domain/reason-of.js";
import { destroySocket, holdProcess } from "./client-internals.js";
import type { AmqpChannelModel } from "./client-types.js";
import { openUrl, openWith } from "./open-model.js";
import type { PublisherSettings } from "./options.js";
import type { ClassifiedSource } from "./rabbitmq-source.js";
import { within } from "./within.js";

/**
 * A connection and what became of it. Its loss is never an uncaught exception: somebody listens to its errors from the
 * beginning. One that was given is neither closed nor cut, whatever happens on it.
 */
export class BrokerConnection {
  readonly model: AmqpChannelModel;
  /** Whether the publisher closes it. */
  readonly owned: boolean;
  #lost: string | null = null;

  constructor(model: AmqpChannelModel, owned: boolean) {
    this.model = model;
    this.owned = owned;
    model.on("error", this.#onError);
    model.on("close", this.#onClose);
  }

  /** Why it is gone, null while it is there. */
  get lost(): string | null {
    return this.#lost;
  }

  /** Lets the process end while nothing is under way. Only on connections of our own. */
  holdProcess(hold: boolean): void {
    if (this.owned && this.#lost === null) holdProcess(this.model, hold);
  }

  /** Gives up a connection on which nothing answers any more. */
  cut(reason: string): void {
    if (!this.owned) return;
    this.#lost ??= reason;
    destroySocket(this.model);
  }

  /** Closes what is owned, within `timeoutMs`, and leaves what was given as it was. */
  async release(timeoutMs: number): Promise<void> {
    if (!this.owned) {
      this.model.off("error", this.#onError);
      this.model.off("close", this.#onClose);
      return;
    }
    if (this.#lost === null) {
      this.holdProcess(true);
      const late = () => new Error("late");
      await within((async () => this.model.close())(), timeoutMs, late).catch(() => {});
    }
    this.cut("closed by the publisher");
  }

  readonly #onError = (error: Error) => {
    this.#lost ??= reasonOf(error);
  };

  readonly #onClose = (error?: Error) => {
    this.#lost ??= error === undefined ? "it was closed" : reasonOf(error);
    // amqplib only half-closes the socket of a dead peer.
    if (this.owned) destroySocket(this.model);
  };
}

/** Opens a connection, or takes the one that was given. Rejects as `openUrl` does. */
export async function openConnection(source: ClassifiedSource, settings: PublisherSettings): Promise<BrokerConnection> {
  switch (source.kind) {
    case "given":
      return new BrokerConnection(source.model, false);
    case "factory":
      return new BrokerConnection(await openWith(source.open, settings), true);
    case "url":
      return new BrokerConnection(await openUrl(source.url, settings), true);
  }
}
