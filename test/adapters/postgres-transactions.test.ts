import { Kysely, PostgresDialect, sql } from "kysely";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { postgresStorage } from "../../src/adapters/postgres/index.js";
import { runningAt, stored, waiting, withEvent, write } from "../../src/conformance/storage-fixtures.js";
import type { JobSnapshot } from "../../src/domain/job-snapshot.js";
import type { StorageAdapter, StorageTraits } from "../../src/ports/storage.js";
import { quietPool, type ServerDatabase, serverDatabase } from "./postgres-subject.js";

let database: ServerDatabase;
let storage: StorageAdapter;
let job: JobSnapshot;

beforeAll(async () => {
  database = await serverDatabase();
});
beforeEach(async () => {
  await database.reset("create table results (value text)");
  storage = postgresStorage(database.camelCase);
  await storage.schema.migrate();
  job = await stored(storage, await storage.create({ id: null, type: null, status: "pending", at: 0 }));
});
afterAll(() => database.drop());

const refused = () => write(job, runningAt(101));

test("a commit that is refused does not poison the caller's transaction", async () => {
  await database.camelCase.transaction().execute(async (transaction) => {
    await sql`insert into results values ('before')`.execute(transaction);
    await expect(storage.commit([refused()], transaction)).rejects.toMatchObject({ code: "STORAGE_REJECTED" });
    await sql`insert into results values ('after')`.execute(transaction);
    await storage.commit([await withEvent(storage, write(job, runningAt(40)))], transaction);
  });
  expect(await results()).toEqual(["before", "after"]);
  expect((await stored(storage, job.id)).progress).toBe(40);
  expect(await waiting(storage)).toHaveLength(1);
});

test("nothing of the caller's is rolled back with a commit that is refused beside it", async () => {
  await database.camelCase.transaction().execute(async (transaction) => {
    const outcomes = await Promise.allSettled([
      storage.commit([refused()], transaction),
      sql`insert into results values ('one')`.execute(transaction),
      storage.commit([refused()], transaction),
      sql`insert into results values ('two')`.execute(transaction),
      storage.commit([write(job, runningAt(40))], transaction),
    ]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      "rejected",
      "fulfilled",
      "rejected",
      "fulfilled",
      "fulfilled",
    ]);
  });
  expect(await results()).toEqual(["one", "two"]);
  expect((await stored(storage, job.id)).progress).toBe(40);
});

test("a controlled transaction with savepoints of its own is a transaction too", async () => {
  const transaction = await database.camelCase.startTransaction().execute();
  const inner = await transaction.savepoint("mine").execute();
  await storage.commit([await withEvent(storage, write(job, runningAt(40)))], inner);
  await inner.rollbackToSavepoint("mine").execute();
  await transaction.commit().execute();
  expect(await stored(storage, job.id)).toEqual(job);
  expect(await waiting(storage)).toEqual([]);
});

test("the first call may be inside a transaction that holds the only connection", async () => {
  const pool = quietPool({ connectionString: database.url, max: 1 });
  const db = new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool }) });
  const fresh = postgresStorage(db);
  const preparing: Promise<StorageTraits>[] = [];
  await db.transaction().execute(async (transaction) => {
    preparing.push(fresh.prepare());
    const [loaded] = await fresh.load([job.id], transaction);
    expect(await fresh.commit([write(loaded as JobSnapshot, runningAt(40))], transaction)).toMatchObject([
      { kind: "committed" },
    ]);
  });
  expect(await Promise.all(preparing)).toMatchObject([{ idType: "bigint" }]);
  await pool.end();
});

test("the caller's own lock_timeout stays in force", async () => {
  await database.camelCase.transaction().execute(async (transaction) => {
    await sql`set local lock_timeout = '7s'`.execute(transaction);
    await storage.commit([write(job, runningAt(40))], transaction);
    const { rows } = await sql`select current_setting('lock_timeout') as setting`.execute(transaction);
    expect(rows).toEqual([{ setting: "7s" }]);
  });
});

test.each([
  ["a Kysely that is no transaction", () => database.camelCase],
  ["a pool", () => database.pool],
  ["something that only claims to be one", () => ({ isTransaction: true })],
  ["null", () => null],
])("%s is refused where a transaction belongs", async (_, value) => {
  await expect(storage.commit([write(job, runningAt(40))], value() as never)).rejects.toThrow(TypeError);
  await expect(storage.load([job.id], value() as never)).rejects.toThrow(TypeError);
  expect(await stored(storage, job.id)).toEqual(job);
});

test("a transaction that is over is refused and changes nothing", async () => {
  const transaction = await database.camelCase.startTransaction().execute();
  await transaction.rollback().execute();
  await expect(storage.commit([write(job, runningAt(40))], transaction)).rejects.toMatchObject({
    code: "STORAGE_REJECTED",
  });
  expect(await stored(storage, job.id)).toEqual(job);
});

async function results(): Promise<string[]> {
  return (await database.pool.query("select value from results")).rows.map((row) => row.value);
}
