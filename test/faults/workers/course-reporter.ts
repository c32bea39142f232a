import { Redis } from "ioredis";
import pg from "pg";
import { createProgressReporter, type ProgressReporter } from "worker-progress";
import { optionsOn, type StageAddress } from "../../guarantees/stage-address.js";
import type { CourseTask } from "./course-messages.js";

/** The reporter of a worker, and what the worker itself opened for it. */
export interface CourseReporter {
  readonly reporter: ProgressReporter;
  /** Takes all connections of the worker's own pool, as a job that leaks them does, or gives them back. */
  takeConnections(take: boolean): Promise<void>;
  close(): Promise<void>;
}

/** Opens a reporter from the three URLs, or from a client of the worker's own where the task asks for one. */
export function courseReporter(
  address: StageAddress,
  task: CourseTask,
  warn: (message: string, details?: Readonly<Record<string, unknown>>) => void,
): CourseReporter {
  const pool = task.ownPool === null ? null : poolOn(address.databaseUrl, task.ownPool);
  const redis = task.sentinel === null ? null : sentinelClient(task.sentinel);
  const options = optionsOn(address, { ...task.options, log: { warn } });
  const reporter = createProgressReporter(
    pool ?? address.databaseUrl,
    redis ?? address.redisUrl,
    address.rabbitmqUrl,
    options,
  );
  let taken: pg.PoolClient[] = [];
  return {
    reporter,
    async takeConnections(take) {
      for (const client of taken) client.release();
      taken = [];
      if (!take || pool === null) return;
      taken = await Promise.all(Array.from({ length: pool.options.max }, () => pool.connect()));
    },
    async close() {
      await pool?.end();
      redis?.disconnect();
    },
  };
}

function poolOn(connectionString: string, size: NonNullable<CourseTask["ownPool"]>): pg.Pool {
  const pool = new pg.Pool({ connectionString, ...size });
  pool.on("error", () => {});
  pool.on("connect", (client) => void client.on("error", () => {}));
  return pool;
}

function sentinelClient({ port, name }: NonNullable<CourseTask["sentinel"]>): Redis {
  const client = new Redis({ sentinels: [{ host: "127.0.0.1", port }], name, lazyConnect: true });
  client.on("error", () => {});
  return client;
}
