import { reasonOf } from "../domain/reason-of.js";
import type { AmqpConsumerChannel, AmqpDelivery } from "./client-types.js";
import type { ConsumerConnection } from "./consumer-connection.js";
import type { ConsumerSettings } from "./consumer-options.js";
import { deadLetterProperties } from "./dead-letter.js";
import { declareTopology } from "./declare-topology.js";
import { type DeadLetter, handleDelivery } from "./handle-delivery.js";
import type { JobTurns } from "./job-turns.js";
import { pause } from "./pause.js";
import { within } from "./within.js";

/**
 * One channel from its opening to its end. A message is acknowledged after its effect, or after the broker has confirmed it as
 * a dead letter; what is not acknowledged when the channel ends comes again.
 */
export class ConsumeSession<Extra extends object> {
  /** Resolves with the reason when the session is over. Never rejects. */
  readonly ended: Promise<string>;
  readonly #channel: AmqpConsumerChannel;
  readonly #settings: ConsumerSettings<Extra>;
  readonly #turns: JobTurns;
  readonly #ending = new AbortController();
  readonly #stopping: AbortSignal;
  readonly #abandoned = new AbortController();
  readonly #inHand = new Set<Promise<void>>();
  readonly #resolveEnded: (reason: string) => void;
  #channelError: string | null = null;
  #closing: Promise<void> | null = null;

  constructor(
    connection: ConsumerConnection,
    channel: AmqpConsumerChannel,
    settings: ConsumerSettings<Extra>,
    turns: JobTurns,
    stopping: AbortSignal,
  ) {
    this.#channel = channel;
    this.#settings = settings;
    this.#turns = turns;
    this.#stopping = AbortSignal.any([stopping, this.#ending.signal]);
    const { promise, resolve } = Promise.withResolvers<string>();
    this.ended = promise;
    this.#resolveEnded = resolve;
    channel.on("error", (error) => {
      this.#channelError = reasonOf(error);
    });
    // amqplib closes the channels before it says why the connection closed.
    channel.on("close", () =>
      queueMicrotask(() => this.#end(this.#channelError ?? connection.lost ?? "it was closed")),
    );
    channel.on("return", () => this.#end(`the dead-letter queue "${settings.deadLetter}" is gone`));
  }

  /** How many messages are neither acknowledged nor given up. */
  get inHand(): number {
    return this.#inHand.size;
  }

  /** Declares what is read and begins to read it; answers how to stop reading. */
  async begin(): Promise<string> {
    const { queue, prefetch } = this.#settings;
    await declareTopology(this.#channel, this.#settings);
    await this.#channel.prefetch(prefetch);
    const { consumerTag } = await this.#channel.consume(queue, (message) => this.#delivered(message));
    return consumerTag;
  }

  /** Takes nothing more, waits `deadlineMs` at most for handlers that run, and gives the rest back. */
  async stop(consumerTag: string, deadlineMs: number): Promise<void> {
    const { connectTimeoutMs } = this.#settings;
    await within((async () => this.#channel.cancel(consumerTag))(), connectTimeoutMs).catch(() => {});
    const waited = new AbortController();
    await Promise.race([Promise.all(this.#inHand), this.ended, pause(deadlineMs, waited.signal)]);
    waited.abort();
    await this.close("it was stopped");
  }

  /** Ends the session. What is in hand goes back to the queue. Idempotent: amqplib never settles a second `close()`. */
  close(reason: string): Promise<void> {
    this.#end(reason);
    this.#closing ??= this.#closeChannel();
    return this.#closing;
  }

  async #closeChannel(): Promise<void> {
    await within((async () => this.#channel.close())(), this.#settings.connectTimeoutMs).catch(() => {});
  }

  #delivered(message: AmqpDelivery | null): void {
    if (message === null) {
      this.#end(`the broker cancelled the consumer: queue "${this.#settings.queue}" was deleted or moved`);
      return;
    }
    const settled = this.#settle(message).catch((error) => this.#failed(error));
    this.#inHand.add(settled);
    void settled.then(() => this.#inHand.delete(settled));
  }

  async #settle(message: AmqpDelivery): Promise<void> {
    const signals = { stopping: this.#stopping, abandoned: this.#abandoned.signal };
    const verdict = await handleDelivery(message, this.#settings, this.#turns, signals);
    if (verdict.kind === "abandoned" || this.#abandoned.signal.aborted) return;
    if (verdict.kind === "dead" && !(await this.#putAside(message, verdict))) return;
    if (!this.#abandoned.signal.aborted) this.#channel.ack(message);
  }

  /** The dead letters are refused: what else is in hand would be given back, and counted, at each try. */
  async #failed(error: unknown): Promise<void> {
    if (this.#abandoned.signal.aborted) return;
    const { queue, deadLetter, retry, log } = this.#settings;
    const reason = reasonOf(error);
    log.warn("An event cannot go to the dead letters for the time being", { queue, deadLetter, reason });
    await pause(retry.maxMs, this.#stopping);
    // stop() waits for the handlers that run.
    if (!this.#stopping.aborted) this.#end(reason);
  }

  /** Whether the message is to be acknowledged. */
  async #putAside(message: AmqpDelivery, dead: DeadLetter): Promise<boolean> {
    const { queue, deadLetter, log } = this.#settings;
    const copied = await this.#copyAside(message, dead);
    if (!copied) this.#channel.reject(message, false);
    const { reason, attempts, error } = dead;
    log.warn("An event went to the dead letters", { queue, deadLetter, reason, attempts, error });
    return copied;
  }

  /** False where it cannot be sent again: amqplib reads headers that are more than it writes. */
  async #copyAside(message: AmqpDelivery, dead: DeadLetter): Promise<boolean> {
    const { queue, deadLetter } = this.#settings;
    const properties = deadLetterProperties(message, queue, dead);
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const answered = (error: Error | null) => (error ? reject(error) : resolve(true));
    try {
      this.#channel.publish("", deadLetter, message.content, properties, answered);
    } catch {
      return false;
    }
    return promise;
  }

  #end(reason: string): void {
    this.#ending.abort();
    this.#abandoned.abort();
    this.#resolveEnded(reason);
  }
}
