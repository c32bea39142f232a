import pg from "pg";
import { eventually } from "../support/eventually.js";

/** A session of somebody else's, in a transaction that holds rows of the jobs. */
export interface ForeignSession {
  /** Locks the row of a job, as an UPDATE does; resolves when it has the lock. */
  lock(jobId: string): Promise<void>;
  /** Changes the row of a job without changing what it says. */
  touch(jobId: string): Promise<void>;
  /** Resolves when another session waits for a lock that this one holds. */
  untilWaitedFor(): Promise<void>;
  commit(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Opens a session and begins its transaction. In a deadlock it is the other that finds out, and is the victim. */
export async function openForeignSession(databaseUrl: string): Promise<ForeignSession> {
  const client = new pg.Client(databaseUrl);
  const onlooker = new pg.Client(databaseUrl);
  // The database may be dropped before the session ends.
  for (const each of [client, onlooker]) each.on("error", () => {});
  await Promise.all([client.connect(), onlooker.connect()]);
  await client.query("set deadlock_timeout = '1min'");
  await client.query("begin isolation level read committed");
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  const pid = rows[0]?.pid;
  const waiting = "select from pg_stat_activity where $1 = any(pg_blocking_pids(pid))";
  return {
    lock: async (jobId) =>
      void (await client.query("select from worker_progress_jobs where id = $1 for update", [jobId])),
    touch: async (jobId) =>
      void (await client.query("update worker_progress_jobs set type = type where id = $1", [jobId])),
    untilWaitedFor: () =>
      eventually(async () => {
        if ((await onlooker.query(waiting, [pid])).rowCount === 0) throw new Error("nobody waits for the lock");
      }),
    commit: async () => void (await client.query("commit")),
    async [Symbol.asyncDispose]() {
      await Promise.all([client.end(), onlooker.end()]);
    },
  };
}
