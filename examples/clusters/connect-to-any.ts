import { type ChannelModel, connect } from "amqplib";

/** Opens a connection to the first node that takes one: amqplib itself knows one address. */
export async function connectToAny(urls: readonly string[]): Promise<ChannelModel> {
  const failures: unknown[] = [];
  for (const url of urls) {
    try {
      return await connect(url, { timeout: 1_000, noDelay: true, keepAlive: true });
    } catch (error) {
      failures.push(error);
    }
  }
  throw new AggregateError(failures, "No node of RabbitMQ takes connections");
}
