/** What a user of the package may write: it has to compile under strict settings, and each wrong call must not. */
export const consumerSource = `
import { Kysely, type PostgresDialect, type Transaction } from "kysely";
import { createProgressReporter, type JobView, type ProgressResult, WorkerProgressError } from "worker-progress";
import { legacyJobTable, postgresStorage } from "worker-progress/postgres";
import { redisThrottle } from "worker-progress/redis";
import { rabbitmqPublisher } from "worker-progress/rabbitmq";

interface Tables {
  models: { id: number; polygons: number };
}

declare const dialect: PostgresDialect;
const db = new Kysely<Tables>({ dialect });
const storage = postgresStorage(db, { table: legacyJobTable });
const reporter = createProgressReporter(storage, redisThrottle("redis://localhost"), rabbitmqPublisher("amqp://localhost"), { windowMs: 500 });
export const fromUrls = createProgressReporter("postgres://localhost/jobs", "redis://localhost", "amqp://localhost");
export const ownInstance = createProgressReporter(db);
export const embedded = createProgressReporter();

const { startJob, progress, forceProgress, completeJob, failJob, updateStatus, getJob, run } = reporter;

export async function work(id: number): Promise<JobView | null> {
  const job = await startJob(id, "Beginning processing", { resume: true });
  const result: ProgressResult = await progress(id, 50, "processing", "Halfway done", { items: 100 });
  if (result.outcome === "rejected" && result.error.code === "STALE_ATTEMPT") throw result.error;
  await forceProgress("42", 60);
  await job.progress(70, "meshing");
  await job.range(70, 90).range(0, 50).progress(100);
  for await (const part of job.track([1, 2, 3], { step: "parts" })) part.toFixed();
  const signal: AbortSignal = job.signal;
  if (signal.aborted) await job.cancel("Not wanted any more");
  await db.transaction().execute(async (trx: Transaction<Tables>) => {
    await trx.insertInto("models").values({ id, polygons: 12 }).execute();
    await completeJob(id, { output: "result.stl" }, "Success!", { trx });
  });
  await failJob(id, "ERR_001", "Something went wrong", { percent: 75 });
  await updateStatus(id, "queued", { message: "Again" });
  const size: number = await run(id, async (handle) => handle.attempt);
  return size > 1 ? getJob(id) : null;
}

export function isGone(error: unknown): boolean {
  return error instanceof WorkerProgressError && error.code === "JOB_NOT_FOUND";
}

export async function wrong(): Promise<void> {
  // @ts-expect-error
  await progress(1, "50");
  // @ts-expect-error
  await updateStatus(1, "done");
  // @ts-expect-error
  await completeJob(1, {}, "Success!", { trx: "yes" });
  // @ts-expect-error
  createProgressReporter(storage, null, null, { windowMS: 500 });
  // @ts-expect-error
  createProgressReporter(42);
}
`;

/** The same package to a CommonJS module. */
export const commonjsSource = `
import { createProgressReporter, errorCodes } from "worker-progress";
import redis = require("worker-progress/redis");
export const reporter = createProgressReporter(null, redis.redisThrottle("redis://localhost"));
export const codes: readonly string[] = errorCodes;
`;
