import { connect } from "amqplib";
import type { JobEventPayload } from "worker-progress";
import type { Stage } from "./stage.js";

/** A message as it came over the wire. */
export interface Delivery {
  readonly payload: JobEventPayload;
  readonly messageId: string;
  readonly type: string;
  readonly contentType: string;
  readonly deliveryMode: number;
  readonly timestamp: number;
  readonly routingKey: string;
}

/** Somebody on the outside: a client of its own with a queue bound to the outbound exchange. */
export interface Listener {
  /** Every delivery so far, in order. */
  readonly deliveries: readonly Delivery[];
  /** The first arrivals per job: what a consumer that ignores repeated ids sees. */
  firstArrivals(): ReadonlyMap<string, readonly string[]>;
  /** Resolves when its connection is gone, for whatever reason. */
  readonly gone: Promise<void>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Binds a queue to the outbound exchange and collects what arrives. */
export async function listen(
  stage: Pick<Stage, "address" | "queue">,
  queueType: "classic" | "quorum" = "classic",
): Promise<Listener> {
  const { outboundExchange, rabbitmqUrl } = stage.address;
  const connection = await connect(rabbitmqUrl as string);
  connection.on("error", () => {});
  const gone = new Promise<void>((resolve) => void connection.on("close", () => resolve()));
  const channel = await connection.createChannel();
  channel.on("error", () => {});
  const queue = stage.queue("outside");
  await channel.assertExchange(outboundExchange, "fanout", { durable: true });
  await channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": queueType } });
  await channel.bindQueue(queue, outboundExchange, "");
  const deliveries: Delivery[] = [];
  await channel.consume(queue, (message) => {
    if (message === null) return;
    const { messageId, type, contentType, deliveryMode, timestamp } = message.properties;
    const payload = JSON.parse(message.content.toString("utf8"));
    const { routingKey } = message.fields;
    deliveries.push({ payload, messageId, type, contentType, deliveryMode, timestamp, routingKey });
    channel.ack(message);
  });
  const close = async () => {
    await connection.close().catch(() => {});
  };
  return { deliveries, firstArrivals: () => firstArrivals(deliveries), gone, close, [Symbol.asyncDispose]: close };
}

/** The ids of events per job, each where it came first. */
export function firstArrivals(deliveries: readonly Delivery[]): ReadonlyMap<string, readonly string[]> {
  const byJob = new Map<string, string[]>();
  const seen = new Set<string>();
  for (const { payload } of deliveries) {
    if (seen.has(payload.event_id)) continue;
    seen.add(payload.event_id);
    const job = String(payload.job_id);
    byJob.set(job, [...(byJob.get(job) ?? []), payload.event_id]);
  }
  return byJob;
}
