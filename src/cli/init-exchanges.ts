import { rabbitmqPublisher } from "../adapters/rabbitmq/index.js";
import type { InitExchangesCommand } from "./command.js";
import { topologyOf } from "./exchange-topology.js";
import type { Line } from "./painted-line.js";
import type { Screen } from "./screen.js";
import { serverAddress } from "./server-address.js";

/** Declares the exchanges and their binding, and says which. */
export async function initExchanges(command: InitExchangesCommand, screen: Screen): Promise<void> {
  const topology = topologyOf(command.exchanges);
  const publisher = rabbitmqPublisher(command.amqp, topology);
  try {
    await publisher.setup();
  } finally {
    await publisher.close();
  }
  const { eventsExchange, outboundExchange, bindingKey } = topology;
  const declared = (what: string, rest: string): Line => [["green", "✓"], ` ${what}`, ["dim", rest]];
  screen.print([
    [`RabbitMQ at ${serverAddress(command.amqp)}`],
    declared(eventsExchange, "  topic exchange, durable: the library publishes here"),
    declared(outboundExchange, "  fanout exchange, durable: bind your queues here"),
    declared(`${eventsExchange} → ${outboundExchange}`, `  bound with ${bindingKey}`),
  ]);
}
