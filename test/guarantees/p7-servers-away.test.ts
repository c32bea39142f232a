import { expect, test } from "vitest";
import { eventually } from "../support/eventually.js";
import { privateRabbitmq, privateRedis } from "../support/servers.js";
import { journaledChanges, journaledEvents, keepJournal } from "./journal.js";
import { listen } from "./listener.js";
import { startPuppet } from "./puppet.js";
import { openStage } from "./stage.js";
import { startWorkerOn } from "./start-worker-on.js";
import { viaProxy } from "./via-proxy.js";
import { windowedWrites } from "./windows.js";
import type { TightLoopMessage, TightLoopTask } from "./workers/tight-loop.js";

const withoutRedis = "Redis is out of reach: each process throttles for itself until it answers";
const withoutLiveUpdates = "Redis is out of reach: live updates are dropped until it answers";
/** The clocks that are compared count whole milliseconds. */
const tickMs = 3;

test("with Redis killed on the way a process throttles for itself, and says so once", async () => {
  await using redis = await privateRedis();
  await using stage = await openStage({ redisUrl: redis.url, rabbitmqUrl: null });
  await keepJournal(stage.db);
  const jobId = await stage.job();
  const windowMs = 500;
  const task: TightLoopTask = { jobId, windowMs, last: 90 };
  const loop = await startWorkerOn<TightLoopMessage>("tight-loop", stage.address, task);
  await loop.message(({ ready }) => ready === true);
  loop.send("go");
  const untilWritten = (times: number) =>
    eventually(async () => expect((await journaledChanges(stage.db)).length).toBeGreaterThanOrEqual(times));
  await untilWritten(2);
  await redis.kill();
  const before = (await journaledChanges(stage.db)).length;
  await untilWritten(before + 5);
  loop.send("end");
  await eventually(async () => expect(await stage.row(jobId)).toMatchObject({ progress: 90, step: "last" }));

  const { gaps, windows } = await windowedWrites(stage.db, [loop]);
  console.log(
    `P7: Redis killed after ${before} of ${gaps.length + 1} writes, windows of ${windowMs} ms, gaps ${gaps.join(", ")} ms`,
  );
  expect(Math.min(...windows)).toBeGreaterThanOrEqual(windowMs - tickMs);
  const warnings = loop.messages.flatMap(({ warned }) => warned ?? []).filter((warned) => warned.includes("Redis"));
  expect(warnings).toEqual([withoutRedis]);
  loop.kill();
}, 60_000);

test("a process that windows and live updates go through Redis for says once of each that Redis is killed", async () => {
  await using redis = await privateRedis();
  await using stage = await openStage({ redisUrl: redis.url, rabbitmqUrl: null });
  const jobId = await stage.job();
  const worker = await startPuppet(stage.address, { windowMs: 20, redis: { timeoutMs: 5_000 } });
  let percent = 0;
  const report = async () => {
    percent += 0.01;
    expect(await worker.call("progress", jobId, percent)).not.toHaveProperty("error");
  };
  await report();
  await redis.kill();
  const told = () => worker.warnings().filter((warning) => warning.includes("Redis"));
  await eventually(async () => {
    await report();
    expect(told()).toEqual(expect.arrayContaining([withoutRedis, withoutLiveUpdates]));
  });
  for (let i = 0; i < 100; i++) await report();
  expect(new Set(told()).size).toBe(told().length);
  worker.kill();
}, 60_000);

test("with RabbitMQ killed changes are stored, events wait, and all arrive in order when it is back", async () => {
  await using rabbitmq = await privateRabbitmq();
  await using stage = await openStage({ rabbitmqUrl: rabbitmq.url });
  await keepJournal(stage.db);
  const jobId = await stage.job();
  const before = await listen(stage);
  const worker = await startPuppet(stage.address, { relay: { pollMs: 100 } });
  await worker.call("startJob", jobId);
  await eventually(() => expect(before.deliveries.length).toBe(1));
  // Delivered is not yet confirmed, and what is not confirmed waits.
  await eventually(async () => expect(await worker.call("health")).toMatchObject({ outbox: { waiting: 0 } }));
  await rabbitmq.kill();

  for (const percent of [25, 50, 75]) {
    expect(await worker.call("forceProgress", jobId, percent)).toMatchObject({ outcome: "written" });
  }
  await worker.call("completeJob", jobId);
  expect(await stage.row(jobId)).toMatchObject({ status: "completed" });
  await eventually(async () => {
    expect(await worker.call("health")).toMatchObject({ events: { publisher: "down" }, outbox: { waiting: 4 } });
  });

  await rabbitmq.restart();
  await using after = await listen(stage);
  const stored = (await journaledEvents(stage.db)).map(({ event_id }) => event_id);
  expect(stored.length).toBe(5);
  // The first was delivered before; the broker may have died before it knew of the acknowledgement.
  const arrivals = () => after.firstArrivals().get(jobId) ?? [];
  await eventually(() => expect(arrivals().filter((id) => id !== stored[0])).toEqual(stored.slice(1)));
  await eventually(async () => expect(await worker.call("health")).toMatchObject({ outbox: { waiting: 0 } }));
  const told = () => worker.warnings().filter((warning) => warning.includes("The publisher is"));
  await eventually(() =>
    expect(told()).toEqual(["The publisher is away: events wait and are tried again", "The publisher is back"]),
  );
  await before.close();
  worker.kill();
}, 90_000);

test("with the database away progress of a bounded number of jobs is kept, the rest is refused by name", async () => {
  await using stage = await openStage({ redisUrl: null, rabbitmqUrl: null });
  await stage.jobs(3_000);
  const proxy = await viaProxy(stage.address.databaseUrl);
  const worker = await startPuppet(
    { ...stage.address, databaseUrl: proxy.url },
    { windowMs: 50, maxDeferredJobs: 100 },
  );
  await worker.call("forceProgress", "1", 1);
  await proxy.refuse();
  await eventually(async () => expect(await worker.call("progress", "1", 2)).toMatchObject({ outcome: "deferred" }));
  expect(await worker.call("spread", 3_000)).toEqual({
    "deferred STORAGE_UNAVAILABLE": 100,
    "rejected CAPACITY_EXCEEDED": 2_900,
  });
  expect(await worker.call("health")).toMatchObject({ jobs: { remembered: 100, unwritten: 100 } });
  await proxy.accept();
  await eventually(async () => {
    const { rows } = await stage.db.query(
      "select count(*)::int as written from worker_progress_jobs where progress = 5",
    );
    expect(rows).toEqual([{ written: 100 }]);
  });
  worker.kill();
  await proxy.close();
}, 60_000);
