import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { defaultJobTable, type JobTable, legacyJobTable, postgresStorage } from "../../src/adapters/postgres/index.js";
import { runningAt, stored, versionOf, waiting, withEvent, write } from "../../src/conformance/storage-fixtures.js";
import { storedPercent } from "../../src/domain/percent.js";
import { legacyTableSql, quietPool, type ServerDatabase, serverDatabase } from "./postgres-subject.js";

let database: ServerDatabase;
beforeAll(async () => {
  database = await serverDatabase();
});
beforeEach(() => database.reset());
afterAll(() => database.drop());

const minimal: JobTable = {
  name: "tasks",
  columns: { id: "id", status: "state", progress: "done", attempts: "tries" },
};
const minimalSql = (id = "bigint", done = "integer", state = "text") =>
  `create table tasks (id ${id} primary key, state ${state}, done ${done}, tries smallint)`;

describe("what the mapping names and the database lacks", () => {
  test("is a table: the answer names it and what to do", async () => {
    await expect(postgresStorage(database.pool).prepare()).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
      message: 'Table "worker_progress_jobs" does not exist: run migrate()',
    });
    const mapped = postgresStorage(database.pool, { table: legacyJobTable, schema: "app" });
    await expect(mapped.prepare()).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
      message: 'Table "app"."jobs" does not exist: fix the mapping or the table',
    });
  });

  test("is a column: the answer names it, its role and its table", async () => {
    await database.reset(legacyTableSql.replace("output_data jsonb,", ""));
    await expect(postgresStorage(database.pool, { table: legacyJobTable }).prepare()).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
      message: 'Table "jobs" has no column "output_data" for output: fix the mapping or the table',
    });
  });

  test("is a column of a type that cannot hold its values", async () => {
    await database.reset(legacyTableSql.replace("metrics jsonb", "metrics text"));
    await expect(postgresStorage(database.pool, { table: legacyJobTable }).prepare()).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
      message: 'Column "metrics" of table "jobs" is of type text: metrics needs jsonb, json',
    });
  });

  test("is the outbox: a mapped table alone is not enough unless events are not kept", async () => {
    await database.reset(legacyTableSql);
    await expect(postgresStorage(database.pool, { table: legacyJobTable }).prepare()).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
      message: 'Table "worker_progress_outbox" does not exist: run migrate()',
    });
    await postgresStorage(database.pool, { table: legacyJobTable, outbox: false }).prepare();
  });

  test("can be put right: the same storage prepares again", async () => {
    const storage = postgresStorage(database.pool);
    await expect(storage.prepare()).rejects.toMatchObject({ code: "SCHEMA_MISMATCH" });
    await storage.schema.migrate();
    expect((await storage.prepare()).idType).toBe("bigint");
  });

  test("can vanish later: the statement says so, and the storage recovers when it is back", async () => {
    const storage = postgresStorage(database.pool);
    await storage.schema.migrate();
    await storage.prepare();
    await database.reset();
    await expect(storage.load(["1"])).rejects.toMatchObject({ code: "SCHEMA_MISMATCH" });
    await storage.schema.migrate();
    await database.pool.query("alter table worker_progress_jobs alter id drop identity");
    await database.pool.query("alter table worker_progress_jobs alter id type text");
    expect(await storage.load(["1"])).toEqual([]);
    expect((await storage.prepare()).idType).toBe("text");
  });
});

describe("statuses", () => {
  const spelled: JobTable = { ...minimal, statuses: { running: "IN_PROGRESS", retrying: null, timeout: null } };

  test("are written and read in the mapping's spelling, and one without a spelling is no trait", async () => {
    await database.reset(`${minimalSql()}; insert into tasks values (1, 'pending', null, null)`);
    const storage = postgresStorage(database.pool, { table: spelled });
    await storage.schema.migrate();
    expect([...(await storage.prepare()).statuses]).toEqual([
      "pending",
      "queued",
      "running",
      "completed",
      "failed",
      "cancelled",
    ]);
    await storage.commit([write(await stored(storage, "1"), runningAt(5))]);
    expect((await database.pool.query("select * from tasks")).rows).toEqual([
      { id: "1", state: "IN_PROGRESS", done: 5, tries: 1 },
    ]);
    expect(versionOf(await stored(storage, "1"))).toEqual(runningAt(5));
  });

  test.each([
    ["'retrying'", 'status "retrying"'],
    ["'Paused'", 'status "Paused"'],
    ["null", "no status"],
  ])("that the mapping has no meaning for are named with their job: %s", async (state, what) => {
    await database.reset(`${minimalSql()}; insert into tasks values (42, ${state}, 0, 0)`);
    const storage = postgresStorage(database.pool, { table: spelled, outbox: false });
    await expect(storage.load(["42"])).rejects.toMatchObject({
      code: "UNKNOWN_STATUS",
      jobId: "42",
      message: `Cannot read job "42": the table holds ${what}, which the mapping has no meaning for, add it to table.statuses`,
    });
  });

  test("of an enum column are those that it has, in whatever schema the type is", async () => {
    await database.reset(`create schema types; create type types."Task State" as enum ('pending', 'IN_PROGRESS', 'paused');
      ${minimalSql("uuid", "integer", 'types."Task State"')}`);
    const storage = postgresStorage(database.pool, { table: spelled });
    await storage.schema.migrate();
    expect([...(await storage.prepare()).statuses]).toEqual(["pending", "running"]);
    const id = "0190b5f0-0000-7000-8000-000000000000";
    await storage.create({ id, type: null, status: "pending", at: 0 });
    const outcomes = await storage.commit([await withEvent(storage, write(await stored(storage, id), runningAt(5)))]);
    expect(outcomes).toEqual([{ kind: "committed", cancelRequested: false }]);
    expect(versionOf(await stored(storage, id))).toEqual(runningAt(5));
  });
});

describe("columns of other types", () => {
  test.each([
    ["smallint", "integer", "7", "40000"],
    ["integer", "integer", "7", "8"],
    ["bigint", "bigint", "9223372036854775807", "8"],
    ["varchar(40)", "text", "job 7", "job 8"],
    ["char(36)", "text", "0190b5f0-0000-7000-8000-000000000000", "short"],
    ["uuid", "uuid", "0190b5f0-0000-7000-8000-000000000000", "0190b5f0-0000-7000-8000-000000000001"],
  ])("an id of type %s is %s", async (type, idType, id, unknown) => {
    await database.reset(minimalSql(type));
    const storage = postgresStorage(database.pool, { table: minimal });
    await storage.schema.migrate();
    expect((await storage.prepare()).idType).toBe(idType);
    expect(await storage.create({ id, type: "ignored", status: "pending", at: 0 })).toBe(id);
    const change = await withEvent(storage, write(await stored(storage, id), runningAt(5)));
    const absent = { ...change, id: unknown, event: null };
    expect(await storage.commit([absent, change])).toMatchObject([{ kind: "conflict" }, { kind: "committed" }]);
    expect((await storage.load([id, unknown])).map((job) => job.id)).toEqual([id]);
    expect((await waiting(storage)).map((row) => row.event.jobId)).toEqual([id]);
  });

  test.each([
    ["smallint", 0],
    ["numeric(3)", 0],
    ["numeric(5,2)", 2],
    ["real", 4],
    ["numeric(3,-1)", -1],
    ["numeric(15,12)", 12],
    ["numeric(16,13)", null],
    ["numeric(20,16)", null],
    ["numeric", null],
    ["double precision", null],
  ])(
    "progress of type %s has %s decimal places, and a value that was stored compares equal",
    async (type, percentDecimals) => {
      const given = storedPercent(99.9999999, percentDecimals);
      await database.reset(`${minimalSql("bigint", type)}; insert into tasks values (1, 'pending', 0, 0)`);
      const storage = postgresStorage(database.pool, { table: minimal, outbox: false });
      expect((await storage.prepare()).percentDecimals).toBe(percentDecimals);
      const change = write(await stored(storage, "1"), runningAt(given));
      expect(await storage.commit([change])).toMatchObject([{ kind: "committed" }]);
      expect((await stored(storage, "1")).progress).toBe(given);
      const again = { ...change, expected: change.next, next: runningAt(50) };
      expect(await storage.commit([again])).toMatchObject([{ kind: "committed" }]);
    },
  );

  test.each([
    ["real", 1e5, 1e5],
    ["double precision", 1e-6, 1e-6],
    ["numeric", 12_345.678, 12_345.678],
    ["numeric(5,2)", 12_345.678, 999.99],
    ["numeric(5,2)", 12.345, 12.35],
    ["numeric(3)", 12_345.678, 999],
    ["numeric(2,4)", 12_345.678, 0.0099],
    ["numeric(3,-2)", 1e9, 99_900],
  ])("a rate of type %s is never the reason that progress is refused", async (type, given, kept) => {
    await database.reset(
      `${minimalSql()}; alter table tasks add pace ${type}; insert into tasks values (1, 'pending', 0, 0)`,
    );
    const table = { ...minimal, columns: { ...minimal.columns, rate: "pace" } };
    const storage = postgresStorage(database.pool, { table, outbox: false });
    await storage.commit([write(await stored(storage, "1"), runningAt(5), { rate: given })]);
    expect(await stored(storage, "1")).toMatchObject({ progress: 5, rate: kept });
    await storage.commit([write(await stored(storage, "1"), runningAt(6), { rate: null })]);
    expect(await stored(storage, "1")).toMatchObject({ progress: 6, rate: null });
  });

  test("json instead of jsonb is merged the same, and metrics that are no object are replaced", async () => {
    await database.reset(`${legacyTableSql.replaceAll("jsonb", "json")};
      insert into jobs (metrics) values ('["not", "an object"]'), ('{"theirs": 1}')`);
    const storage = postgresStorage(database.pool, { table: legacyJobTable, outbox: false });
    const jobs = [await stored(storage, "1"), await stored(storage, "2")];
    expect(jobs.map((job) => job.metrics)).toEqual([null, { theirs: 1 }]);
    await storage.commit(jobs.map((job) => write(job, runningAt(5), { metrics: { mine: 2 }, step: "s" })));
    expect((await stored(storage, "1")).metrics).toEqual({ mine: 2 });
    expect((await stored(storage, "2")).metrics).toEqual({ theirs: 1, mine: 2 });
  });

  test("a value too long for its column is refused, and nothing of the batch is stored", async () => {
    await database.reset(`${legacyTableSql}; insert into jobs default values; insert into jobs default values`);
    const storage = postgresStorage(database.pool, { table: legacyJobTable, outbox: false });
    const jobs = [await stored(storage, "1"), await stored(storage, "2")];
    const writes = jobs.map((job, index) => write(job, runningAt(5), { errorCode: "E".repeat(50 + index) }));
    await expect(storage.commit(writes)).rejects.toMatchObject({ code: "STORAGE_REJECTED" });
    expect(await stored(storage, "1")).toEqual(jobs[0]);
  });
});

test("what is no number and no instant is read as none", async () => {
  const storage = postgresStorage(database.pool, { outbox: false });
  await storage.schema.migrate();
  await database.pool.query(`insert into worker_progress_jobs (id, status, progress_rate, progress_at, updated_at)
    values (1, 'running', 'NaN', '-infinity', 'infinity'), (2, 'running', '-Infinity', null, null)`);
  const none = { rate: null, progressAt: null, updatedAt: null };
  expect(await stored(storage, "1")).toMatchObject(none);
  expect(await stored(storage, "2")).toMatchObject(none);
});

describe("the legacy preset", () => {
  test("reads a rate and a time without offset as they were written, wherever it runs, and what is no time as none", async () => {
    await database.reset(`${legacyTableSql}; insert into jobs (metrics) values
      ('{"progress_rate": 0.25, "last_progress_update": "2024-01-20T10:30:00"}'), ('{"last_progress_update": "just now"}')`);
    const storage = postgresStorage(database.pool, { table: legacyJobTable, outbox: false });
    vi.stubEnv("TZ", "America/New_York");
    const [first, second] = [await stored(storage, "1"), await stored(storage, "2")];
    vi.unstubAllEnvs();
    expect(first).toMatchObject({ rate: 0.25, progressAt: Date.UTC(2024, 0, 20, 10, 30) });
    expect(second.progressAt).toBeNull();
  });

  test("reads what the Python workers wrote", async () => {
    await database.reset(`${legacyTableSql}; insert into jobs (type, status, progress, attempts, metrics, started_at) values
      ('model', 'running', 40, 1, '{"progress_step": "mesh", "progress_message": "Meshing", "faces": 7,
        "last_progress_update": "2024-01-20T10:30:00.123456"}', '2024-01-20 10:00:00.500999')`);
    expect(await stored(postgresStorage(database.pool, { table: legacyJobTable, outbox: false }), "1")).toMatchObject({
      step: "mesh",
      message: "Meshing",
      metrics: { faces: 7 },
      progressAt: Date.UTC(2024, 0, 20, 10, 30, 0, 123),
      startedAt: Date.UTC(2024, 0, 20, 10, 0, 0, 500),
    });
  });

  test("writes what the Python workers read, in UTC whatever the session's time zone", async () => {
    await database.reset(`${legacyTableSql}; insert into jobs default values`);
    const pool = quietPool({ connectionString: database.url, options: "-c TimeZone=America/New_York" });
    const storage = postgresStorage(pool, { table: legacyJobTable, outbox: false });
    const at = Date.UTC(2024, 0, 20, 10, 30, 0, 123);
    const set = { step: "mesh", message: null, metrics: { progress_step: "lost", faces: 7 }, progressAt: at };
    await storage.commit([write(await stored(storage, "1"), runningAt(5), { ...set, startedAt: at })]);
    const { rows } = await database.pool.query("select metrics, started_at::text from jobs");
    expect(rows).toEqual([
      {
        metrics: {
          progress_step: "mesh",
          progress_message: null,
          last_progress_update: "2024-01-20T10:30:00.123Z",
          faces: 7,
        },
        started_at: "2024-01-20 10:30:00.123",
      },
    ]);
    await pool.end();
  });
});

test("a table without optional columns stores the version and drops the rest", async () => {
  await database.reset(`${minimalSql()}; insert into tasks values (1, 'pending', 0, 0)`);
  const storage = postgresStorage(database.pool, { table: minimal });
  await storage.schema.migrate();
  const set = { step: "s", metrics: { a: 1 }, output: [1], errorCode: "E", cancelRequested: true, startedAt: 1 };
  const change = await withEvent(storage, write(await stored(storage, "1"), runningAt(5), set));
  expect(await storage.commit([change])).toEqual([{ kind: "committed", cancelRequested: false }]);
  expect(await stored(storage, "1")).toMatchObject({ ...runningAt(5), step: null, metrics: null, output: null });
});

test("artefacts and the queue position are read where they are mapped", async () => {
  await database.reset(`create table tasks (id bigint primary key, state text, done integer, tries integer, files jsonb, place smallint);
    insert into tasks values (1, 'pending', 0, 0, '["a.stl", {"name": "b"}]', 3), (2, 'pending', 0, 0, '{"no": "array"}', null)`);
  const columns = { ...minimal.columns, artefacts: "files", queuePosition: "place" };
  const storage = postgresStorage(database.pool, { table: { ...minimal, columns }, outbox: false });
  expect(await stored(storage, "1")).toMatchObject({ artefacts: ["a.stl", { name: "b" }], queuePosition: 3 });
  expect(await stored(storage, "2")).toMatchObject({ artefacts: [], queuePosition: null });
});

test("silence cannot be told of a table that keeps no time", async () => {
  await database.reset(minimalSql());
  const storage = postgresStorage(database.pool, { table: minimal, outbox: false });
  await expect(storage.findSilent(0, 10)).rejects.toMatchObject({ code: "SCHEMA_MISMATCH" });
});

test("silence is told by the last progress where that is all that a table keeps, whatever its statuses are spelled in", async () => {
  await database.reset(`create type task_state as enum ('pending', 'running');
    ${minimalSql("bigint", "integer", "task_state")}; alter table tasks add heard timestamptz;
    insert into tasks values (1, 'running', 5, 1, to_timestamp(20)), (2, 'running', 5, 1, to_timestamp(10)),
      (3, 'running', 5, 1, to_timestamp(31)), (4, 'pending', 0, 0, to_timestamp(10)), (5, 'running', 5, 1, null)`);
  const table = { ...minimal, columns: { ...minimal.columns, progressAt: "heard" } };
  const storage = postgresStorage(database.pool, { table, outbox: false });
  expect((await storage.findSilent(30_000, 10)).map((job) => job.id)).toEqual(["2", "1"]);
});

test("the own table's mapping can be extended by a spread", async () => {
  const storage = postgresStorage(database.pool);
  await storage.schema.migrate();
  await database.pool.query("alter table worker_progress_jobs drop column output");
  const table = { ...defaultJobTable, columns: { ...defaultJobTable.columns, output: null } };
  expect((await postgresStorage(database.pool, { table }).prepare()).idType).toBe("bigint");
});
