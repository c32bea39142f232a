import { Kysely, PostgresDialect } from "kysely";
import type pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { postgresStorage } from "../../src/adapters/postgres/index.js";
import { runningAt, stored, versionOf, waiting, withEvent, write } from "../../src/conformance/storage-fixtures.js";
import type { JobSnapshot } from "../../src/domain/job-snapshot.js";
import type { StorageAdapter } from "../../src/ports/storage.js";
import { eventually } from "../support/eventually.js";
import { quietPool, type ServerDatabase, serverDatabase } from "./postgres-subject.js";

let database: ServerDatabase;
let storage: StorageAdapter;
let job: JobSnapshot;
let other: pg.PoolClient;

beforeAll(async () => {
  database = await serverDatabase();
});
beforeEach(async () => {
  await database.reset();
  storage = postgresStorage(database.pool, { lockTimeoutMs: 30_000 });
  await storage.schema.migrate();
  job = await stored(storage, await storage.create({ id: null, type: null, status: "pending", at: 0 }));
  other = await database.otherPool.connect();
});
afterEach(async () => {
  await other.query("rollback");
  other.release();
});
afterAll(() => database.drop());

describe("a commit that waits for a row", () => {
  test("is a conflict when the version has changed meanwhile", async () => {
    await other.query("begin");
    await other.query("update worker_progress_jobs set progress = 7");
    const outcomes = storage.commit([await withEvent(storage, write(job, runningAt(40)))]);
    await someoneWaits();
    await other.query("commit");
    expect(await outcomes).toEqual([{ kind: "conflict" }]);
    expect((await stored(storage, job.id)).progress).toBe(7);
    expect(await waiting(storage)).toEqual([]);
  });

  test("is a conflict when the row has been deleted meanwhile", async () => {
    await other.query("begin");
    await other.query("delete from worker_progress_jobs");
    const outcomes = storage.commit([await withEvent(storage, write(job, runningAt(40)))]);
    await someoneWaits();
    await other.query("commit");
    expect(await outcomes).toEqual([{ kind: "conflict" }]);
    expect(await waiting(storage)).toEqual([]);
  });

  test("keeps what others changed of the row meanwhile, and sees their request to cancel", async () => {
    await other.query("begin");
    await other.query(
      `update worker_progress_jobs set cancel_requested = true, step = 'theirs', metrics = '{"theirs":1}'`,
    );
    const outcomes = storage.commit([write(job, runningAt(40), { metrics: { mine: 2 } })]);
    await someoneWaits();
    await other.query("commit");
    expect(await outcomes).toEqual([{ kind: "committed", cancelRequested: true }]);
    expect(await stored(storage, job.id)).toMatchObject({
      progress: 40,
      step: "theirs",
      metrics: { theirs: 1, mine: 2 },
    });
  });

  test("goes on when the other transaction rolls back", async () => {
    await other.query("begin");
    await other.query("update worker_progress_jobs set progress = 7");
    const outcomes = storage.commit([write(job, runningAt(40))]);
    await someoneWaits();
    await other.query("rollback");
    expect(await outcomes).toEqual([{ kind: "committed", cancelRequested: false }]);
  });

  test("gives up after lockTimeoutMs, changes nothing, and leaves the connection's own setting as it was", async () => {
    const pool = quietPool({ connectionString: database.url, max: 1, options: "-c lock_timeout=10min" });
    const impatient = postgresStorage(pool, { lockTimeoutMs: 20 });
    await other.query("begin");
    await other.query("select from worker_progress_jobs for update");
    const change = await withEvent(impatient, write(job, runningAt(40)));
    expect(await impatient.commit([change])).toEqual([{ kind: "locked" }]);
    await other.query("rollback");
    expect(await impatient.commit([change])).toEqual([{ kind: "committed", cancelRequested: false }]);
    expect((await pool.query("show lock_timeout")).rows).toEqual([{ lock_timeout: "10min" }]);
    await pool.end();
  });
});

test("a row that another transaction keeps does not hold up the others of its batch", async () => {
  const impatient = postgresStorage(database.pool, { lockTimeoutMs: 20 });
  const free = await stored(storage, await storage.create({ id: null, type: null, status: "pending", at: 0 }));
  await other.query("begin");
  await other.query("select from worker_progress_jobs where id = $1 for update", [job.id]);
  const writes = [
    await withEvent(storage, write(job, runningAt(40))),
    await withEvent(storage, write(free, runningAt(50))),
  ];
  expect(await impatient.commit(writes)).toEqual([{ kind: "locked" }, { kind: "committed", cancelRequested: false }]);
  expect((await waiting(storage)).map(({ event }) => event.jobId)).toEqual([free.id]);
  expect((await stored(storage, job.id)).progress).toBe(0);
});

test("a row that was changed since a serializable statement began does not fail its batch", async () => {
  const pool = quietPool({
    connectionString: database.url,
    options: "-c default_transaction_isolation=serializable",
  });
  const free = await stored(storage, await storage.create({ id: null, type: null, status: "pending", at: 0 }));
  await other.query("begin");
  await other.query("update worker_progress_jobs set type = type where id = $1", [job.id]);
  const committing = postgresStorage(pool, { lockTimeoutMs: 30_000 }).commit([
    write(job, runningAt(40)),
    write(free, runningAt(50)),
  ]);
  await someoneWaits();
  await other.query("commit");
  expect(await committing).toEqual(Array(2).fill({ kind: "committed", cancelRequested: false }));
  await pool.end();
});

test("a write whose expectation does not hold takes no lock, so it waits for nobody", async () => {
  await other.query("begin");
  await other.query("select from worker_progress_jobs for update");
  const stale = { ...write(job, runningAt(40)), expected: runningAt(7) };
  expect(await storage.commit([stale])).toEqual([{ kind: "conflict" }]);
});

test("rows of other tables can refer to a job that is being committed", async () => {
  await database.pool.query("create table artefacts (job_id bigint references worker_progress_jobs)");
  const db = new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool: database.pool }) });
  await db.transaction().execute(async (transaction) => {
    await storage.commit([write(job, runningAt(40))], transaction);
    await other.query("set lock_timeout = '5s'");
    await other.query("insert into artefacts values ($1)", [job.id]);
  });
  expect(versionOf(await stored(storage, job.id))).toEqual(runningAt(40));
});

async function someoneWaits(): Promise<void> {
  await eventually(async () => {
    // Not from within the other transaction, which sees the activity as it was when it first looked.
    const { rows } = await database.pool.query(
      "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    expect(rows).toHaveLength(1);
  });
}
