import { connect } from "amqplib";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import {
  createProgressReporter,
  type JobId,
  type ProgressReporter,
  type ReporterOptions,
  WorkerProgressError,
} from "worker-progress";
import { defaultJobTable, type JobTable } from "worker-progress/postgres";
import { eventually } from "../support/eventually.js";
import { openStage, type Stage } from "./stage.js";
import { optionsOn } from "./stage-address.js";

let stage: Stage;
let reporter: ProgressReporter;
/** A running job at 40 % of its first attempt, and a completed one. */
let running: string;
let completed: string;

beforeAll(async () => {
  stage = await openStage({ redisUrl: null });
});

afterAll(() => stage.close());

beforeEach(async () => {
  reporter = silent({ windowMs: 20 });
  [running, completed] = (await stage.jobs(2)) as [string, string];
  await (await reporter.startJob(running)).forceProgress(40, "meshing");
  await (await reporter.startJob(completed)).complete();
});

afterEach(() => reporter.close());

/** No publisher: events that were added stay to be seen. */
function silent(options: ReporterOptions): ProgressReporter {
  return createProgressReporter(stage.address.databaseUrl, null, null, { log: { warn: () => {} }, ...options });
}

/** All that is stored, with the version of each row: an update that changes nothing would show, too. */
async function stored(): Promise<unknown> {
  const { rows } = await stage.db.query(`
    select 'job' as kind, ctid::text, xmin::text, jobs::text as content from worker_progress_jobs as jobs
    union all select 'event', ctid::text, xmin::text, events::text from worker_progress_outbox as events order by 1, 2`);
  return rows;
}

const cycle: Record<string, unknown> = {};
cycle.self = cycle;
const unspellable = (value: unknown) => value as never;

type Call = (reporter: ProgressReporter) => Promise<unknown>;

type Refusal = readonly [what: string, call: Call, code: string, message: RegExp, prepare?: Call];

const refusals: readonly Refusal[] = [
  [
    "progress of an unknown job",
    (r) => r.progress(999_999, 5),
    "JOB_NOT_FOUND",
    /^Cannot report progress of job "999999": there is no such job; create its row/,
  ],
  [
    "starting an unknown job",
    (r) => r.startJob(999_999),
    "JOB_NOT_FOUND",
    /^Cannot start job "999999": there is no such/,
  ],
  ["completing an unknown job", (r) => r.completeJob(999_999), "JOB_NOT_FOUND", /^Cannot complete job "999999"/],
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, "50", undefined, null, {}, 50n, true].map(
    (percent) =>
      [
        `percent ${typeof percent} ${percent}`,
        (r: ProgressReporter) => r.progress(running, unspellable(percent)),
        "INVALID_ARGUMENT",
        /^Cannot report progress of job "\d+": percent must be a finite number from 0 to 100, got /,
      ] as const,
  ),
  [
    "percent NaN at the end",
    (r) => r.failJob(running, "E", "Broken", { percent: Number.NaN }),
    "INVALID_ARGUMENT",
    /^Cannot fail job "\d+": percent must be a finite number/,
  ],
  [
    "percent -5, which is 0 and so a decrease",
    (r) => r.progress(running, -5),
    "PROGRESS_DECREASED",
    /^Cannot report progress of job "\d+": 0 % is less than the (stored )?40 %/,
  ],
  [
    "a decrease",
    (r) => r.progress(running, 39),
    "PROGRESS_DECREASED",
    /^Cannot report progress of job "\d+": 39 % is less than the (stored )?40 %/,
  ],
  [
    "a stale attempt",
    (r) => r.completeJob(running),
    "STALE_ATTEMPT",
    /^Cannot complete job "\d+": attempt 1 is stale, current attempt is 2$/,
    () => stage.db.query("update worker_progress_jobs set attempts = 2 where id = $1", [running]),
  ],
  [
    "progress after completion",
    (r) => r.forceProgress(completed, 100),
    "JOB_FINISHED",
    /^Cannot report progress of job "\d+": it is completed; only startJob or re-queueing changes a finished job$/,
  ],
  [
    "failing after completion",
    (r) => r.failJob(completed, "E", "Late"),
    "JOB_FINISHED",
    /^Cannot fail job "\d+": it is/,
  ],
  ["metrics with a cycle", withMetrics(cycle), "INVALID_ARGUMENT", /metrics\.self refers back to an object that holds/],
  [
    "metrics with a BigInt",
    withMetrics({ n: 1n }),
    "INVALID_ARGUMENT",
    /metrics\.n is a bigint, which JSON cannot hold$/,
  ],
  [
    "metrics with a function",
    withMetrics({ f() {} }),
    "INVALID_ARGUMENT",
    /metrics\.f is a function, which JSON cannot/,
  ],
  [
    "metrics with NaN",
    withMetrics({ n: Number.NaN }),
    "INVALID_ARGUMENT",
    /metrics\.n is NaN, which JSON cannot hold$/,
  ],
  [
    "metrics of 1 MB",
    withMetrics({ x: "x".repeat(1e6) }),
    "INVALID_ARGUMENT",
    /metrics is more than 65536 bytes of JSON/,
  ],
  ["metrics that are a list", withMetrics([1]), "INVALID_ARGUMENT", /metrics must be a JSON object$/],
  [
    "an output with a cycle",
    (r) => r.completeJob(running, cycle),
    "INVALID_ARGUMENT",
    /output\.self refers back to an object/,
  ],
  [
    "a message that is no text",
    (r) => r.progress(running, 50, "a", unspellable(7)),
    "INVALID_ARGUMENT",
    /message must be a string/,
  ],
  ...(["abc", "1.5", "9223372036854775808", "01"] as const).map(
    (id) =>
      [
        `the id "${id}" for a bigint column`,
        (r: ProgressReporter) => r.progress(id, 50),
        "INVALID_ARGUMENT",
        /^Cannot report progress of job ".*": the id column is of type bigint$/,
      ] as const,
  ),
  ...[1.5, Number.NaN, "", null, undefined, {}].map(
    (id) =>
      [
        `the id ${typeof id} ${id}`,
        (r: ProgressReporter) => r.startJob(id as JobId),
        "INVALID_ARGUMENT",
        /a job id is a non-empty string, a whole number or a bigint/,
      ] as const,
  ),
  [
    "a status there is not",
    (r) => r.updateStatus(running, unspellable("done")),
    "INVALID_ARGUMENT",
    /^Cannot set status done of job "\d+": status must be one of pending, queued, running/,
  ],
  [
    "a transition there is not",
    (r) => r.completeJob(running),
    "ILLEGAL_TRANSITION",
    /^Cannot complete job "\d+": it is retrying, /,
    (r) => r.updateStatus(running, "retrying"),
  ],
  [
    "a status the mapping has no spelling for",
    () => using({ ...defaultJobTable, statuses: { timeout: null } }, (r) => r.updateStatus(running, "timeout")),
    "UNKNOWN_STATUS",
    /^Cannot set status timeout of job "\d+": the mapping has no spelling for status "timeout"; add one to its statuses$/,
  ],
  [
    "a table there is not",
    () => using({ ...defaultJobTable, name: "no_such_table" }, (r) => r.completeJob(running)),
    "SCHEMA_MISMATCH",
    /^Cannot complete job "\d+": .*no_such_table/,
  ],
  [
    "a column there is not",
    () =>
      using({ ...defaultJobTable, columns: { ...defaultJobTable.columns, step: "no_such_column" } }, (r) =>
        r.forceProgress(running, 50),
      ),
    "SCHEMA_MISMATCH",
    /^Cannot report progress of job "\d+": .*no_such_column/,
  ],
];

test.for(refusals)("%s is refused by name and changes nothing", async ([, call, code, message, prepare]) => {
  await prepare?.(reporter);
  const before = await stored();
  const error = await refusalOf(call);
  expect(error).toBeInstanceOf(WorkerProgressError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  expect(error.message.length).toBeLessThan(400);
  expect(await stored()).toEqual(before);
});

test("percent 140 is 100, and the job still runs", async () => {
  expect(await reporter.forceProgress(running, 140)).toEqual({ outcome: "written", percent: 100, attempt: 1 });
  expect(await stage.row(running)).toMatchObject({ status: "running", progress: 100 });
});

test.for([
  ["with NUL and lone surrogates", "a\0b\ud800c\udc00", "a\ufffdb\ufffdc\ufffd"],
  ["of 1 MB", "x".repeat(1_000_000), `${"x".repeat(1_999)}…`],
  ["cut within a pair of surrogates", `${"x".repeat(1_998)}😀${"y".repeat(10)}`, `${"x".repeat(1_998)}…`],
])("a message %s is made well-formed, and the progress is stored", async ([, message, expected]) => {
  expect(await reporter.forceProgress(running, 50, "clean", message)).toMatchObject({ outcome: "written" });
  expect(await stage.row(running)).toMatchObject({ progress: 50, step: "clean", message: expected });
  await reporter.failJob(running, "E_TEXT", message as string);
  const { rows } = await stage.db.query("select error_message from worker_progress_jobs where id = $1", [running]);
  expect(rows).toEqual([{ error_message: expected }]);
});

test("a stored status that the mapping cannot read is named, and stays", async () => {
  await stage.db.query("update worker_progress_jobs set status = 'snoozed' where id = $1", [running]);
  const before = await stored();
  const error = await refusalOf(() => using(defaultJobTable, (r) => r.startJob(running)));
  expect(error).toMatchObject({ code: "UNKNOWN_STATUS", message: expect.stringContaining('"snoozed"') });
  expect(await stored()).toEqual(before);
});

test("an exchange that exists with another type is named, and the event waits in the outbox", async () => {
  const { databaseUrl, rabbitmqUrl, eventsExchange } = stage.address;
  const connection = await connect(rabbitmqUrl as string);
  await (await connection.createChannel()).assertExchange(eventsExchange, "direct", { durable: true });
  const warnings: unknown[] = [];
  const log = { warn: (_: string, details?: object) => void warnings.push(details) };
  const relaying = createProgressReporter(
    databaseUrl,
    null,
    rabbitmqUrl,
    optionsOn(stage.address, { log, closeTimeoutMs: 300 }),
  );
  await relaying.startJob(running);
  await eventually(() => expect(warnings).toContainEqual(expect.objectContaining({ code: "TOPOLOGY_MISMATCH" })));
  const health = await relaying.health();
  expect(health.events).toMatchObject({ publisher: "down", reason: expect.stringContaining(`"${eventsExchange}"`) });
  expect(health.outbox?.waiting).toBeGreaterThanOrEqual(1);
  await relaying.close();
  await connection.close();
});

function withMetrics(metrics: unknown): Call {
  return (r) => r.progress(running, 50, "a", "b", unspellable(metrics));
}

async function using<T>(table: JobTable, call: (reporter: ProgressReporter) => Promise<T>): Promise<T> {
  const other = silent({ postgres: { table } });
  try {
    return await call(other);
  } finally {
    await other.close();
  }
}

/** The error that a call rejects with, or that its answer carries. */
async function refusalOf(call: Call): Promise<WorkerProgressError> {
  try {
    const answer = await call(reporter);
    return (answer as { readonly error: WorkerProgressError }).error;
  } catch (error) {
    return error as WorkerProgressError;
  }
}
