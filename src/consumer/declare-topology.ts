import { WorkerProgressError } from "../domain/errors.js";
import { reasonOf } from "../domain/reason-of.js";
import type { AmqpConsumerChannel, AmqpQueueOptions } from "./client-types.js";
import type { ConsumerSettings } from "./consumer-options.js";

/** What is to be declared, without what is done with the events. */
export type Topology = Pick<
  ConsumerSettings<object>,
  "queue" | "bind" | "deadLetter" | "queueType" | "singleActiveConsumer"
>;

/**
 * Times a quorum queue hands an event over before it gives it to the dead letters: what crashes every consumer must end. The
 * limit of RabbitMQ 4, which without a dead-letter queue would drop the event.
 */
const deliveryLimit = 20;

/**
 * Declares the queue, its dead-letter queue, the exchanges and the bindings. Idempotent.
 * @throws {TOPOLOGY_MISMATCH} when a queue or exchange exists with other properties
 */
export async function declareTopology(channel: AmqpConsumerChannel, topology: Topology): Promise<void> {
  const { queue, deadLetter, queueType } = topology;
  const aside = { durable: true, arguments: { "x-queue-type": queueType } } as const;
  await explained("queue", deadLetter, "deadLetter", () => channel.assertQueue(deadLetter, aside));
  await explained("queue", queue, "queue", () => channel.assertQueue(queue, queueOptions(topology)));
  for (const { exchange, routingKey, type } of topology.bind) {
    await explained("exchange", exchange, "bind", async () => {
      if (type !== null) await channel.assertExchange(exchange, type, { durable: true });
      await channel.bindQueue(queue, exchange, routingKey);
    });
  }
}

function queueOptions({ queueType, deadLetter, singleActiveConsumer }: Topology): AmqpQueueOptions {
  return {
    durable: true,
    arguments: {
      "x-queue-type": queueType,
      "x-dead-letter-exchange": "",
      "x-dead-letter-routing-key": deadLetter,
      ...(singleActiveConsumer ? { "x-single-active-consumer": true } : {}),
      ...(queueType === "quorum" ? safelyDeadLettered : {}),
    },
  };
}

/** At-least-once dead-lettering demands that the queue refuses rather than drops what is too much; it has no limit, though. */
const safelyDeadLettered = {
  "x-delivery-limit": deliveryLimit,
  "x-dead-letter-strategy": "at-least-once",
  "x-overflow": "reject-publish",
};

async function explained(
  kind: "queue" | "exchange",
  name: string,
  option: string,
  declare: () => Promise<unknown>,
): Promise<void> {
  try {
    await declare();
  } catch (cause) {
    const reason = reasonOf(cause);
    const { code } = cause as { code?: unknown };
    if (code === preconditionFailed) {
      const message = `Cannot use ${kind} "${name}": it exists with other properties, delete it or name another one in option ${option} (${reason})`;
      throw new WorkerProgressError("TOPOLOGY_MISMATCH", message, { cause });
    }
    throw new Error(`Cannot declare ${kind} "${name}": ${reason}`, { cause });
  }
}

const preconditionFailed = 406;
