import type { AmqpConfirmChannel } from "./client-types.js";
import type { PublisherSettings } from "./options.js";
import { topologyError } from "./rabbitmq-errors.js";

/**
 * Declares the two exchanges and the binding between them. Idempotent.
 * @throws {TOPOLOGY_MISMATCH} when an exchange exists with another type
 * @throws {PUBLISHER_UNAVAILABLE} when the connection is lost meanwhile or the user may not declare exchanges
 */
export async function declareTopology(channel: AmqpConfirmChannel, settings: PublisherSettings): Promise<void> {
  const { eventsExchange, outboundExchange, bindingKey } = settings;
  await explained("eventsExchange", eventsExchange, () =>
    channel.assertExchange(eventsExchange, "topic", { durable: true }),
  );
  await explained("outboundExchange", outboundExchange, async () => {
    await channel.assertExchange(outboundExchange, "fanout", { durable: true });
    await channel.bindExchange(outboundExchange, eventsExchange, bindingKey);
  });
}

async function explained(option: string, exchange: string, declare: () => Promise<unknown>): Promise<void> {
  try {
    await declare();
  } catch (error) {
    throw topologyError(error, option, exchange);
  }
}
