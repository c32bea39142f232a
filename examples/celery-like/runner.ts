// Takes jobs off the queue, one at a time: node examples/celery-like/runner.ts
// Start as many as there are cores. SIGTERM finishes the current job.
import { setTimeout as sleep } from "node:timers/promises";
import { type ConsumeMessage, connect } from "amqplib";
import { reporterFromEnvironment } from "../reporter-from-environment.ts";
import { attemptTask } from "./attempt-task.ts";
import { encodeTask, parseTask, queue, type TaskMessage } from "./task-message.ts";

const maxAttempts = Number(process.env.MAX_ATTEMPTS ?? 3);
const reporter = reporterFromEnvironment();
await reporter.migrate();
const connection = await connect(process.env.RABBITMQ_URL ?? "amqp://127.0.0.1");
// Without its connection a runner's job is somebody else's: it must not go on with it.
connection.on("error", (error) => console.error(error.message));
connection.once("close", () => process.exit(1));
const channel = await connection.createConfirmChannel();
await channel.assertQueue(queue, { durable: true });
await channel.prefetch(1);

let current = Promise.resolve();
const { consumerTag } = await channel.consume(queue, (message) => {
  if (message === null) process.exit(1); // the queue was deleted
  current = handle(message);
});
process.once("SIGTERM", () => void stop());
console.log(`Waiting for tasks on "${queue}"`);

/** Acknowledges a message only once the job's end, or its next attempt, is stored. */
async function handle(message: ConsumeMessage): Promise<void> {
  const task = parseTask(message.content);
  if (task === null) return channel.reject(message, false);
  const { job_id, attempt = 1 } = task;
  try {
    const outcome = await attemptTask(reporter, task, { maxAttempts, redelivered: message.fields.redelivered });
    console.log(`Job ${job_id}, attempt ${attempt}: ${outcome}`);
    if (outcome === "retry") await send({ ...task, attempt: attempt + 1 });
  } catch (error) {
    console.error(`Job ${job_id}, attempt ${attempt} goes back to the queue:`, error);
    await sleep(1_000);
    await send(task); // a nack would count as the death of a runner
  }
  channel.ack(message);
}

async function send(task: TaskMessage): Promise<void> {
  channel.sendToQueue(queue, encodeTask(task), { persistent: true });
  await channel.waitForConfirms();
}

async function stop(): Promise<void> {
  await channel.cancel(consumerTag);
  await current;
  await reporter.close();
  connection.removeAllListeners("close");
  await connection.close();
}
