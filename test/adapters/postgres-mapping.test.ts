import { PGlite } from "@electric-sql/pglite";
import { Kysely, PGliteDialect } from "kysely";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  defaultJobTable,
  isPostgresSource,
  type JobTable,
  legacyJobTable,
  type PostgresStorageOptions,
  postgresStorage,
} from "../../src/adapters/postgres/index.js";

const url = "postgres://127.0.0.1:1/unused";
const mapped = (columns: object, rest: object = {}) =>
  ({ table: { name: "t", columns: { ...defaultJobTable.columns, ...columns }, ...rest } as JobTable }) as const;

describe("a mapping", () => {
  test.each<[string, PostgresStorageOptions]>([
    ["table must be a job table mapping", { table: "jobs" as never }],
    ['table has the unknown key "colums"', { table: { ...defaultJobTable, colums: {} } as never }],
    ["table.name cannot be empty", { table: { ...defaultJobTable, name: "" } }],
    ["table.name cannot hold NUL", { table: { ...defaultJobTable, name: "a\0b" } }],
    ["table.name has more than the 63 bytes", { table: { ...defaultJobTable, name: "ä".repeat(32) } }],
    ["table.schema must be a string", { table: { ...defaultJobTable, schema: 5 as never } }],
    ["table.columns must be an object", { table: { name: "t", columns: null as never } }],
    ['table.columns has the unknown key "percent"', mapped({ percent: "percent" })],
    ["table.columns.attempts must be a string", mapped({ attempts: null })],
    ["table.columns.id cannot hold NUL or a lone surrogate", mapped({ id: "\ud800" })],
    ["table.columns.output must be a string", mapped({ output: { metricsKey: "output" } })],
    ["table.columns.step.metricsKey must be a string", mapped({ step: { metricsKey: "" } })],
    ["table.columns.step is a key inside the metrics", mapped({ step: { metricsKey: "step" }, metrics: null })],
    ['share the column "status"', mapped({ message: "status" })],
    ['share the metrics key "s"', mapped({ step: { metricsKey: "s" }, message: { metricsKey: "s" } })],
    ['table.statuses has the unknown key "done"', mapped({}, { statuses: { done: "DONE" } })],
    ["table.statuses.running must be null or a string", mapped({}, { statuses: { running: "" } })],
    ['pending and queued are both spelled "queued"', mapped({}, { statuses: { pending: "queued" } })],
    ['Unknown option "outboxtable"', { outboxtable: "o" } as never],
    ["Option outboxTable cannot be empty", { outboxTable: "" }],
    ["Option outbox must be true or false", { outbox: "no" as never }],
    ["Option idType must be one of", { idType: "serial" as never }],
    ["Option schema cannot be empty", { schema: "" }],
  ])("that is wrong is told at once: %s", (message, options) => {
    expect(() => postgresStorage(url, options)).toThrow(TypeError);
    expect(() => postgresStorage(url, options)).toThrow(message);
  });

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, "5" as never])(
    "has waits of whole milliseconds from 1, not %s",
    (wait) => {
      expect(() => postgresStorage(url, { lockTimeoutMs: wait })).toThrow(RangeError);
      expect(() => postgresStorage(url, { statementTimeoutMs: wait })).toThrow(RangeError);
    },
  );

  test("that is ready-made is accepted, and a storage without an outbox says so", async () => {
    for (const table of [defaultJobTable, legacyJobTable]) {
      expect(postgresStorage(url, { table }).outbox).not.toBeNull();
      expect(postgresStorage(url, { table, outbox: false }).outbox).toBeNull();
    }
  });
});

describe("a source", () => {
  const pglite = new PGlite();
  beforeAll(() => pglite.waitReady);
  afterAll(() => pglite.close());
  const db = new Kysely<{ jobs: { id: number } }>({ dialect: new PGliteDialect({ pglite }) });

  test.each<[string, unknown]>([
    ["a pg Pool", new pg.Pool()],
    ["a PGlite", pglite],
    ["a Kysely", db],
    ["a postgres URL", "postgres://host/db"],
    ["a postgresql URL", "PostgreSQL://host/db"],
    ["an embedded database in memory", "memory://"],
    ["an embedded database in a directory", "file://data"],
  ])("is %s", (_, value) => {
    expect(isPostgresSource(value)).toBe(true);
  });

  test.each<[string, unknown]>([
    ["a pg Client", new pg.Client()],
    ["a URL of something else", "redis://host"],
    ["a bare path", "./data"],
    ["an empty string", ""],
    ["null", null],
    ["undefined", undefined],
    ["an object", {}],
    ["a class", pg.Pool],
  ])("is not %s", (_, value) => {
    expect(isPostgresSource(value)).toBe(false);
    expect(() => postgresStorage(value as never)).toThrow(TypeError);
  });

  test("is not a transaction, which belongs to single calls", async () => {
    await db.transaction().execute(async (transaction) => {
      expect(isPostgresSource(transaction)).toBe(false);
    });
  });

  test("that is passed with its own types compiles", () => {
    const typed = [() => postgresStorage(new pg.Pool()), () => postgresStorage(db), () => postgresStorage(pglite)];
    expect(typed).toHaveLength(3);
  });
});
