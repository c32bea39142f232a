import { type ChannelModel, connect, type GetMessage } from "amqplib";
import type { RabbitmqPublisherOptions } from "../../src/adapters/rabbitmq/index.js";
import type { JobEvent, JobEventPayload } from "../../src/domain/event.js";
import { eventually } from "../support/eventually.js";
import { rabbitmqUrl, testNames } from "../support/servers.js";

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

let drawn = 0;

/** An event of its own. */
export function newEvent(values: Partial<JobEventPayload> = {}): JobEvent {
  const id = `0190f0a0-0000-7000-8000-${(++drawn).toString(16).padStart(12, "0")}`;
  const payload: JobEventPayload = {
    event_id: id,
    event_type: "job.status.changed",
    timestamp: "2024-01-20T10:30:00.900Z",
    job_id: 123,
    status: "running",
    progress: 50,
    attempt: 1,
    previous_status: "queued",
    previous_progress: 0,
    step: "processing",
    message: "Processing data",
    ...values,
  };
  return { id, jobId: String(payload.job_id), payload };
}

/** So many events. */
export function newEvents(count: number): readonly JobEvent[] {
  return Array.from({ length: count }, () => newEvent());
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
