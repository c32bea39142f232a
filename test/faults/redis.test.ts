import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { journaledChanges } from "../guarantees/journal.js";
import { eventually } from "../support/eventually.js";
import { privateRedis } from "../support/servers.js";
import { expectPromisesKept, type FaultCourse, type FaultPlan, runFaultCourse } from "./fault-course.js";
import { startRedisSentinel } from "./redis-sentinel.js";
import type { Scene } from "./scene.js";

const away = "Redis is out of reach: each process throttles for itself until it answers";
const back = "Redis answers again";
const windowMs = 300;
const timeoutMs = 250;
/** Where what is broken is not slow, a machine that is counts as no outage. */
const patient = { redis: { timeoutMs: 5_000, retryMs: 100 } };

/** Two processes report on the same jobs, so that windows that are not shared show. */
function runOnTwo(plan: Omit<FaultPlan, "server">): Promise<FaultCourse> {
  const options = { windowMs, redis: { timeoutMs, retryMs: 100 }, ...plan.task?.options };
  return runFaultCourse({ server: "Redis", companions: 1, ...plan, task: { ...plan.task, options } });
}

/** Nobody waits for Redis, no call is refused, and no process writes a job twice in a window, though each may write it once. */
function expectWindowsOfEachProcess(course: FaultCourse): void {
  expectPromisesKept(course);
  const { fault } = course.worker.seen;
  expect(fault.outcomes).toEqual(only(fault.outcomes, "written", "coalesced", "rejected JOB_FINISHED"));
  expect(fault.changes).toEqual(only(fault.changes, "stored"));
  expect(fault.outcomes.written).toBeGreaterThan(0);
  // At most `timeoutMs`, and the write: not for a new connection, which may take a second.
  expect(fault.longestAwaitedMs).toBeLessThan(3 * timeoutMs + course.longestTurnMs);
  expect(course.writes.most).toBeLessThanOrEqual(2 * mostInWindows(course));
}

/** One write in each window, and at its begin: one more than windows lie between. A loaded machine delays the first. */
function mostInWindows({ writes, longestTurnMs }: FaultCourse): number {
  return writes.windows + 2 + longestTurnMs / windowMs;
}

function expectOutageSaidOnce({ warnings }: FaultCourse): void {
  expect(warnings.filter((warning) => warning === away)).toEqual([away]);
  expect(warnings).toContain(back);
}

/** A machine that is slower than the time allowed, before or after, is an outage of its own. */
function expectEachOutageSaidOnce({ warnings }: FaultCourse): void {
  // Live updates, which have a connection of their own, say that it is back in the same words.
  const said = warnings.filter((warning) => [away, back].includes(warning));
  expect(said.filter((warning, i) => warning === away && said[i - 1] === away)).toEqual([]);
  expect(said).toContain(away);
  expect(said.at(-1)).toBe(back);
}

test("refused: each process throttles for itself, and says so once", async () => {
  const course = await runOnTwo({
    fault: "refused",
    task: { options: patient },
    inject: ({ network }) => network.redisUrl.refuse(),
    heal: ({ network }) => network.redisUrl.accept(),
    noticed: { away, back },
  });
  expectWindowsOfEachProcess(course);
  expectOutageSaidOnce(course);
});

test("dead mid-call: after the time allowed it counts as away", async () => {
  const course = await runOnTwo({
    fault: "dead mid-call",
    // Time for a call to wait for a connection, if one did.
    holdMs: 2_000,
    inject: ({ network }) => network.redisUrl.blackhole(),
    heal: ({ network }) => network.redisUrl.accept(),
    noticed: { away, back },
  });
  expectWindowsOfEachProcess(course);
  expectEachOutageSaidOnce(course);
  expect(course.warnedMeanwhile).not.toContain(back);
});

test("slower than the time allowed: as if it were away", async () => {
  const course = await runOnTwo({
    fault: "slower than `timeoutMs`",
    inject: ({ network }) => network.redisUrl.delay(timeoutMs),
    heal: ({ network }) => network.redisUrl.accept(),
    noticed: { away, back },
  });
  expectWindowsOfEachProcess(course);
  expectEachOutageSaidOnce(course);
  // A process that is held up itself takes a late answer for one in time.
  if (course.longestTurnMs < timeoutMs) expect(course.warnedMeanwhile).not.toContain(back);
});

test("slow within the time allowed: windows stay shared, and nobody is told", async () => {
  const course = await runOnTwo({
    fault: "slow, within `timeoutMs`",
    task: { options: patient },
    inject: ({ network }) => network.redisUrl.delay(timeoutMs / 5),
    heal: ({ network }) => network.redisUrl.accept(),
  });
  expectWindowsOfEachProcess(course);
  expect(course.writes.most).toBeLessThanOrEqual(mostInWindows(course));
  expect(course.warnings).toEqual([]);
});

test("flushed in the middle of windows: a flush costs a job at most one more write by each other process", async () => {
  await using redis = await privateRedis();
  const client = new Redis(redis.url);
  const course = await runOnTwo({
    fault: "flushed mid-window",
    task: { options: patient },
    instead: { redisUrl: redis.url },
    holdMs: 0,
    inject: async (scene) => {
      // Many in each of several windows: a process that asked again within its own would be let through.
      for (let flush = 0; flush < 60; flush++) {
        await untilWrittenAgain(scene);
        await client.flushall();
      }
    },
    heal: () => {},
  });
  client.disconnect();
  expectWindowsOfEachProcess(course);
  expect(course.warnings).toEqual([]);
});

test("failed over to its replica: found again through Sentinel", async () => {
  await using sentinel = await startRedisSentinel();
  const { port, name } = sentinel;
  const course = await runOnTwo({
    fault: "failed over (Sentinel)",
    task: { sentinel: { port, name }, options: patient },
    holdMs: 500,
    inject: () => sentinel.failOver(),
    heal: () => {},
    noticed: { away, back },
  });
  expectWindowsOfEachProcess(course);
  expectOutageSaidOnce(course);
});

test("a reply lost after SET: the window counts as taken, and the write is made", async () => {
  const course = await runOnTwo({
    fault: "reply lost after SET",
    inject: ({ network }) => network.redisUrl.dropReplies(),
    heal: ({ network }) => network.redisUrl.accept(),
    noticed: { away, back },
  });
  expectWindowsOfEachProcess(course);
  expectEachOutageSaidOnce(course);
  expect(course.warnedMeanwhile).not.toContain(back);
});

/** Waits until a window was taken after now, so that there is one to flush. */
async function untilWrittenAgain({ stage }: Scene): Promise<void> {
  const before = (await journaledChanges(stage.db)).length;
  await eventually(async () => expect((await journaledChanges(stage.db)).length).toBeGreaterThan(before));
}

/** The counts of these names alone: equal to all counts when there are no others. */
function only(counts: Readonly<Record<string, number>>, ...names: readonly string[]): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([name]) => names.includes(name)));
}
