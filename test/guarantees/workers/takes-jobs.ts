import { connect } from "amqplib";
import { Redis } from "ioredis";
import pg from "pg";
import { createProgressReporter } from "worker-progress";
import { optionsOn } from "../stage-address.js";
import { letGo, tell, workerTask } from "./worker-task.js";

/** A worker as people write it: it takes jobs off a queue, reports on them, and acknowledges what it has ended. */
export interface TakesJobsTask {
  readonly queue: string;
}

const { address, task } = workerTask<TakesJobsTask>();
const pool = new pg.Pool({ connectionString: address.databaseUrl });
const redis = new Redis(address.redisUrl as string);
const amqp = await connect(address.rabbitmqUrl as string);
// A starved machine must not look like a Redis that is away, which the worker would say.
const reporter = createProgressReporter(pool, redis, amqp, optionsOn(address, { redis: { timeoutMs: 5_000 } }));
const { startJob, progress, forceProgress, completeJob, failJob } = reporter;

const channel = await amqp.createChannel();
await channel.prefetch(1);
await channel.consume(task.queue, async (message) => {
  if (message === null) return;
  const { id, fails } = JSON.parse(message.content.toString("utf8"));
  await startJob(id, "Beginning processing");
  await progress(id, 50, "processing", "Halfway done", { items: 100 });
  void progress(id, 55);
  await forceProgress(id, 75, "writing", "Processing data");
  if (fails) await failJob(id, "ERR_001", "Something went wrong", { percent: 80 });
  else await completeJob(id, { output: "result.stl" }, "Success!");
  channel.ack(message);
});
await tell({ ready: true });

process.once("message", async () => {
  await reporter.close();
  await amqp.close();
  await redis.quit();
  await pool.end();
  letGo();
});
