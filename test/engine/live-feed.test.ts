import { describe, expect, test } from "vitest";
import { SimulatedClock } from "../support/simulated-clock.js";
import { engineOn, type SharedWindows, withJobs } from "./engine-on.js";
import { RecordingLive } from "./recording-live.js";

function feeding(options: Parameters<typeof engineOn>[0] = {}) {
  const clock = new SimulatedClock();
  const live = new RecordingLive(clock);
  return { ...engineOn({ ...options, clock, live }), clock, live };
}

const percentsOf = (live: RecordingLive, id: string) =>
  live.messagesOf(id).map((message) => ("progress" in message ? message.progress : null));

/** Monotonic milliseconds of a job's progress messages. */
const timesOf = (live: RecordingLive, id: string) =>
  live.rounds.filter(({ messages }) => messages.some((message) => message.jobId === id)).map(({ at }) => at);

describe("what is told of a job", () => {
  test("is the newest at most every 200 ms, far finer than what is written", async () => {
    const { reporter, clock, storage, live } = feeding();
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    await clock.advance(200);
    const before = live.rounds.length;
    for (let percent = 1; percent <= 50; percent++) {
      void job.progress(percent);
      await clock.advance(40);
    }
    const times = live.rounds.slice(before).map(({ at }) => at);
    expect(times.length).toBeGreaterThanOrEqual(9);
    for (let i = 1; i < times.length; i++) expect((times[i] as number) - (times[i - 1] as number)).toBe(200);
    const told = percentsOf(live, "a").slice(1) as number[];
    expect(told).toEqual([...told].sort((x, y) => x - y));
    expect(storage.writesOf("a").length).toBeLessThanOrEqual(3);
  });

  test("is told at once after an idle interval", async () => {
    const { reporter, clock, storage, live } = feeding();
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    await job.progress(10);
    await clock.advance(1_000);
    void job.progress(20);
    await clock.advance(0);
    expect(live.messagesOf("a").at(-1)).toMatchObject({ kind: "progress", progress: 20 });
    expect(storage.job("a").progress).toBe(10);
  });

  test("is no more than that when every report is written at once", async () => {
    const { reporter, clock, storage, live } = feeding();
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    await clock.advance(200);
    const [before, writes] = [live.rounds.length, storage.writesOf("a").length];
    for (let percent = 1; percent <= 50; percent++) {
      void job.forceProgress(percent);
      await clock.advance(20);
    }
    expect(storage.writesOf("a").length - writes).toBe(50);
    const times = live.rounds.slice(before).map(({ at }) => at);
    expect(times.length).toBe(6);
    for (let i = 1; i < times.length; i++) expect((times[i] as number) - (times[i - 1] as number)).toBe(200);
  });

  test("is nothing while nothing changes", async () => {
    const { reporter, clock, storage, live } = feeding({ options: { heartbeatMs: false } });
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    await job.progress(10);
    void job.progress(20, "solving");
    await clock.advance(600);
    const before = live.rounds.length;
    for (let i = 0; i < 5; i++) {
      void job.progress(20, "solving");
      await clock.advance(200);
    }
    expect(live.rounds.length).toBe(before);
    await clock.advance(60_000);
    // The end of the window stores it once, and says so.
    expect(live.rounds.length).toBe(before + 1);
  });

  test("is a change of status at once", async () => {
    const { reporter, clock, storage, live } = feeding();
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    await job.fail("E", "Broken");
    expect(live.messagesOf("a")).toMatchObject([
      { kind: "stored", status: "running", attempt: 1 },
      { kind: "stored", status: "failed", attempt: 1 },
    ]);
    expect(timesOf(live, "a")).toEqual([0, 0]);
    expect(clock.monotonic()).toBe(0);
  });

  test("is a new attempt at once, though the job runs on", async () => {
    const { reporter, clock, storage, live } = feeding();
    withJobs(storage, "a");
    const first = await reporter.startJob("a");
    await first.forceProgress(40);
    await clock.advance(0);
    await reporter.startJob("a");
    await clock.advance(0);
    expect(live.messagesOf("a").at(-1)).toMatchObject({ kind: "stored", attempt: 2, progress: 0 });
  });

  test("is the end last: what was stored before it is not told after it", async () => {
    const { reporter, clock, storage, live } = feeding();
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    await job.forceProgress(40);
    await clock.advance(0);
    await job.forceProgress(50);
    await job.complete();
    await clock.advance(1_000);
    expect(live.messagesOf("a").at(-1)).toMatchObject({ kind: "stored", status: "completed" });
  });

  test("is what was stored, with its rate and texts, though more was reported before its turn came", async () => {
    const { reporter, clock, storage, live } = feeding();
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    await job.progress(10);
    await clock.advance(199);
    await job.forceProgress(20, "mesh", "Part 1");
    void job.progress(25);
    await clock.advance(1);
    const stored = { step: "mesh", message: "Part 1", rate: expect.any(Number) };
    expect(live.messagesOf("a").at(-1)).toMatchObject({ kind: "stored", progress: 25, at: clock.wall(), ...stored });
  });

  test("keeps no process alive while it waits for its turn", async () => {
    const { reporter, clock, storage } = feeding({ options: { heartbeatMs: false } });
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    await job.forceProgress(10);
    await clock.advance(0);
    await job.forceProgress(20);
    expect(clock.pendingTimers().filter(({ at }) => at === 200)).toEqual([{ at: 200, holdsProcess: false }]);
  });

  test("leaves no timer when the reporter closes", async () => {
    const { reporter, clock, storage } = feeding({ options: { heartbeatMs: false } });
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    await job.forceProgress(10);
    await clock.advance(0);
    await job.forceProgress(20);
    await reporter.close();
    expect(clock.pendingTimers()).toEqual([]);
  });

  test("is nothing after the reporter has closed, though a write lands late", async () => {
    const { reporter, clock, storage, live } = feeding({ options: { closeTimeoutMs: 1_000, heartbeatMs: false } });
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    const landing = Promise.withResolvers<void>();
    const commit = storage.commit.bind(storage);
    storage.commit = async (...writes) => {
      await landing.promise;
      return commit(...writes);
    };
    void job.forceProgress(10);
    const closing = reporter.close();
    await clock.advance(1_000);
    await closing;
    const told = live.rounds.length;
    landing.resolve();
    await clock.advance(1_000);
    expect(storage.job("a")?.progress).toBe(10);
    expect([live.rounds.length - told, clock.pendingTimers()]).toEqual([0, []]);
  });

  test.each<[string, [string, string]]>([
    ["step", ["solve", "Part 1"]],
    ["message", ["mesh", "Part 2"]],
  ])("is another %s, though the percent stands still", async (_, [step, message]) => {
    const { reporter, clock, storage, live } = feeding();
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    await job.progress(10);
    void job.progress(20, "mesh", "Part 1");
    await clock.advance(400);
    void job.progress(20, step, message);
    await clock.advance(200);
    expect(live.messagesOf("a").at(-1)).toMatchObject({ kind: "progress", progress: 20, step, message });
  });

  test("is no progress of a job that was never read", async () => {
    const { reporter, clock, storage, live } = feeding();
    storage.outage = "STORAGE_UNAVAILABLE";
    void reporter.progress("a", 10);
    await clock.advance(1_000);
    expect(live.rounds).toEqual([]);
  });

  test("is no progress while it is not known which attempt it belongs to, and is once it is", async () => {
    const { reporter, clock, storage, throttle, live } = feeding({ options: { heartbeatMs: false } });
    withJobs(storage, "a");
    await reporter.startJob("a");
    await clock.advance(200);
    (throttle as SharedWindows).answer = () => 60_000;
    storage.outage = "STORAGE_UNAVAILABLE";
    void reporter.startJob("a");
    void reporter.progress("a", 30);
    await clock.advance(1_000);
    expect(percentsOf(live, "a")).toEqual([0]);
    storage.outage = null;
    await clock.advance(4_000);
    expect(live.messagesOf("a").at(-1)).toMatchObject({ kind: "progress", attempt: 2, progress: 30 });
  });

  test("is what is stored where that is ahead of what waits to be written", async () => {
    const { reporter, clock, storage, throttle, live } = feeding();
    withJobs(storage, "a");
    const other = engineOn({ clock, storage, throttle }).reporter;
    await reporter.progress("a", 10);
    void reporter.progress("a", 50);
    await clock.advance(400);
    await other.forceProgress("a", 60);
    await reporter.requestCancel("a", "No longer needed");
    await clock.advance(200);
    expect(percentsOf(live, "a")).toEqual([10, 50, null, 60]);
  });

  test("goes on while the storage is away", async () => {
    const { reporter, clock, storage, live } = feeding();
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    await clock.advance(3_000);
    storage.outage = "STORAGE_UNAVAILABLE";
    for (let percent = 1; percent <= 50; percent++) {
      void job.progress(percent);
      await clock.advance(100);
    }
    expect(percentsOf(live, "a").length).toBeGreaterThanOrEqual(24);
    expect(percentsOf(live, "a").at(-1)).toBeGreaterThanOrEqual(49);
  });

  test("is the last progress before the reporter closes", async () => {
    const { reporter, storage, live } = feeding();
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    await job.progress(10);
    void job.progress(58);
    await reporter.close();
    expect(percentsOf(live, "a").at(-1)).toBe(58);
  });

  test("is the end of every job before the reporter closes its connection", async () => {
    const { reporter, storage, live } = feeding();
    const ids = Array.from({ length: 100 }, (_, i) => `job ${i}`);
    withJobs(storage, ...ids);
    const jobs = await Promise.all(ids.map((id) => reporter.startJob(id)));
    const publish = live.publish.bind(live);
    live.publish = async (messages) => {
      await new Promise(setImmediate);
      await publish(messages);
    };
    await Promise.all(jobs.map((job) => job.complete()));
    await reporter.close();
    expect(
      ids.filter((id) => !live.messagesOf(id).some((last) => "status" in last && last.status === "completed")),
    ).toEqual([]);
  });

  test("is the last progress of every job before the reporter closes, of more than a round holds, too", async () => {
    const { reporter, storage, live } = feeding();
    const ids = Array.from({ length: 2_500 }, (_, i) => `job ${i}`);
    withJobs(storage, ...ids);
    await Promise.all(ids.map((id) => reporter.progress(id, 1)));
    for (const id of ids) void reporter.progress(id, 2);
    await reporter.close();
    const said = live.rounds.flatMap(({ messages }) => messages);
    const told = new Set(
      said.flatMap((message) => ("progress" in message && message.progress === 2 ? message.jobId : [])),
    );
    expect(told.size).toBe(2_500);
  });

  test("keeps the time of the report when a sign of life is stored", async () => {
    const { reporter, clock, storage, live } = feeding({ options: { heartbeatMs: 10_000 } });
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    await job.progress(10);
    const reportedAt = clock.wall();
    await clock.advance(25_000);
    expect(storage.job("a").updatedAt).toBeGreaterThan(reportedAt);
    expect(live.messagesOf("a").at(-1)).toMatchObject({ kind: "stored", progress: 10, at: reportedAt });
  });
});

test("a step and a message are told as they will be stored", async () => {
  const { reporter, clock, storage, live } = feeding();
  withJobs(storage, "a");
  const job = await reporter.startJob("a");
  await job.progress(1);
  void job.progress(2, `a\0${"s".repeat(300)}`, `b\ud800${"m".repeat(3_000)}`);
  await clock.advance(200);
  const told = live.messagesOf("a").at(-1);
  await job.forceProgress(2);
  const { step, message } = storage.job("a") ?? {};
  expect([step, message]).toEqual([expect.any(String), expect.any(String)]);
  expect(told).toMatchObject({ progress: 2, step, message });
});

test("what is told never falls, though a write lands after newer progress was told", async () => {
  const { reporter, clock, storage, live } = feeding();
  withJobs(storage, "a");
  const job = await reporter.startJob("a");
  await job.progress(10);
  void job.progress(20);
  await clock.advance(1_900);
  storage.gate.close();
  await clock.advance(200);
  void job.progress(30);
  await clock.advance(400);
  storage.gate.open();
  await clock.advance(400);
  expect(storage.job("a").progress).toBe(20);
  const told = percentsOf(live, "a") as number[];
  expect(told).toEqual([...told].sort((x, y) => x - y));
  expect(live.messagesOf("a").at(-1)).toMatchObject({ kind: "stored", progress: 30 });
});

test("3,000 jobs share rounds of at most 2,000 messages, in turn", async () => {
  const { reporter, clock, storage, live } = feeding({ options: { batchSize: 5_000 } });
  const ids = Array.from({ length: 3_000 }, (_, i) => `job ${i}`);
  withJobs(storage, ...ids);
  for (const id of ids) void reporter.progress(id, 1);
  await clock.advance(1_000);
  for (const id of ids) void reporter.progress(id, 2);
  await clock.advance(100);
  const before = live.rounds.length;
  for (let tick = 3; tick < 6; tick++) {
    for (const id of ids) void reporter.progress(id, tick);
    await clock.advance(200);
  }
  const rounds = live.rounds.slice(before).map(({ messages }) => messages);
  expect(rounds.map((messages) => messages.length)).toEqual([2_000, 2_000, 2_000]);
  const counts = new Map<string, number>();
  for (const { jobId } of rounds.flat()) counts.set(jobId, (counts.get(jobId) ?? 0) + 1);
  expect([counts.size, Math.min(...counts.values()), Math.max(...counts.values())]).toEqual([3_000, 2, 2]);
}, 60_000);

test("what changes while a message is on its way waits for it", async () => {
  const { reporter, clock, storage, live } = feeding();
  withJobs(storage, "a");
  const held = Promise.withResolvers<void>();
  const publish = live.publish.bind(live);
  live.publish = async (messages) => {
    await publish(messages);
    await held.promise;
  };
  const job = await reporter.startJob("a");
  await job.complete();
  await clock.advance(1_000);
  expect(live.rounds.length).toBe(1);
  held.resolve();
  await clock.advance(0);
  expect(live.messagesOf("a")).toMatchObject([{ status: "running" }, { status: "completed" }]);
});

test("what waits behind a slow server is replaced by what is newer", async () => {
  const { reporter, clock, storage, live } = feeding();
  withJobs(storage, "a");
  const job = await reporter.startJob("a");
  await clock.advance(200);
  const held = Promise.withResolvers<void>();
  const publish = live.publish.bind(live);
  live.publish = async (messages) => {
    await publish(messages);
    await held.promise;
  };
  const before = percentsOf(live, "a").length;
  for (let percent = 1; percent <= 20; percent++) {
    void job.progress(percent);
    await clock.advance(100);
  }
  held.resolve();
  await clock.advance(200);
  expect(percentsOf(live, "a").slice(before)).toHaveLength(2);
  expect(percentsOf(live, "a").at(-1)).toBe(20);
});
