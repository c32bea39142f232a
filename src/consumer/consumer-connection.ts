import { reasonOf } from "../domain/reason-of.js";
import type { AmqpConsumerModel } from "./client-types.js";
import { within } from "./within.js";

/**
 * A connection and what became of it. Its loss is never an uncaught exception: somebody listens to its errors from the
 * beginning. One that was given is neither closed nor cut, whatever happens on it.
 */
export class ConsumerConnection {
  readonly model: AmqpConsumerModel;
  /** Whether the consumer closes it. */
  readonly owned: boolean;
  #lost: string | null = null;

  constructor(model: AmqpConsumerModel, owned: boolean) {
    this.model = model;
    this.owned = owned;
    model.on("error", this.#onError);
    model.on("close", this.#onClose);
  }

  /** Why it is gone, null while it is there. */
  get lost(): string | null {
    return this.#lost;
  }

  /** Closes what is owned, within `timeoutMs`, and leaves what was given as it was. */
  async release(timeoutMs: number): Promise<void> {
    if (!this.owned) {
      this.model.off("error", this.#onError);
      this.model.off("close", this.#onClose);
      return;
    }
    if (this.#lost === null) await within((async () => this.model.close())(), timeoutMs).catch(() => {});
    this.#lost ??= "closed by the consumer";
    destroySocket(this.model);
  }

  readonly #onError = (error: Error) => {
    this.#lost ??= reasonOf(error);
  };

  readonly #onClose = (error?: Error) => {
    this.#lost ??= error === undefined ? "it was closed" : reasonOf(error);
    if (this.owned) destroySocket(this.model);
  };
}

/**
 * Lets go of the connection at once: amqplib only half-closes it, which a dead peer never answers. The field is
 * undocumented: where a version lacks it, nothing happens.
 */
export function destroySocket(model: AmqpConsumerModel): void {
  const { stream } = (model.connection ?? {}) as { stream?: { destroy?(error: Error): void } };
  stream?.destroy?.(new Error("Let go of"));
}
