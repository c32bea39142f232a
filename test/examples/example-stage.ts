import { connect } from "amqplib";
import pg from "pg";
import { inject } from "vitest";
import type { JobEventPayload } from "worker-progress";
import { startWorker, type WorkerExit, type WorkerProcess } from "../support/child-process.js";
import { rabbitmqUrl, redisUrl, testDatabase, testKeyPrefix, testNames } from "../support/servers.js";

/** Servers for examples, and somebody on the outside who collects their events. */
export interface ExampleStage {
  /** What an example reads from its environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly db: pg.Pool;
  /** Every event so far, in order of arrival, each id once. */
  readonly events: readonly JobEventPayload[];
  /** The events of one job as `status progress`, in order of arrival. */
  told(jobId: string): readonly string[];
  /** Starts `examples/<file>` in a process of its own. */
  start(file: string, args?: readonly string[], env?: NodeJS.ProcessEnv): Promise<WorkerProcess>;
  /** Runs `examples/<file>` to its end. */
  run(file: string, args?: readonly string[], env?: NodeJS.ProcessEnv): Promise<WorkerExit>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Opens a stage of its own names on the shared servers. */
export async function openExampleStage(): Promise<ExampleStage> {
  const database = await testDatabase();
  const names = testNames();
  const env = {
    DATABASE_URL: database.url,
    REDIS_URL: redisUrl(),
    RABBITMQ_URL: rabbitmqUrl(),
    REDIS_KEY_PREFIX: testKeyPrefix(),
    EVENTS_EXCHANGE: names.events,
    OUTBOUND_EXCHANGE: names.outbound,
    QUEUE: names.queue("tasks"),
    TMPDIR: inject("run").folder,
  };
  const db = new pg.Pool({ connectionString: database.url, max: 2 });
  db.on("error", () => {});
  const outside = await connect(rabbitmqUrl());
  const events = await collectEvents(outside, names.outbound, names.queue("outside"));
  const workers: WorkerProcess[] = [];
  const start: ExampleStage["start"] = async (file, args = [], more = {}) => {
    const worker = await startWorker(exampleFile(file), { args, env: { ...env, ...more } });
    workers.push(worker);
    return worker;
  };
  return {
    env,
    db,
    events,
    told: (jobId) =>
      events.filter(({ job_id }) => String(job_id) === jobId).map(({ status, progress }) => `${status} ${progress}`),
    start,
    run: async (...args) => (await start(...args)).exit,
    async [Symbol.asyncDispose]() {
      for (const worker of workers) worker.kill("SIGKILL");
      await Promise.all(workers.map(({ exit }) => exit));
      await outside.close();
      await db.end();
      await database.drop();
    },
  };
}

/** For what several processes take part in, on a machine that may be busy. */
export const patience = { timeoutMs: 60_000, everyMs: 50 } as const;

/** Hides the servers that the tests themselves were told of. */
export const noServers = { DATABASE_URL: undefined, REDIS_URL: undefined, RABBITMQ_URL: undefined } as const;

/** Where an example is. */
export function exampleFile(file: string): URL {
  return new URL(`../../examples/${file}`, import.meta.url);
}

async function collectEvents(
  connection: Awaited<ReturnType<typeof connect>>,
  exchange: string,
  queue: string,
): Promise<readonly JobEventPayload[]> {
  const channel = await connection.createChannel();
  await channel.assertExchange(exchange, "fanout", { durable: true });
  await channel.assertQueue(queue, { durable: true });
  await channel.bindQueue(queue, exchange, "");
  const events: JobEventPayload[] = [];
  await channel.consume(queue, (message) => {
    if (message === null) return;
    const event: JobEventPayload = JSON.parse(message.content.toString("utf8"));
    if (!events.some(({ event_id }) => event_id === event.event_id)) events.push(event);
    channel.ack(message);
  });
  return events;
}
