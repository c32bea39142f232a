import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { legacyJobTable, postgresStorage } from "../../src/adapters/postgres/index.js";
import { legacyTableSql, quietPool, type ServerDatabase, serverDatabase } from "./postgres-subject.js";

let database: ServerDatabase;
beforeAll(async () => {
  database = await serverDatabase();
});
beforeEach(() => database.reset());
afterAll(() => database.drop());

const ownTables = ["worker_progress_jobs", "worker_progress_outbox", "worker_progress_relay"];

test("eight storages with pools of their own migrate an empty database at once", async () => {
  const storages = Array.from({ length: 8 }, () => postgresStorage(database.url, { schema: "progress" }));
  await Promise.all(storages.map((storage) => storage.schema.migrate()));
  expect(await tables("progress")).toEqual(ownTables);
  await Promise.all(storages.map((storage) => storage.prepare()));
  await Promise.all(storages.map((storage) => storage.close()));
});

test("the printed SQL makes what migrate makes", async () => {
  const storage = postgresStorage(database.pool, { schema: "progress", idType: "uuid" });
  await database.pool.query(storage.schema.sql());
  await database.pool.query(storage.schema.sql());
  expect((await storage.prepare()).idType).toBe("uuid");
  const printed = await definition();
  await database.reset();
  await storage.schema.migrate();
  expect(await definition()).toEqual(printed);
});

test("a mapped table is the caller's: migrate makes the other two and leaves it alone", async () => {
  await database.reset(legacyTableSql);
  const storage = postgresStorage(database.pool, { table: legacyJobTable });
  const before = await columns("jobs");
  await storage.schema.migrate();
  expect(await tables("public")).toEqual(["jobs", "worker_progress_outbox", "worker_progress_relay"]);
  expect(await columns("jobs")).toEqual(before);
  expect(storage.schema.sql()).not.toContain("jobs");
});

test("a mapped table without an outbox needs no table of the library's", async () => {
  await database.reset(legacyTableSql);
  const storage = postgresStorage(database.pool, { table: legacyJobTable, outbox: false });
  await storage.schema.migrate();
  expect(await tables("public")).toEqual(["jobs"]);
  expect(storage.schema.sql()).toBe("");
});

test("a user who may not create tables can migrate where they exist, and is told where they do not", async () => {
  // Roles are the server's, and a run that was killed leaves its own behind.
  const role = `${new URL(database.url).pathname.slice(1)}_reader`;
  await database.pool.query(`create role ${role} login; grant usage on schema public to ${role}`);
  const url = new URL(database.url);
  url.username = role;
  const pool = quietPool({ connectionString: url.href });
  try {
    const storage = postgresStorage(pool);
    await expect(storage.schema.migrate()).rejects.toMatchObject({ code: "SCHEMA_MISMATCH" });
    await postgresStorage(database.pool).schema.migrate();
    await storage.schema.migrate();
  } finally {
    await pool.end();
    await database.pool.query(`drop owned by ${role}; drop role ${role}`);
  }
});

test("progress is updated within the page and without touching an index, and the outbox is vacuumed by count", async () => {
  await postgresStorage(database.pool).schema.migrate();
  const { rows } = await database.pool.query("select relname, reloptions from pg_class where relname = any($1)", [
    ownTables,
  ]);
  const options = Object.fromEntries(rows.map((row) => [row.relname, row.reloptions]));
  expect(options.worker_progress_jobs).toContain("fillfactor=80");
  expect(options.worker_progress_outbox).toContain("autovacuum_vacuum_scale_factor=0");
  const { rows: indexes } = await database.pool.query(
    "select from pg_indexes where tablename = 'worker_progress_jobs'",
  );
  expect(indexes).toHaveLength(1);
});

async function tables(schema: string): Promise<string[]> {
  const { rows } = await database.pool.query(
    "select tablename from pg_tables where schemaname = $1 order by tablename",
    [schema],
  );
  return rows.map((row) => row.tablename);
}

async function columns(table: string): Promise<unknown> {
  const text = "select column_name, data_type, column_default from information_schema.columns where table_name = $1";
  return (await database.pool.query(text, [table])).rows;
}

async function definition(): Promise<unknown> {
  const { rows: options } = await database.pool.query(
    "select relname, reloptions from pg_class where relnamespace = 'progress'::regnamespace order by relname",
  );
  return [options, ...(await Promise.all(ownTables.map(columns)))];
}
