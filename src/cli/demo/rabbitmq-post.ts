import { setTimeout as sleep } from "node:timers/promises";
import type { Channel, ChannelModel } from "amqplib";
import { WorkerProgressError } from "../../domain/errors.js";
import type { JobEventPayload } from "../../domain/event.js";
import type { Post } from "./post.js";

const closeWithinMs = 2_000;

/** The queues of a demo. They are exclusive: the broker deletes them with their connection, however it ends. */
export interface QueueNames {
  readonly tasks: string;
  readonly events: string;
}

/** A worker's connection with a queue of tasks, and a consumer's with a queue bound to the outbound exchange. */
export async function rabbitmqPost(url: string, outboundExchange: string, queues: QueueNames): Promise<Post> {
  const worker = await connected(url);
  const consumer = await connected(url).catch(async (error: unknown) => {
    await worker.model.close();
    throw error;
  });
  return {
    lost: Promise.race([worker.lost, consumer.lost]),
    async send(jobId) {
      const task = Buffer.from(JSON.stringify({ job_id: jobId }));
      worker.channel.sendToQueue(queues.tasks, task, { contentType: "application/json", persistent: true });
    },
    async takeTasks(handle) {
      const { channel } = worker;
      await channel.assertQueue(queues.tasks, { exclusive: true, durable: false });
      await channel.consume(queues.tasks, (message) => {
        if (message === null) return;
        const { job_id: jobId } = JSON.parse(message.content.toString()) as { job_id: string };
        // The channel may be lost by then, and refuses; the task is gone with its queue.
        handle(jobId)
          .then(
            () => channel.ack(message),
            () => channel.nack(message, false, false),
          )
          .catch(() => {});
      });
    },
    async takeEvents(listener) {
      const { channel } = consumer;
      await channel.assertQueue(queues.events, { exclusive: true, durable: false });
      await channel.bindQueue(queues.events, outboundExchange, "");
      await channel.consume(queues.events, (message) => {
        if (message === null) return;
        listener(JSON.parse(message.content.toString()) as JobEventPayload);
        channel.ack(message);
      });
    },
    async close() {
      await Promise.all([worker.close(queues.tasks), consumer.close(queues.events)]);
    },
  };
}

interface Connected {
  readonly model: ChannelModel;
  readonly channel: Channel;
  readonly lost: Promise<never>;
  close(queue: string): Promise<void>;
}

async function connected(url: string): Promise<Connected> {
  const { connect } = await import("amqplib");
  const model = await connect(url, { timeout: 5_000, noDelay: true }).catch((cause: unknown) => {
    throw unavailable("Cannot connect the demo to RabbitMQ", cause);
  });
  const channel = await model.createChannel();
  let closing = false;
  const lost = new Promise<never>((_, reject) => {
    // Unheard, the error of a connection or channel would end the process.
    for (const source of [model, channel]) {
      source.on("error", (cause: unknown) => reject(unavailable("The demo lost RabbitMQ", cause)));
      source.on(
        "close",
        () => closing || reject(unavailable("The demo lost RabbitMQ", new Error("connection closed"))),
      );
    }
  });
  lost.catch(() => {});
  return {
    model,
    channel,
    lost,
    async close(queue) {
      if (closing) return;
      closing = true;
      const closed = async () => {
        await channel.deleteQueue(queue);
        await model.close();
      };
      // A connection that is lost or does not answer: its exclusive queue goes with it.
      await Promise.race([closed(), sleep(closeWithinMs, undefined, { ref: false })]).catch(() => {});
    },
  };
}

function unavailable(what: string, cause: unknown): WorkerProgressError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new WorkerProgressError("PUBLISHER_UNAVAILABLE", `${what}: ${reason}`, { cause });
}
