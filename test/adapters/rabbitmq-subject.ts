import { type ChannelModel, connect, type GetMessage } from "amqplib";
import type { RabbitmqPublisherOptions } from "../../src/adapters/rabbitmq/index.js";
import type { JobEvent, JobEventPayload } from "../../src/domain/event.js";
import { eventually } from "../support/eventually.js";
import { rabbitmqUrl, testNames } from "../support/servers.js";

export { newEvent, newEvents } from "./new-event.js";

/** A message as a client in any language sees it. */
export interface Arrived {
  readonly payload: JobEventPayload;
  readonly fields: { readonly exchange: string; readonly routingKey: string };
  readonly properties: GetMessage["properties"];
}

/** Another service, on its own connection, and exchanges that only this test uses. */
export interface Consumer {
  /** Options that name the exchanges of the test. */
  readonly names: { readonly eventsExchange: string; readonly outboundExchange: string };
  readonly connection: ChannelModel;
  /** Binds a queue to the fanout exchange, which must exist. */
  listen(): Promise<void>;
  readonly arrived: readonly Arrived[];
  /** What arrived, once there are `count` messages. */
  received(count: number): Promise<readonly Arrived[]>;
  /** Removes the exchanges and queues. */
  dispose(): Promise<void>;
}

/** A consumer on the shared RabbitMQ, or on the one of `url`. */
export async function openConsumer(url = rabbitmqUrl()): Promise<Consumer> {
  const unique = testNames();
  const names = { eventsExchange: unique.events, outboundExchange: unique.outbound };
  const queue = unique.queue("erp");
  const connection = await connect(url);
  connection.on("error", () => {});
  const channel = await connection.createChannel();
  const arrived: Arrived[] = [];
  return {
    names,
    connection,
    arrived,
    async listen() {
      await channel.assertQueue(queue, { durable: true });
      await channel.bindQueue(queue, names.outboundExchange, "");
      await channel.consume(
        queue,
        (message) => {
          if (message === null) return;
          const { content, fields, properties } = message;
          arrived.push({ payload: JSON.parse(content.toString()), fields, properties });
        },
        { noAck: true },
      );
    },
    async received(count) {
      await eventually(() => {
        if (arrived.length < count) throw new Error(`${arrived.length} of ${count} messages arrived`);
      });
      return [...arrived];
    },
    async dispose() {
      await channel.deleteQueue(queue);
      for (const exchange of [names.eventsExchange, names.outboundExchange]) await channel.deleteExchange(exchange);
      await connection.close();
    },
  };
}

/** The ids, in order. */
export function idsOf(messages: readonly (JobEvent | Arrived)[]): readonly string[] {
  return messages.map(({ payload }) => payload.event_id);
}

/** A log that remembers what it was told. */
export function rememberingLog(): {
  readonly lines: string[];
  readonly log: NonNullable<RabbitmqPublisherOptions["log"]>;
} {
  const lines: string[] = [];
  return { lines, log: { warn: (message, details) => lines.push(`${message} ${JSON.stringify(details ?? {})}`) } };
}
