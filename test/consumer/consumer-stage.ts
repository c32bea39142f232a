import { type ChannelModel, connect, type GetMessage, type Options } from "amqplib";
import { expect } from "vitest";
import { rabbitmqPublisher } from "../../src/adapters/rabbitmq/index.js";
import { createEventConsumer, type EventConsumer, type EventConsumerOptions } from "../../src/consumer/index.js";
import type { JobEvent } from "../../src/domain/event.js";
import { eventually } from "../support/eventually.js";
import { rabbitmqUrl, testNames } from "../support/servers.js";

/** Exchanges, queues and a publisher that only one test uses. */
export interface Stage {
  readonly queue: string;
  readonly deadQueue: string;
  readonly events: string;
  readonly outbound: string;
  readonly log: { readonly lines: string[]; warn(message: string, details?: object): void };
  /** A consumer of the queue with short waits, on the stage's RabbitMQ unless `source` says where. */
  consumer<Extra extends object = object>(
    options: Partial<EventConsumerOptions<Extra>> & Pick<EventConsumerOptions<Extra>, "handler">,
    source?: Parameters<typeof createEventConsumer>[0],
  ): EventConsumer;
  /** Sends events as the reporter does. */
  publish(events: readonly JobEvent[], cloudEvents?: boolean): Promise<void>;
  /** Puts any bytes into the queue. */
  send(content: string | Buffer, options?: Options.Publish): Promise<void>;
  /** The next dead letter, once there is one. */
  deadLetter(): Promise<GetMessage>;
  waiting(queue: string): Promise<number>;
  /** Until the broker hands events to nobody: what nobody has acknowledged waits in the queue again. */
  untilUnread(): Promise<void>;
  readonly connection: ChannelModel;
  dispose(): Promise<void>;
}

/** Opens a stage on the shared RabbitMQ, or on that of `url`. */
export async function openStage(url = rabbitmqUrl()): Promise<Stage> {
  const names = testNames();
  const [queue, deadQueue] = [names.queue("erp"), names.queue("erp.dead")];
  const exchanges = { eventsExchange: names.events, outboundExchange: names.outbound };
  const connection = await connect(url);
  connection.on("error", () => {});
  const channel = await connection.createConfirmChannel();
  const plain = rabbitmqPublisher(url, exchanges);
  const enveloped = rabbitmqPublisher(url, { ...exchanges, format: { cloudEvents: { source: "/workers/test" } } });
  const consumers: EventConsumer[] = [];
  const lines: string[] = [];
  const log = { lines, warn: (message: string, details = {}) => lines.push(`${message} ${JSON.stringify(details)}`) };
  return {
    queue,
    deadQueue,
    events: names.events,
    outbound: names.outbound,
    log,
    connection,
    consumer(options, source = url) {
      const consumer = createEventConsumer(source, {
        queue,
        deadLetter: deadQueue,
        bind: [{ exchange: names.outbound }],
        retry: { firstMs: 2, maxMs: 10, maxAttempts: 3 },
        log,
        ...options,
      });
      consumers.push(consumer);
      return consumer;
    },
    async publish(events, cloudEvents = false) {
      await (cloudEvents ? enveloped : plain).publish(events);
    },
    async send(content, options = {}) {
      const usual = { contentType: "application/json", messageId: "sent", headers: { origin: "test" } };
      channel.sendToQueue(queue, Buffer.from(content), { ...usual, ...options });
      await channel.waitForConfirms();
    },
    deadLetter: () =>
      eventually(async () => {
        const message = await channel.get(deadQueue, { noAck: true });
        if (message === false) throw new Error("No dead letter came");
        return message;
      }),
    waiting: async (name) => (await channel.checkQueue(name)).messageCount,
    untilUnread: () => eventually(async () => expect((await channel.checkQueue(queue)).consumerCount).toBe(0)),
    async dispose() {
      await Promise.all(consumers.map((consumer) => consumer.stop({ deadlineMs: 100 })));
      await Promise.all([plain.close(), enveloped.close()]);
      for (const each of [queue, deadQueue]) await channel.deleteQueue(each);
      for (const each of Object.values(exchanges)) await channel.deleteExchange(each);
      await connection.close();
    },
  };
}

/** A promise that a test settles. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
