import type { PublisherAdapter } from "../../ports/publisher.js";
import { publisherSettings, type RabbitmqPublisherOptions } from "./options.js";
import type { RabbitmqPublisherState } from "./publisher-state.js";
import { classifyRabbitmqSource, type RabbitmqSource } from "./rabbitmq-source.js";
import { Supervisor } from "./supervisor.js";

/** A publisher that tells where it stands. */
export interface RabbitmqPublisher extends PublisherAdapter {
  state(): RabbitmqPublisherState;
}

/**
 * Publishes events to RabbitMQ with publisher confirms. Connects at the first `setup` or `publish`, and again at the first
 * one after a loss, unless it was given a connection. What the caller passes in the caller closes; what is opened from a
 * URL or by the factory `close()` closes.
 * @throws TypeError or RangeError when the source is none or an option is wrong
 * @example
 * const publisher = rabbitmqPublisher("amqp://guest:guest@localhost", { outboundExchange: "erp.outbound" });
 */
export function rabbitmqPublisher(source: RabbitmqSource, options?: RabbitmqPublisherOptions): RabbitmqPublisher {
  const classified = classifyRabbitmqSource(source);
  if (classified === null) {
    throw new TypeError(
      "RabbitMQ must be an amqplib ChannelModel, a function that opens one, or a URL like amqp://user:password@host:5672/vhost",
    );
  }
  const supervisor = new Supervisor(classified, publisherSettings(options));
  return Object.freeze({
    async setup() {
      await supervisor.session();
    },
    publish: async (events) => (await supervisor.session()).publish(events),
    state: () => supervisor.state(),
    close: () => supervisor.close(),
  } satisfies RabbitmqPublisher);
}
