import type { JobEvent } from "../../domain/event.js";
import { reasonOf } from "../../domain/reason-of.js";
import type { PublishOutcome } from "../../ports/publisher.js";
import type { BrokerConnection } from "./broker-connection.js";
import { isBlocked } from "./client-internals.js";
import type { AmqpConfirmChannel } from "./client-types.js";
import { EventBatch } from "./event-batch.js";
import { eventMessage } from "./event-message.js";
import type { PublisherSettings } from "./options.js";
import { isClosedConnection, lostError, unavailable } from "./rabbitmq-errors.js";
import { StallWatch } from "./stall-watch.js";
import { within } from "./within.js";

/**
 * Messages written before other work of the process gets its turn: encoding a full window in one go would block the event
 * loop for tens of milliseconds.
 */
const messagesPerTurn = 100;

/**
 * One confirm channel from its opening to its end. Batches are written whole, one after the other in the order of the calls,
 * and their confirms awaited side by side. When the session ends, every batch that is not answered fails with it and none
 * goes over to the next session, where it could overtake an earlier one.
 */
export class ConfirmSession {
  readonly #connection: BrokerConnection;
  readonly #channel: AmqpConfirmChannel;
  readonly #settings: PublisherSettings;
  readonly #onEnd: (reason: string) => void;
  readonly #watch: StallWatch;
  readonly #unanswered = new Set<EventBatch>();
  /** Messages that came back unroutable and are not confirmed yet: the broker returns before it confirms. */
  readonly #returned = new Set<unknown>();
  /** Whether the channel has closed and only the reason is still to come. */
  #closed = false;
  #ended: Error | null = null;
  #channelError: string | null = null;
  #blocked: string | null;
  #saturated = false;
  #writing: Promise<void> = Promise.resolve();
  #writtenThisTurn = 0;
  #resume: () => void = () => {};

  constructor(
    connection: BrokerConnection,
    channel: AmqpConfirmChannel,
    settings: PublisherSettings,
    onEnd: (reason: string) => void,
  ) {
    this.#connection = connection;
    this.#channel = channel;
    this.#settings = settings;
    this.#onEnd = onEnd;
    this.#watch = new StallWatch(settings.confirmTimeoutMs, () => this.#stalled());
    this.#blocked = isBlocked(connection.model) ? "the reason is not known" : null;
    this.#watch.pause(this.#blocked !== null);
    channel.on("error", (error) => {
      this.#channelError = reasonOf(error);
    });
    channel.on("close", () => this.#onClose());
    channel.on("drain", () => this.#drained());
    channel.on("return", ({ properties }) => this.#returned.add(properties.messageId));
    connection.model.on("blocked", this.#onBlocked);
    connection.model.on("unblocked", this.#onUnblocked);
    connection.holdProcess(false);
  }

  /** Why the broker takes nothing at the moment, null while it does. */
  get blocked(): string | null {
    return this.#blocked;
  }

  /** Whether everything published from now on would fail. */
  get ended(): boolean {
    return this.#ended !== null;
  }

  /** How many `publish` calls wait for their confirms. */
  get waiting(): number {
    return this.#unanswered.size;
  }

  publish(events: readonly JobEvent[]): Promise<readonly PublishOutcome[]> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    if (events.length === 0) return Promise.resolve([]);
    const batch = new EventBatch(events);
    this.#connection.holdProcess(true);
    this.#unanswered.add(batch);
    const answered = () => {
      this.#unanswered.delete(batch);
      if (this.#unanswered.size === 0) this.#connection.holdProcess(false);
    };
    batch.outcomes.then(answered, answered);
    this.#writing = this.#writing.then(() => this.#write(batch));
    return batch.outcomes;
  }

  /** Waits for confirms within `confirmTimeoutMs`, unless the broker is blocked, and closes the channel. */
  async close(ended: Error): Promise<void> {
    const late = () => new Error("late");
    const { confirmTimeoutMs, connectTimeoutMs } = this.#settings;
    this.#connection.holdProcess(true);
    if (this.#blocked === null) {
      const answers = Promise.allSettled([...this.#unanswered].map((batch) => batch.outcomes));
      await within(answers, confirmTimeoutMs, late).catch(() => {});
    }
    this.#end(ended);
    const closed = this.#closeChannel();
    // A blocked broker does not answer.
    if (this.#blocked === null) await within(closed, connectTimeoutMs, late).catch(() => {});
  }

  async #write(batch: EventBatch): Promise<void> {
    for (const [index, event] of batch.events.entries()) {
      if (this.#writtenThisTurn === messagesPerTurn) {
        await nextTurn();
        this.#writtenThisTurn = 0;
      }
      while (this.#ended === null && (this.#saturated || this.#blocked !== null)) await this.#resumed();
      if (this.#ended !== null || this.#closed || batch.failed) return;
      this.#send(batch, index, event);
    }
  }

  #send(batch: EventBatch, index: number, event: JobEvent): void {
    const { eventsExchange, routingKey, format } = this.#settings;
    const answered = (error: Error | null) => this.#answered(batch, index, error);
    try {
      const { content, properties } = eventMessage(event, format);
      this.#saturated = !this.#channel.publish(eventsExchange, routingKey, content, properties, answered);
      this.#writtenThisTurn++;
      this.#watch.expect();
    } catch (error) {
      if (isClosedConnection(error)) this.#lose(reasonOf(error));
      else batch.fail(error as Error);
    }
  }

  #answered(batch: EventBatch, index: number, error: Error | null): void {
    if (this.#ended !== null) return;
    this.#watch.came();
    if (error === null)
      batch.answer(index, this.#returned.delete(batch.events[index]?.id) ? "unroutable" : "confirmed");
    // With another error the channel has closed, which its event tells in the same turn.
    else if (error.message === "message nacked") this.#refused();
  }

  /** A channel that published while a quorum queue had no leader is refused for good; a new one is not (RabbitMQ 3.10). */
  #refused(): void {
    this.#end(unavailable("RabbitMQ refused an event: publish it again"));
    this.#onEnd("it refused an event");
    void this.#closeChannel();
  }

  #drained(): void {
    this.#saturated = false;
    this.#resume();
  }

  readonly #onBlocked = (reason: string) => {
    this.#blocked = reason;
    this.#watch.pause(true);
    this.#settings.log.warn("RabbitMQ takes no events for the time being: they wait", { reason });
  };

  readonly #onUnblocked = () => {
    this.#blocked = null;
    this.#watch.pause(false);
    this.#resume();
    this.#settings.log.warn("RabbitMQ takes events again");
  };

  #resumed(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  #onClose(): void {
    this.#closed = true;
    if (this.#ended !== null) return;
    // amqplib closes the channels before it says why the connection closed.
    queueMicrotask(() => this.#lose(this.#channelError ?? this.#connection.lost ?? "the channel was closed"));
  }

  #stalled(): void {
    const reason = `no confirm came within ${this.#settings.confirmTimeoutMs} ms`;
    this.#lose(reason);
    if (this.#connection.owned) this.#connection.cut(reason);
    else void this.#closeChannel();
  }

  async #closeChannel(): Promise<void> {
    try {
      await this.#channel.close();
    } catch {
      // It is closed already.
    }
  }

  #lose(reason: string): void {
    if (this.#ended !== null) return;
    this.#end(lostError(this.#connection, reason));
    this.#onEnd(reason);
  }

  #end(error: Error): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    this.#watch.stop();
    this.#connection.model.off("blocked", this.#onBlocked);
    this.#connection.model.off("unblocked", this.#onUnblocked);
    for (const batch of this.#unanswered) batch.fail(error);
    this.#resume();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
