import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createProgressReporter, type ProgressReporter, type ReporterOptions } from "worker-progress";
import { type JobTable, legacyJobTable } from "worker-progress/postgres";
import { eventually } from "../support/eventually.js";
import {
  rabbitmqUrl,
  redisUrl,
  type TestDatabase,
  testDatabase,
  testKeyPrefix,
  testNames,
} from "../support/servers.js";
import { definitionOf, tablesIn } from "./catalog.js";
import { listen } from "./listener.js";
import { optionsOn, type StageAddress } from "./stage-address.js";

const libraryTables = ["public.worker_progress_outbox", "public.worker_progress_relay"];

const legacyTableSql = `
  create table jobs (
    id bigserial primary key, type varchar(50), status varchar(20) not null default 'pending',
    progress integer default 0, attempts integer default 0, metrics jsonb, started_at timestamp, finished_at timestamp,
    updated_at timestamp default now(), error_code varchar(50), error_message text, output_data jsonb,
    cancel_requested boolean default false, check (progress between 0 and 100)
  );
  create index jobs_by_status on jobs (status) where status <> 'completed';
  comment on table jobs is 'of the Python workers';
  insert into jobs (type, metrics) values ('model', '{"owner": "billing"}'), ('model', null), ('model', null)`;

const oddTable: JobTable = {
  schema: "my; schema",
  name: 'quoted"; names',
  columns: {
    id: "job id",
    status: "Zustand",
    progress: 'per"cent',
    attempts: "select",
    step: "STEP",
    message: "from",
    metrics: "metrics; --",
    finishedAt: "finished at",
  },
  statuses: { pending: "neu", running: "läuft", completed: "fertig", failed: "kaputt", timeout: null },
};
const oddName = '"my; schema"."quoted""; names"';
const oddId = "0b8d7a52-6a3c-4a58-9f57-6d8f0a6d2c11";

let database: TestDatabase;
let db: pg.Pool;
let address: StageAddress;
let reporter: ProgressReporter;
const names = testNames();

beforeEach(async () => {
  database = await testDatabase();
  db = new pg.Pool({ connectionString: database.url, max: 2 });
  address = {
    databaseUrl: database.url,
    redisUrl: redisUrl(),
    rabbitmqUrl: rabbitmqUrl(),
    keyPrefix: testKeyPrefix(),
    eventsExchange: names.events,
    outboundExchange: names.outbound,
  };
});

afterEach(async () => {
  await reporter.close();
  await db.end();
  await database.drop();
});

function reporterWith(options: ReporterOptions): ProgressReporter {
  const { databaseUrl, redisUrl, rabbitmqUrl } = address;
  return createProgressReporter(databaseUrl, redisUrl, rabbitmqUrl, optionsOn(address, options));
}

test("a table of the older workers keeps its definition through the lives of its jobs", async () => {
  await db.query(legacyTableSql);
  const before = await definitionOf(db, "jobs");
  reporter = reporterWith({ postgres: { table: legacyJobTable }, windowMs: 20 });
  await reporter.migrate();
  await reporter.startJob(1, "Beginning processing");
  await reporter.progress(1, 50, "processing", "Halfway done", { items: 100 });
  await reporter.completeJob(1, { output: "result.stl" }, "Success!");
  await reporter.startJob(2);
  await reporter.failJob(2, "ERR_001", "Something went wrong", { percent: 75 });
  await reporter.startJob(3);
  await reporter.cancelJob(3, "No longer needed");
  expect(await reporter.flush()).toEqual([]);

  const { rows } = await db.query("select * from jobs order by id");
  expect(rows).toMatchObject([
    {
      status: "completed",
      progress: 100,
      attempts: 1,
      output_data: { output: "result.stl" },
      metrics: { owner: "billing", items: 100, progress_step: "processing", progress_message: "Success!" },
    },
    { status: "failed", progress: 75, error_code: "ERR_001", error_message: "Something went wrong" },
    { status: "cancelled", progress: 0, metrics: { progress_message: "No longer needed" } },
  ]);
  expect(rows[0].metrics.last_progress_update).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);
  expect(await definitionOf(db, "jobs")).toEqual(before);
  expect(await tablesIn(db)).toEqual(["public.jobs", ...libraryTables]);
});

test("a table with odd names, uuid ids and statuses of its own is used as it is", async () => {
  await db.query(`
    create schema "my; schema";
    create table ${oddName} (
      "job id" uuid primary key, "Zustand" text not null check ("Zustand" in ('neu', 'queued', 'läuft', 'fertig', 'kaputt')),
      "per""cent" numeric(5, 2), "select" smallint, "STEP" varchar(20), "from" text, "metrics; --" json,
      "finished at" timestamptz, "not yours" text default 'kept'
    );
    insert into ${oddName} ("job id", "Zustand") values ('${oddId}', 'neu')`);
  const before = await definitionOf(db, oddName);
  reporter = reporterWith({ postgres: { table: oddTable }, windowMs: 20 });
  await reporter.migrate();
  const job = await reporter.startJob(oddId.toUpperCase());
  await job.forceProgress(33.333, "Schritt; 1", "'); drop table x; --", { 'a"b': 1 });
  await job.complete();

  const { rows } = await db.query(`select * from ${oddName}`);
  expect(rows).toMatchObject([
    {
      Zustand: "fertig",
      'per"cent': "100.00",
      select: 1,
      STEP: "Schritt; 1",
      from: "'); drop table x; --",
      "metrics; --": { 'a"b': 1 },
      "not yours": "kept",
    },
  ]);
  expect(await definitionOf(db, oddName)).toEqual(before);
  expect(await tablesIn(db)).toEqual(['my; schema.quoted"; names', ...libraryTables]);
});

test("direct delivery works with the jobs table alone, and events still arrive once, in order", async () => {
  await db.query(legacyTableSql);
  const before = await definitionOf(db, "jobs");
  reporter = reporterWith({ postgres: { table: legacyJobTable }, delivery: "direct" });
  await reporter.migrate();
  await using outside = await listen({ address, queue: names.queue });
  const job = await reporter.startJob(1);
  await job.forceProgress(40);
  await job.complete();
  await eventually(() => expect(outside.deliveries.length).toBe(3));
  expect(outside.deliveries.map(({ payload }) => [payload.status, payload.progress])).toEqual([
    ["running", 0],
    ["running", 40],
    ["completed", 100],
  ]);
  expect(await definitionOf(db, "jobs")).toEqual(before);
  expect(await tablesIn(db)).toEqual(["public.jobs"]);
});
