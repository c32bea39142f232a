import { describe, expect, test } from "vitest";
import { SimulatedClock } from "../support/simulated-clock.js";
import type { EngineParts } from "./engine-on.js";
import { engineOn, percentsOf, watch, withJobs } from "./engine-on.js";

const jobs = (count: number) => Array.from({ length: count }, (_, i) => `job ${i}`);
const deferred = { outcome: "deferred", error: { code: "STORAGE_UNAVAILABLE" } };

/** An engine that has prepared its storage and then lost it. */
async function cutOff(options: EngineParts["options"] = {}, ...ids: readonly string[]) {
  const parts = engineOn({ options });
  withJobs(parts.storage, "a", ...ids);
  await parts.reporter.getJob("a");
  parts.storage.outage = "STORAGE_UNAVAILABLE";
  return parts;
}

describe("progress while the storage is away", () => {
  test("is deferred: the first caller is told after the failed try, the others at once", async () => {
    const { reporter, clock } = await cutOff({}, "b");
    const first = watch(reporter.progress("a", 10));
    await clock.advance(0);
    expect(first.value).toMatchObject(deferred);
    expect(await reporter.progress("a", 20)).toMatchObject(deferred);
    expect(await reporter.progress("b", 20)).toMatchObject(deferred);
    expect(await reporter.forceProgress("b", 30)).toMatchObject(deferred);
    expect(clock.monotonic()).toBe(0);
  });

  test("is deferred for everybody who waits, also beyond the batches that failed", async () => {
    const ids = jobs(1_000);
    const { reporter, clock } = await cutOff({}, ...ids);
    const answers = ids.map((id) => watch(reporter.progress(id, 10)));
    await clock.advance(0);
    expect(answers.filter((answer) => answer.value?.outcome === "deferred").length).toBe(1_000);
  });

  test("is deferred once its window has ended, though changes are at every try before its window is acquired", async () => {
    const clock = new SimulatedClock();
    const throttle = {
      acquire: (keys: readonly string[]) =>
        new Promise<readonly number[]>((resolve) => {
          clock.schedule(5, () => resolve(keys.map(() => 0)), true);
        }),
      close: async () => {},
    };
    const { reporter, storage } = engineOn({ clock, throttle, options: { windowMs: 20, changeTimeoutMs: 60_000 } });
    withJobs(storage, "a", "b");
    void reporter.progress("a", 10);
    await clock.advance(10);
    storage.outage = "STORAGE_UNAVAILABLE";
    void reporter.progress("a", 20);
    void reporter.completeJob("b").catch(() => {});
    await clock.advance(1_000);
    expect(await reporter.progress("a", 30)).toMatchObject(deferred);
  });

  test("is written when the storage is back, the newest of each job, without another call", async () => {
    const ids = jobs(500);
    const { reporter, storage, clock } = await cutOff({}, ...ids);
    for (let percent = 1; percent <= 30; percent++) {
      for (const id of ids) void reporter.progress(id, percent, `step ${percent}`);
      await clock.advance(1_000);
    }
    expect(storage.journal).toEqual([]);
    storage.outage = null;
    await clock.advance(5_000);
    expect(new Set(ids.map((id) => storage.job(id).step))).toEqual(new Set(["step 30"]));
    expect(storage.journal.length).toBe(500);
    expect(await reporter.progress("job 0", 90)).toMatchObject({ outcome: "written" });
  });

  test("still refuses a decrease at once", async () => {
    const { reporter, clock } = await cutOff();
    void reporter.progress("a", 50);
    await clock.advance(10);
    expect(await reporter.progress("a", 40)).toMatchObject({
      outcome: "rejected",
      error: { code: "PROGRESS_DECREASED" },
    });
  });

  test("is said once when it goes and once when it is back", async () => {
    const { reporter, storage, clock, log } = await cutOff({}, ...jobs(300));
    for (const id of jobs(300)) void reporter.progress(id, 10);
    await clock.advance(60_000);
    expect(log.warnings.length).toBe(1);
    expect(log.warnings[0]).toContain("away");
    storage.outage = null;
    await clock.advance(10_000);
    expect(log.warnings.length).toBe(2);
    expect(log.warnings[1]).toContain("back");
  });

  test("is tried again ever more seldom, but at least every second", async () => {
    const { reporter, clock, storage } = await cutOff();
    void reporter.progress("a", 10);
    await clock.advance(60_000);
    expect(storage.loads.length).toBeGreaterThanOrEqual(60);
    expect(storage.loads.length).toBeLessThanOrEqual(90);
  });

  test("of more jobs than may be kept is rejected with CAPACITY_EXCEEDED; kept jobs go on", async () => {
    const { reporter, storage, clock } = await cutOff({ maxDeferredJobs: 3 }, ...jobs(5));
    for (const id of jobs(3)) {
      void reporter.progress(id, 10);
      await clock.advance(1);
    }
    expect(await reporter.progress("job 3", 10)).toMatchObject({
      outcome: "rejected",
      error: { code: "CAPACITY_EXCEEDED", jobId: "job 3" },
    });
    expect(await reporter.progress("job 1", 20)).toMatchObject(deferred);
    storage.outage = null;
    await clock.advance(4_000);
    expect(await reporter.progress("job 3", 10)).toMatchObject({ outcome: "written" });
    expect(storage.job("job 1").progress).toBe(20);
  });

  test("holds the process until it is written", async () => {
    const { reporter, storage, clock } = await cutOff();
    void reporter.progress("a", 10);
    await clock.advance(10_000);
    expect(clock.holdsProcess()).toBe(true);
    storage.outage = null;
    await clock.advance(10_000);
    expect(clock.holdsProcess()).toBe(false);
  });
});

describe("a change while the storage is away", () => {
  test("is tried again and stored when the storage is back in time", async () => {
    const { reporter, storage, clock } = await cutOff();
    storage.put("a", { status: "running" });
    const completed = watch(reporter.completeJob("a").then(() => "stored"));
    await clock.advance(5_000);
    storage.outage = null;
    await clock.advance(2_000);
    expect(completed.value).toBe("stored");
    expect(storage.outbox.history.length).toBe(1);
  });

  test("rejects after its time with STORAGE_UNAVAILABLE, and keeps the progress that it carried", async () => {
    const { reporter, storage, clock } = await cutOff();
    storage.put("a", { status: "running" });
    void reporter.progress("a", 60, "solving");
    const failed = watch(reporter.failJob("a", "E", "failed"));
    await clock.advance(9_000);
    expect(failed.error).toBeUndefined();
    await clock.advance(3_000);
    expect(failed.error).toMatchObject({ code: "STORAGE_UNAVAILABLE", jobId: "a" });
    storage.outage = null;
    await clock.advance(5_000);
    expect(storage.job("a")).toMatchObject({ status: "running", progress: 60, step: "solving" });
  });

  test("is rejected in time also when it is a start that comes after unwritten progress", async () => {
    const { reporter, storage, clock } = await cutOff();
    void reporter.progress("a", 60);
    await clock.advance(100);
    const started = watch(reporter.startJob("a"));
    await clock.advance(12_000);
    expect(started.error).toMatchObject({ code: "STORAGE_UNAVAILABLE", jobId: "a" });
    storage.outage = null;
    await clock.advance(5_000);
    expect(storage.job("a")).toMatchObject({ attempt: 0, progress: 60 });
  });

  test("lets unwritten progress go first also after failed tries, when it is a start", async () => {
    const { reporter, storage, clock } = await cutOff();
    void reporter.progress("a", 60);
    await clock.advance(100);
    const started = watch(reporter.startJob("a"));
    await clock.advance(4_000);
    storage.outage = null;
    await clock.advance(3_000);
    expect(started.value).toMatchObject({ attempt: 1, previous: { percent: 60 } });
    expect(percentsOf(storage, "a")).toEqual([60, 0]);
  });

  test("carries the progress that came while it was tried again", async () => {
    const { reporter, storage, clock } = await cutOff();
    storage.put("a", { status: "running" });
    void reporter.progress("a", 60, "solving");
    const failed = watch(reporter.failJob("a", "E", "failed").then(() => "stored"));
    await clock.advance(100);
    void reporter.progress("a", 70);
    storage.outage = null;
    await clock.advance(5_000);
    expect(failed.value).toBe("stored");
    expect(storage.job("a")).toMatchObject({ status: "failed", progress: 70, step: "solving" });
    expect(storage.journal.length).toBe(1);
  });

  test("keeps its place before the changes that came after it", async () => {
    const { reporter, storage, clock } = await cutOff();
    const calls: Promise<unknown>[] = [reporter.startJob("a"), reporter.completeJob("a"), reporter.startJob("a")];
    const all = calls.map((call) => watch(call));
    await clock.advance(3_000);
    storage.outage = null;
    await clock.advance(3_000);
    expect(all.map((call) => call.error)).toEqual([undefined, undefined, undefined]);
    expect(storage.journal.map(({ write }) => [write.next.status, write.next.attempt])).toEqual([
      ["running", 1],
      ["completed", 1],
      ["running", 2],
    ]);
  });
});

describe("a commit whose answer is lost", () => {
  test("completes the job once, with one event", async () => {
    const { reporter, storage, clock } = engineOn();
    storage.put("a", { status: "running", attempt: 1 });
    storage.failCommits(1, "after");
    const completed = watch(reporter.completeJob("a").then(() => "stored"));
    await clock.advance(1_000);
    expect(completed.value).toBe("stored");
    expect(storage.journal.length).toBe(1);
    expect(storage.outbox.history.map(({ payload }) => payload.status)).toEqual(["completed"]);
  });

  test("does not start an attempt twice", async () => {
    const { reporter, storage, clock } = engineOn();
    storage.put("a", { status: "queued", progress: 40, step: "meshing", metrics: { faces: 3 } });
    storage.failCommits(1, "after");
    const started = watch(reporter.startJob("a"));
    await clock.advance(1_000);
    expect(started.value?.attempt).toBe(1);
    expect(started.value?.previous).toMatchObject({ percent: 40, step: "meshing", metrics: { faces: 3 } });
    expect(storage.job("a").attempt).toBe(1);
    expect(storage.outbox.history.length).toBe(1);
    await clock.advance(2_000);
    expect(await started.value?.progress(10)).toMatchObject({ outcome: "written", attempt: 1 });
  });

  test("does not pass for the change that its process made in the same millisecond", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    storage.failCommits(1, "before");
    void reporter.updateStatus("a", "running", { message: "Warming up" });
    await clock.advance(1_000);
    expect(storage.job("a").message).toBe("Warming up");
  });

  test("counts only as the first of the two writes where a change takes two", async () => {
    const { reporter, storage, clock } = engineOn();
    storage.put("a", { status: "queued" });
    storage.failCommits(1, "after");
    void reporter.progress("a", 40);
    const completed = watch(reporter.completeJob("a").then(() => "stored"));
    await clock.advance(2_000);
    expect(completed.value).toBe("stored");
    expect(storage.job("a")).toMatchObject({ status: "completed", progress: 100 });
    expect(storage.outbox.history.map(({ payload }) => payload.status)).toEqual(["running", "completed"]);
  });

  test("of progress makes one event of its change", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    storage.failCommits(1, "after");
    void reporter.progress("a", 30);
    await clock.advance(5_000);
    expect(storage.job("a").progress).toBe(30);
    expect(storage.outbox.history.map(({ payload }) => [payload.previous_progress, payload.progress])).toEqual([
      [0, 30],
    ]);
  });

  test("of a first 0 % on a queued job makes one event", async () => {
    const { reporter, storage, clock } = engineOn();
    storage.put("a", { status: "queued" });
    storage.failCommits(1, "after");
    void reporter.progress("a", 0);
    await clock.advance(5_000);
    expect(storage.outbox.history.length).toBe(1);
  });

  test("is not mistaken for what another process did", async () => {
    const { reporter, storage, clock } = engineOn();
    storage.put("a", { status: "running", attempt: 1 });
    storage.failCommits(1, "before");
    const completed = watch(reporter.completeJob("a"));
    await clock.advance(0);
    storage.put("a", { status: "completed", progress: 100, updatedAt: clock.wall() + 1 });
    await clock.advance(1_000);
    expect(completed.error).toMatchObject({ code: "JOB_FINISHED" });
  });

  test("is not mistaken for the start of another process in the same millisecond", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    storage.failCommits(1, "before");
    const started = watch(reporter.startJob("a", "one"));
    await clock.advance(0);
    storage.put("a", { status: "running", attempt: 1, message: "two", updatedAt: clock.wall() });
    await clock.advance(1_000);
    expect(started.value?.attempt).toBe(2);
  });

  test("leaves the progress that came while it was tried again to be written", async () => {
    const { reporter, storage, clock } = engineOn();
    storage.put("a", { status: "running", attempt: 1 });
    await reporter.progress("a", 10);
    storage.failCommits(1, "after");
    const waiting = watch(reporter.updateStatus("a", "retrying").then(() => "stored"));
    await clock.advance(0);
    void reporter.progress("a", 20);
    await clock.advance(4_000);
    expect(waiting.value).toBe("stored");
    expect(storage.job("a")).toMatchObject({ status: "retrying", progress: 20 });
  });

  test("is told apart from one that failed before it was applied", async () => {
    const { reporter, storage, clock } = engineOn();
    storage.put("a", { status: "running", attempt: 1 });
    storage.failCommits(3, "before");
    const completed = watch(reporter.completeJob("a").then(() => "stored"));
    await clock.advance(2_000);
    expect(completed.value).toBe("stored");
    expect(storage.outbox.history.length).toBe(1);
  });
});

describe("a storage that does not answer", () => {
  test("is given up after storageTimeoutMs, and its late answer changes nothing", async () => {
    const { reporter, storage, clock } = engineOn({ options: { storageTimeoutMs: 3_000 } });
    withJobs(storage, "a");
    await reporter.getJob("a");
    storage.gate.close();
    const report = watch(reporter.progress("a", 10));
    await clock.advance(2_999);
    expect(report.value).toBeUndefined();
    await clock.advance(1);
    expect(report.value).toMatchObject(deferred);
    storage.gate.open();
    await clock.advance(5_000);
    expect(percentsOf(storage, "a")).toEqual([10]);
    expect(storage.outbox.history.length).toBe(1);
  });

  test("does not keep a change waiting for longer than its time and one try", async () => {
    const { reporter, storage, clock } = engineOn();
    storage.put("a", { status: "running" });
    await reporter.getJob("a");
    storage.gate.close();
    const completed = watch(reporter.completeJob("a"));
    await clock.advance(10_000 + 5_000 + 1_000);
    expect(completed.error).toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  });
});
