import { describe, expect, test } from "vitest";
import { SimulatedClock } from "../support/simulated-clock.js";
import { engineOn, withJobs } from "./engine-on.js";
import { RecordingLive } from "./recording-live.js";

function stage(options: NonNullable<Parameters<typeof engineOn>[0]>["options"] = {}) {
  const clock = new SimulatedClock();
  const live = new RecordingLive(clock);
  const first = engineOn({ clock, live, options });
  const { storage, throttle } = first;
  const second = engineOn({ clock, live, storage, throttle, options });
  withJobs(storage, "a");
  const signsOf = (id: string) => storage.writesOf(id).filter(({ write }) => Object.keys(write.set).length === 1);
  return { clock, live, storage, worker: first.reporter, other: second.reporter, log: first.log, signsOf };
}

test("a sign of life whose window ended while the storage was away is not written outside of it", async () => {
  const clock = new SimulatedClock();
  const acquire = (keys: readonly string[]) =>
    new Promise<readonly number[]>((answered) => {
      clock.schedule(5, () => answered(keys.map(() => 0)), false);
    });
  const throttle = { acquire, close: async () => {} };
  const { reporter, storage } = engineOn({ clock, throttle, options: { heartbeatMs: 10_000, windowMs: 10 } });
  withJobs(storage, "a", "b");
  await reporter.startJob("a");
  await clock.advance(5_000);
  storage.outage = "STORAGE_UNAVAILABLE";
  void reporter.startJob("b");
  await clock.advance(20);
  storage.outage = null;
  await clock.advance(1_000);
  expect([storage.job("b").status, storage.writesOf("a").length]).toEqual(["running", 1]);
});

describe("a job whose progress stands still", () => {
  test("is never silent for longer than heartbeatMs", async () => {
    const { clock, storage, worker } = stage({ heartbeatMs: 30_000 });
    const job = await worker.startJob("a");
    await job.progress(10);
    let longest = 0;
    for (let i = 0; i < 300; i++) {
      await clock.advance(1_000);
      longest = Math.max(longest, clock.wall() - (storage.job("a").updatedAt as number));
    }
    expect(longest).toBeLessThanOrEqual(30_000);
    expect(storage.writesOf("a").length).toBeLessThanOrEqual(2 + 300 / 15);
    expect(storage.job("a")).toMatchObject({ status: "running", progress: 10 });
    expect(storage.outbox.history.length).toBeLessThanOrEqual(2);
  });

  test("is never silent for longer, whenever it last moved", async () => {
    const { clock, storage, worker } = stage({ heartbeatMs: 30_000 });
    const job = await worker.startJob("a");
    let longest = 0;
    for (let second = 0; second < 1_200; second++) {
      if (second % 37 === 0) void job.progress(second / 37);
      await clock.advance(1_000);
      longest = Math.max(longest, clock.wall() - (storage.job("a").updatedAt as number));
    }
    expect(longest).toBeLessThanOrEqual(30_000);
  });

  test("is looked after by one timer, however many there are", async () => {
    const { clock, storage, worker } = stage({ heartbeatMs: 30_000 });
    const beats = () => clock.pendingTimers().filter(({ at }) => at === 15_000);
    await worker.startJob("a");
    withJobs(storage, "b", "c");
    for (const id of ["b", "c"]) await worker.startJob(id);
    expect(beats()).toHaveLength(1);
  });

  test("is written at most once a window, whatever heartbeatMs says", async () => {
    const { clock, storage, worker } = stage({ heartbeatMs: 10, windowMs: 2_000 });
    await worker.startJob("a");
    await clock.advance(20_000);
    const times = storage.writesOf("a").map(({ at }) => at);
    expect(times.length).toBeGreaterThan(8);
    for (let i = 2; i < times.length; i++) {
      expect((times[i] as number) - (times[i - 1] as number)).toBeGreaterThanOrEqual(2_000);
    }
  });

  test("keeps the process from ending no longer than a write takes", async () => {
    const { clock, worker } = stage();
    await worker.startJob("a");
    await clock.advance(100_000);
    expect(clock.holdsProcess()).toBe(false);
  });

  test("gets its signs again after the storage was away, and no call waits for them", async () => {
    const { clock, storage, worker, signsOf } = stage({ heartbeatMs: 10_000 });
    const job = await worker.startJob("a");
    storage.outage = "STORAGE_UNAVAILABLE";
    await clock.advance(60_000);
    storage.outage = null;
    await clock.advance(22_500);
    expect(signsOf("a").length).toBeGreaterThanOrEqual(1);
    expect(await job.progress(10)).toMatchObject({ outcome: "written" });
  });
});

describe("no sign of life is written", () => {
  test("while progress is", async () => {
    const { clock, worker, signsOf } = stage({ heartbeatMs: 10_000 });
    const job = await worker.startJob("a");
    for (let i = 0; i < 60; i++) {
      void job.progress(i);
      await clock.advance(1_000);
    }
    expect(signsOf("a")).toEqual([]);
  });

  test("with heartbeatMs false", async () => {
    const { clock, storage, worker } = stage({ heartbeatMs: false });
    await worker.startJob("a");
    await clock.advance(300_000);
    expect(storage.writesOf("a").length).toBe(1);
  });

  test("once the job has ended", async () => {
    const { clock, storage, worker } = stage();
    const job = await worker.startJob("a");
    await job.complete();
    await clock.advance(300_000);
    expect(storage.writesOf("a").length).toBe(2);
  });

  test("soon after progress was", async () => {
    const { clock, worker, signsOf } = stage({ heartbeatMs: 30_000 });
    const job = await worker.startJob("a");
    await clock.advance(10_000);
    await job.progress(10);
    await clock.advance(14_000);
    expect(signsOf("a")).toEqual([]);
  });

  test.each(["pending", "queued"] as const)("while the job is %s: it waits for another worker", async (status) => {
    const { clock, storage, worker } = stage();
    await worker.startJob("a");
    await worker.updateStatus("a", status);
    await clock.advance(300_000);
    expect(storage.writesOf("a").length).toBe(2);
  });

  test("by a worker that was fenced off, whose signal the first try fires", async () => {
    const { clock, storage, worker, other } = stage({ heartbeatMs: 30_000 });
    const job = await worker.startJob("a");
    await other.startJob("a");
    await clock.advance(30_000);
    expect(job.signal.reason).toMatchObject({ code: "STALE_ATTEMPT" });
    const loads = storage.loads.length;
    await clock.advance(300_000);
    expect(storage.loads.length).toBe(loads);
  });
});

describe("a worker that was asked to cancel", () => {
  test("gives its signs of life until it ends the job, as long as that takes it", async () => {
    const { clock, storage, worker, other } = stage({ heartbeatMs: 30_000 });
    const job = await worker.startJob("a");
    await other.requestCancel("a");
    await clock.advance(600_000);
    expect(job.signal.reason).toMatchObject({ code: "JOB_CANCELLED" });
    expect(clock.wall() - (storage.job("a").updatedAt as number)).toBeLessThanOrEqual(30_000);
    await job.cancel();
    const writes = storage.writesOf("a").length;
    await clock.advance(600_000);
    expect(storage.writesOf("a").length).toBe(writes);
  });

  test("gives none any more once it is fenced off", async () => {
    const { clock, storage, worker, other } = stage({ heartbeatMs: 30_000 });
    await worker.startJob("a");
    await other.requestCancel("a");
    const next = await other.startJob("a");
    await next.complete();
    await clock.advance(30_000);
    const loads = storage.loads.length;
    await clock.advance(600_000);
    expect(storage.loads.length).toBe(loads);
  });
});

test("a worker that reports nothing and hears nothing learns of a request to cancel from its sign of life", async () => {
  const { clock, live, worker, other } = stage({ heartbeatMs: 30_000 });
  live.deaf = true;
  const job = await worker.startJob("a");
  await other.requestCancel("a");
  expect(job.signal.aborted).toBe(false);
  await clock.advance(30_000);
  expect(job.signal.reason).toMatchObject({ code: "JOB_CANCELLED" });
});
