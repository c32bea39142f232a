import { type AmqpConsumerSource, classifySource } from "./amqp-source.js";
import { consumerSettings, type EventConsumerOptions } from "./consumer-options.js";
import { ConsumerLoop, type ConsumerState, type StopOptions } from "./event-consumer.js";

/** Reads job events from a queue and lets each have its effect once. */
export interface EventConsumer {
  /**
   * Resolves when events are being read. While RabbitMQ is out of reach it is tried again, until `stop()`.
   * @throws {TOPOLOGY_MISMATCH} when a queue or exchange exists with other properties
   * @throws {MISSING_DEPENDENCY} when amqplib is not installed
   * @throws {PUBLISHER_UNAVAILABLE} when the given connection is closed
   * @throws {REPORTER_CLOSED} after `stop()`
   */
  start(): Promise<void>;
  /** Takes no more events, waits for handlers that run, and gives the other events back. Never rejects. Idempotent. */
  stop(options?: StopOptions): Promise<void>;
  state(): ConsumerState;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Makes a consumer of job events; nothing happens before `start()`. What the caller passes in the caller closes; what is opened
 * from a URL or by the factory `stop()` closes.
 * @throws TypeError or RangeError when the source is none or an option is wrong
 * @example
 * const consumer = createEventConsumer("amqp://guest:guest@localhost", {
 *   queue: "erp.jobs",
 *   dedupe: inbox(db),
 *   handler: async (event, { trx }) => {
 *     await trx.updateTable("orders").set({ status: event.status }).where("job_id", "=", event.job_id).execute();
 *   },
 * });
 * await consumer.start();
 */
export function createEventConsumer<Extra extends object = object>(
  source: AmqpConsumerSource,
  options: EventConsumerOptions<Extra>,
): EventConsumer {
  const loop = new ConsumerLoop(classifySource(source), consumerSettings(options));
  const stop = (stopOptions?: StopOptions) => loop.stop(stopOptions);
  return Object.freeze({
    start: () => loop.start(),
    stop,
    state: () => loop.state(),
    [Symbol.asyncDispose]: () => stop(),
  } satisfies EventConsumer);
}
