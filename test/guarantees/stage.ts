import pg from "pg";
import { createProgressReporter } from "worker-progress";
import { rabbitmqUrl, redisUrl, testDatabase, testKeyPrefix, testNames } from "../support/servers.js";
import type { StageAddress } from "./stage-address.js";

/** What one test plays on: a database with the library's tables, and names of its own on Redis and RabbitMQ. */
export interface Stage {
  readonly address: StageAddress;
  /** For looking at what is stored, past the library. */
  readonly db: pg.Pool;
  /** A queue that the end of the run removes. */
  queue(label: string): string;
  /** Inserts pending jobs and answers their ids. */
  jobs(count: number): Promise<string[]>;
  job(): Promise<string>;
  row(id: string): Promise<JobRow>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A row of the library's own job table, as far as the tests look at it. */
export interface JobRow {
  readonly status: string;
  readonly progress: number;
  readonly attempts: number;
  readonly step: string | null;
  readonly message: string | null;
}

/** Opens a stage on the shared servers; `instead` replaces an address, as by a private server's or a proxy's. */
export async function openStage(instead: Partial<StageAddress> = {}): Promise<Stage> {
  const database = instead.databaseUrl === undefined ? await testDatabase() : null;
  const names = testNames();
  const address: StageAddress = {
    databaseUrl: database?.url ?? "",
    redisUrl: redisUrl(),
    rabbitmqUrl: rabbitmqUrl(),
    keyPrefix: testKeyPrefix(),
    eventsExchange: names.events,
    outboundExchange: names.outbound,
    ...instead,
  };
  await migrate(address.databaseUrl);
  const db = quietPool(address.databaseUrl);
  const jobs = async (count: number): Promise<string[]> => {
    const insert =
      "insert into worker_progress_jobs (type) select 'model' from generate_series(1, $1) returning id::text";
    return (await db.query<{ id: string }>(insert, [count])).rows.map(({ id }) => id);
  };
  const close = async () => {
    await db.end();
    await database?.drop();
  };
  return {
    address,
    db,
    queue: names.queue,
    jobs,
    job: async () => (await jobs(1))[0] as string,
    async row(id) {
      const select = "select status, progress, attempts, step, message from worker_progress_jobs where id = $1";
      return (await db.query<JobRow>(select, [id])).rows[0] as JobRow;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A pool that does not end the process when its server is killed. */
export function quietPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 4 });
  pool.on("error", () => {});
  pool.on("connect", (client) => void client.on("error", () => {}));
  return pool;
}

async function migrate(databaseUrl: string): Promise<void> {
  const reporter = createProgressReporter(databaseUrl);
  await reporter.migrate();
  await reporter.close();
}
