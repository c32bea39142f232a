import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createProgressReporter } from "worker-progress";
import { type JobTable, type PostgresStorageOptions, postgresStorage } from "worker-progress/postgres";
import { type TestDatabase, testDatabase } from "../support/servers.js";

let database: TestDatabase;
let db: pg.Pool;

beforeAll(async () => {
  database = await testDatabase();
  db = new pg.Pool({ connectionString: database.url, max: 2 });
  await db.query("create table canary (alive boolean not null)");
  await db.query("insert into canary values (true)");
});

afterAll(async () => {
  await db.end();
  await database.drop();
});

const hostile = [
  '"; drop table canary; --',
  "'; drop table canary; --",
  '"',
  '""',
  "\\",
  "\\'; drop table canary; --",
  "a.b.c",
  '"a"."b"',
  "$1",
  "$$; drop table canary; $$",
  "/* */ --",
  ":name ? %s %I",
  "select",
  "\n\t\r",
  " ",
  "ÄÖ🙂",
  "\u202e\u0000",
  "\ud800",
  "x".repeat(63),
  "x".repeat(64),
  "🙂".repeat(16),
  "__proto__",
  "constructor",
  "toString",
  "",
];

const text = fc.oneof(
  fc.constantFrom(...hostile),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ unit: fc.constantFrom('"', "'", "\\", ";", "-", "$", "\0", "\ud800", "a", "🙂", "."), maxLength: 12 }),
);

interface Names {
  readonly schema: string;
  /** The schema of the library's own tables, which it makes itself. */
  readonly own: string;
  readonly table: string;
  readonly outbox: string;
  readonly columns: Readonly<Record<(typeof mappedColumns)[number], string>>;
  readonly places: Readonly<Record<"step" | "message", string>>;
  readonly running: string;
}

const mappedColumns = ["id", "status", "progress", "attempts", "metrics", "errorCode", "updatedAt"] as const;
const columnTypes = ["text primary key", "text", "int", "int", "jsonb", "text", "timestamptz"];

const plain: Names = {
  schema: "plain schema",
  own: "own schema",
  table: "jobs",
  outbox: "events",
  columns: {
    id: "id",
    status: "status",
    progress: "progress",
    attempts: "attempts",
    metrics: "metrics",
    errorCode: "error_code",
    updatedAt: "updated_at",
  },
  places: { step: "the step", message: "the message" },
  running: "läuft",
};

/** Names with a hostile one in each place of the mapping. */
const hostileNames: fc.Arbitrary<Names> = fc.record({
  schema: text,
  own: text,
  table: text,
  outbox: text,
  columns: fc.record(
    Object.fromEntries(mappedColumns.map((column) => [column, text])) as Record<keyof Names["columns"], typeof text>,
  ),
  places: fc.record({ step: text, message: text }),
  running: text,
});

/** Each place that a name has in the mapping. */
const places: readonly ((name: string) => Names)[] = [
  (schema) => ({ ...plain, schema }),
  (own) => ({ ...plain, own }),
  (table) => ({ ...plain, table }),
  (outbox) => ({ ...plain, outbox }),
  (running) => ({ ...plain, running }),
  (step) => ({ ...plain, places: { ...plain.places, step } }),
  ...mappedColumns.map((column) => (name: string) => ({ ...plain, columns: { ...plain.columns, [column]: name } })),
];

/** One hostile name at a time, so that one that is refused does not hide the others. */
const oneHostileName: fc.Arbitrary<Names> = fc
  .tuple(fc.constantFrom(...places), text)
  .map(([namesWith, name]) => namesWith(name));

test("a mapping of hostile names is refused by name, or it works and harms nothing", async () => {
  let worked = 0;
  let refused = 0;
  await fc.assert(
    // Hostile all over, a mapping is hardly ever taken.
    fc.asyncProperty(fc.oneof({ weight: 3, arbitrary: oneHostileName }, hostileNames), async (names) => {
      const problem = refusalOf(names);
      if (problem === null) {
        await reportThrough(names);
        worked++;
      } else {
        expect(problem).toMatch(/^(Option |table\.|\w+ and \w+ are both spelled)/);
        refused++;
      }
      expect((await db.query("select alive from canary")).rows).toEqual([{ alive: true }]);
    }),
    { numRuns: 60, endOnFailure: true },
  );
  expect(worked).toBeGreaterThan(10);
  expect(refused).toBeGreaterThan(5);
});

describe("each hostile name, in each place", () => {
  test.each(hostile)("is refused by name, or works: %j", async (name) => {
    const everywhere = {
      ...plain,
      schema: name,
      own: `${name}o`,
      table: name,
      outbox: `${name}o`,
      places: { ...plain.places, step: name },
      running: name,
      columns: { ...plain.columns, errorCode: name },
    };
    // Where one place refuses the name, each is asked alone.
    const tried = refusalOf(everywhere) === null ? [everywhere] : places.map((namesWith) => namesWith(name));
    for (const names of tried) {
      const problem = refusalOf(names);
      if (problem === null) await reportThrough(names);
      else expect(problem).toMatch(/^(Option |table\.)/);
    }
    expect((await db.query("select alive from canary")).rows).toEqual([{ alive: true }]);
  });
});

describe("one name for two things is refused by both:", () => {
  test.each<[string, Names, RegExp]>([
    ["two columns", { ...plain, columns: { ...plain.columns, errorCode: "status" } }, /status and .*errorCode share/],
    ["two keys", { ...plain, places: { step: "it", message: "it" } }, /step and .*message share/],
    ["two statuses", { ...plain, running: "failed" }, /running and failed are both spelled/],
  ])("%s", (_, names, problem) => {
    expect(refusalOf(names)).toMatch(problem);
  });
});

function optionsOf({ schema, own, table, outbox, columns, places, running }: Names): PostgresStorageOptions {
  const mapping: JobTable = {
    name: table,
    schema,
    columns: {
      ...columns,
      step: { metricsKey: places.step },
      message: { metricsKey: places.message },
    },
    statuses: { running },
  };
  return { schema: own, table: mapping, outboxTable: outbox, notify: false };
}

function refusalOf(names: Names): string | null {
  try {
    postgresStorage("postgres://127.0.0.1:1/unused", optionsOf(names));
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as Error).message;
  }
}

/** Takes a job through its life in tables of these names, and looks at what is stored past the library. */
async function reportThrough(names: Names): Promise<void> {
  const { schema, own, table, columns, places, running } = names;
  const quoted = (name: string) => pg.escapeIdentifier(name);
  const address = `${quoted(schema)}.${quoted(table)}`;
  const definitions = mappedColumns.map((column, i) => `${quoted(columns[column])} ${columnTypes[i]}`);
  await db.query(`drop schema if exists ${quoted(schema)}, ${quoted(own)} cascade`);
  await db.query(`create schema ${quoted(schema)}`);
  await db.query(`create table ${address} (${definitions.join(", ")})`);
  const reporter = createProgressReporter(database.url, null, null, { postgres: optionsOf(names) });
  try {
    await reporter.migrate();
    const jobId = `"; drop table canary; --'`;
    await reporter.createJob({ id: jobId });
    await reporter.startJob(jobId);
    expect(await reporter.forceProgress(jobId, 40, "a step", "a message", { frames: 7 })).toMatchObject({
      outcome: "written",
    });
    const { rows } = await db.query(`select * from ${address}`);
    expect(rows).toMatchObject([
      {
        [columns.id]: jobId,
        [columns.status]: running,
        [columns.progress]: 40,
        [columns.metrics]: { [places.step]: "a step", [places.message]: "a message", frames: 7 },
      },
    ]);
    expect(await reporter.getJob(jobId)).toMatchObject({
      status: "running",
      progress: { percent: 40, step: "a step", message: "a message" },
    });
    await reporter.failJob(jobId, "E1", "why");
    const stored = await db.query(`select * from ${address}`);
    expect(stored.rows).toMatchObject([{ [columns.status]: "failed", [columns.errorCode]: "E1" }]);
  } finally {
    await reporter.close();
    await db.query(`drop schema if exists ${quoted(schema)}, ${quoted(own)} cascade`);
  }
}
