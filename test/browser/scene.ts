import pg from "pg";
import { createProgressReporter } from "worker-progress";
import { startWorker, type WorkerProcess } from "../support/child-process.js";
import { type PrivateServer, privateRedis, type TestDatabase, testDatabase } from "../support/servers.js";
import type { Backstage } from "./dashboard-process.js";
import type { Order, Told } from "./obedient-worker.js";

/** A database and a Redis that one test file has to itself, as a user of the dashboard would have them. */
export interface Scene extends Backstage {
  /** Inserts a pending job and answers its id. */
  job(type?: string): Promise<string>;
  /** Starts a worker on a job, in a process of its own. */
  worker(jobId: string): Promise<ObedientWorker>;
  row(jobId: string): Promise<StoredJob>;
  close(): Promise<void>;
}

/** What is stored of a job. */
export interface StoredJob {
  readonly status: string;
  readonly progress: number;
}

/** A worker that does what the test says. */
export interface ObedientWorker {
  tell(order: Order): void;
  /** How its work ended: "result", or the name of what was thrown. */
  readonly ended: Promise<string>;
  readonly process: WorkerProcess<Told>;
}

const workerFile = new URL("obedient-worker.ts", import.meta.url);

/** Opens a scene: a database with the library's tables, and a private Redis. */
export async function openScene(): Promise<Scene> {
  const [database, redis] = await Promise.all([testDatabase(), privateRedis()]);
  const pool = new pg.Pool({ connectionString: database.url, max: 2 });
  pool.on("error", () => {});
  const reporter = createProgressReporter(pool);
  await reporter.migrate();
  const backstage = { databaseUrl: database.url, redisUrl: redis.url };
  const workers: WorkerProcess<Told>[] = [];
  return {
    ...backstage,
    job: async (type = "model") => String(await reporter.createJob({ type })),
    async worker(jobId) {
      const args = [JSON.stringify({ ...backstage, jobId })];
      const process = await startWorker<Told>(workerFile, { args });
      workers.push(process);
      await process.message(({ kind }) => kind === "started");
      const ended = process
        .message(({ kind }) => kind === "ended")
        .then((told) => (told.kind === "ended" ? told.by : ""));
      ended.catch(() => {}); // a worker that is killed at the end of its test
      return { tell: (order: Order) => process.send(order), ended, process };
    },
    async row(jobId) {
      const select = "select status, progress from worker_progress_jobs where id = $1";
      return (await pool.query<StoredJob>(select, [jobId])).rows[0] as StoredJob;
    },
    close: () => closeAll(workers, reporter, pool, database, redis),
  };
}

async function closeAll(
  workers: readonly WorkerProcess<Told>[],
  reporter: { close(): Promise<unknown> },
  pool: pg.Pool,
  database: TestDatabase,
  redis: PrivateServer,
): Promise<void> {
  for (const worker of workers) worker.kill("SIGKILL");
  await Promise.all(workers.map(({ exit }) => exit));
  await reporter.close();
  await pool.end();
  await database.drop();
  await redis.stop();
}
