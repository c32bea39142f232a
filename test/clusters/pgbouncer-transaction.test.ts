import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createProgressReporter, type ProgressReporter } from "worker-progress";
import { keepJournal } from "../guarantees/journal.js";
import { listen } from "../guarantees/listener.js";
import { openStage, quietPool, type Stage } from "../guarantees/stage.js";
import { optionsOn } from "../guarantees/stage-address.js";
import { eventually } from "../support/eventually.js";
import { type PrivatePgbouncer, startPgbouncer } from "../support/private-pgbouncer.js";
import { testDatabase } from "../support/servers.js";
import { expectCallsReturnedAtOnce, expectConsistent, patience, untilLastIsStored } from "./audit.js";
import { startLoad } from "./load.js";

const serverConnections = 2;
const options = { windowMs: 50, relay: { pollMs: 100 } };
const silent = { warn: () => {} };

let bouncer: PrivatePgbouncer;
let stage: Stage;

beforeAll(async () => {
  const database = await testDatabase();
  bouncer = await startPgbouncer(database.url, { serverConnections });
  // Opening a stage migrates, here through PgBouncer.
  stage = await openStage({ databaseUrl: bouncer.url, redisUrl: null });
  await keepJournal(stage.db);
});

afterAll(async () => {
  await stage?.close();
  await bouncer?.stop();
});

test("two processes report, change and relay through two connections of the server; every event arrives once, in order", async () => {
  const jobIds = await stage.jobs(20);
  await using listener = await listen(stage);
  const shares = [jobIds.slice(0, 10), jobIds.slice(10)];
  const loads = await Promise.all(
    shares.map((ownJobIds) => startLoad(stage.address, { ownJobIds, options, attemptMs: 300 })),
  );
  await eventually(async () => expect((await bouncer.admin("show clients")).length).toBeGreaterThanOrEqual(8));
  for (const load of loads) load.fault();
  await eventually(() => expect(listener.deliveries.length).toBeGreaterThan(300), patience);
  const reports = await Promise.all(loads.map((load) => load.stop()));
  await untilLastIsStored(stage.db, jobIds);
  await expectConsistent(stage.db, listener);

  // One relay at a time, by a lease that is a row: a session's lock would be granted to everyone.
  expect(new Set(listener.deliveries.map(({ messageId }) => messageId)).size).toBe(listener.deliveries.length);
  for (const report of reports) {
    expectCallsReturnedAtOnce(report);
    expect(Object.keys({ ...report.healthy.changes, ...report.fault.changes })).toEqual(["stored"]);
  }
  await expectNothingLeftBehind();
  for (const load of loads) expect(await load.end()).toBe(0);
});

test("a change in the caller's transaction is stored with it and gone with it", async () => {
  const db = new Kysely<never>({ dialect: new PostgresDialect({ pool: quietPool(bouncer.url) }) });
  const reporter = createProgressReporter(db as never, null, null, optionsOn(stage.address, { log: silent }));
  const [kept, undone] = (await stage.jobs(2)) as [string, string];
  for (const id of [kept, undone]) await reporter.startJob(id);
  await db.transaction().execute((trx) => reporter.completeJob(kept, { output: 1 }, "Done", { trx }));
  await expect(
    db.transaction().execute(async (trx) => {
      await reporter.completeJob(undone, { output: 1 }, "Done", { trx });
      throw new Error("undone");
    }),
  ).rejects.toThrow("undone");
  expect(await stage.row(kept)).toMatchObject({ status: "completed" });
  expect(await stage.row(undone)).toMatchObject({ status: "running" });
  await reporter.close();
  await db.destroy();
  await expectNothingLeftBehind();
});

test("a watcher whose LISTEN hears nothing notices, says so once, and asks the database instead", async () => {
  const warned: string[] = [];
  const log = {
    warn: (message: string, details?: object) => void warned.push(`${message} ${JSON.stringify(details)}`),
  };
  const watching = createProgressReporter(bouncer.url, null, null, optionsOn(stage.address, { watchPollMs: 50, log }));
  const jobId = await stage.job();
  const load = await startLoad(stage.address, { ownJobIds: [jobId], options, attemptMs: 30_000 });
  const deaf =
    /^PostgreSQL notifications are not heard: watched jobs are polled.*connection pooler in transaction mode/;
  const early = await collect(watching, jobId, () => warned.length > 0);
  expect(warned).toEqual([expect.stringMatching(deaf)]);
  // For longer than the next try to listen takes, half a second and the two that it waits for its own notification.
  const late = await collect(watching, jobId, (seen) => seen.length === 70);
  for (const seen of [early, late]) expect(seen.length).toBeGreaterThan(0);
  expect(warned).toHaveLength(1);
  await watching.close();
  load.kill("SIGKILL");
  await expectNothingLeftBehind();
});

/** Looks at every connection of the server from within, by as many transactions at a time. */
async function expectNothingLeftBehind(): Promise<void> {
  const pool = new pg.Pool({ connectionString: bouncer.url, max: serverConnections });
  const clients = await Promise.all(Array.from({ length: serverConnections }, () => pool.connect()));
  const backends = new Set<number>();
  for (const client of clients) await client.query("begin");
  for (const client of clients) {
    const { rows } = await client.query(`
      select pg_backend_pid() as backend, current_setting('lock_timeout') as lock_timeout,
        (select count(*) from pg_prepared_statements)::int as prepared,
        (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())::int as locks`);
    expect(rows).toEqual([{ backend: expect.any(Number), lock_timeout: "0", prepared: 0, locks: 0 }]);
    backends.add(rows[0].backend);
  }
  expect(backends.size).toBe(serverConnections);
  for (const client of clients) {
    await client.query("rollback");
    client.release();
  }
  await pool.end();
}

async function collect(
  reporter: ProgressReporter,
  jobId: string,
  enough: (seen: readonly number[]) => boolean,
): Promise<number[]> {
  const seen: number[] = [];
  for await (const { progress } of reporter.watch(jobId)) {
    seen.push(progress.percent);
    if (enough(seen)) break;
  }
  return seen;
}
