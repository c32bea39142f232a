import { connect } from "amqplib";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createProgressReporter, type JobEventPayload } from "worker-progress";
import { createEventConsumer } from "worker-progress/consumer";
import { openStage, type Stage } from "../guarantees/stage.js";
import { eventually } from "../support/eventually.js";
import { rabbitmqUrl } from "../support/servers.js";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage({ rabbitmqUrl: null });
});
afterAll(() => stage.close());

/** JSON in which these are keys of their own, as `JSON.parse` leaves them. */
const pollution = '"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}';

function expectNoPollution(...values: readonly object[]): void {
  for (const value of [{}, ...values]) expect("polluted" in value).toBe(false);
}

test("keys like __proto__ in metrics are stored and read as keys, from call to column and back", async () => {
  const reporter = createProgressReporter(stage.address.databaseUrl, null, null, { windowMs: 60_000 });
  const jobId = await stage.job();
  const job = await reporter.startJob(jobId);
  await job.progress(10, "a", "b", { first: 1 });
  void job.progress(20, "a", "b", JSON.parse(`{"second":2,${pollution}}`));
  void job.progress(30, "a", "b", { third: 3 });
  await reporter.close();
  const select = "select metrics::text as metrics from worker_progress_jobs where id = $1";
  const { rows } = await stage.db.query<{ metrics: string }>(select, [jobId]);
  const stored = JSON.parse(rows[0]?.metrics ?? "");
  const keys = ["__proto__", "constructor", "first", "second", "third"];
  expect(Object.keys(stored).sort()).toEqual(keys);

  await using again = createProgressReporter(stage.address.databaseUrl);
  const { previous } = await again.startJob(jobId);
  expect(Object.keys(previous.metrics ?? {}).sort()).toEqual(keys);
  expectNoPollution(stored, previous.metrics ?? {});
});

test("a live message that tries to reach prototypes, or is none, changes nothing that a watcher sees", async () => {
  const { databaseUrl, redisUrl, keyPrefix } = stage.address;
  const jobId = await stage.job();
  await using reporter = createProgressReporter(databaseUrl, redisUrl, null, { redis: { keyPrefix } });
  await reporter.startJob(jobId);
  const seen: object[] = [];
  const ended = new AbortController();
  const watching = (async () => {
    for await (const view of reporter.watch(jobId, { signal: ended.signal })) seen.push(view);
  })();
  await eventually(() => expect(seen.length).toBeGreaterThan(0));
  const anybody = new Redis(redisUrl as string);
  const news = { kind: "progress", attempt: 1, progress: 30, step: null, message: "told", at: Date.now() };
  const told = JSON.stringify(news).slice(0, -1);
  const wrong = [
    { progress: 1e9 },
    { progress: "99" },
    { message: "x".repeat(70_000) },
    { message: { toString: null } },
    { step: 7 },
    { at: "now" },
  ];
  const payloads = [
    "{",
    "null",
    `{${pollution}}`,
    ...wrong.map((fields) => JSON.stringify({ ...news, progress: 99, ...fields })),
    JSON.stringify({ ...news, progress: 99 }).replace(/"at":\d+/, '"at":1e999'),
    `${told},${pollution}}`,
  ];
  // A subscription that Redis did not confirm in time is made anew: what was told meanwhile nobody heard.
  await eventually(async () => {
    for (const payload of payloads) await anybody.publish(`${keyPrefix}:live:${jobId}`, payload);
    expect(seen.at(-1)).toMatchObject({ progress: { percent: 30, message: "told" } });
  });
  ended.abort();
  await watching;
  await anybody.quit();
  expectNoPollution(...seen);
  expect(seen.filter((view) => JSON.stringify(view).length > 10_000)).toEqual([]);
});

test("a consumer hands on the fields of an event only, and puts aside what is too large to be one", async () => {
  const queue = stage.queue("wires");
  const deadLetter = stage.queue("wires.dead");
  const exchange = stage.address.outboundExchange;
  const handled: JobEventPayload[] = [];
  const warned: object[] = [];
  const consumer = createEventConsumer(rabbitmqUrl(), {
    queue,
    deadLetter,
    queueType: "classic",
    bind: [{ exchange }],
    log: { warn: (_, details = {}) => void warned.push(details) },
    handler: async (event) => void handled.push(event),
  });
  await consumer.start();
  const event = {
    event_id: "0198c5a0-0000-7000-8000-000000000001",
    event_type: "job.status.changed",
    timestamp: "2024-01-20T10:30:00.000Z",
    job_id: 1,
    status: "running",
    progress: 50,
    attempt: 1,
    previous_status: "queued",
    previous_progress: 0,
    step: null,
    message: null,
  };
  const anybody = await connect(rabbitmqUrl());
  const channel = await anybody.createConfirmChannel();
  const large = { ...event, event_id: "0198c5a0-0000-7000-8000-000000000002", message: "x".repeat(1_100_000) };
  for (const body of [JSON.stringify(large), `${JSON.stringify(event).slice(0, -1)},${pollution}}`]) {
    channel.sendToQueue(queue, Buffer.from(body));
  }
  await channel.waitForConfirms();
  await eventually(() => expect([handled.length, warned.length]).toEqual([1, 1]));
  expect(handled).toEqual([event]);
  expectNoPollution(...handled);
  expect(warned[0]).toMatchObject({
    reason: "invalid",
    error: expect.stringContaining("an event has 1048576 at most"),
  });
  await consumer.stop();
  await anybody.close();
});
