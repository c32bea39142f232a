import { describe, expect, test } from "vitest";
import type { InMemoryStorage } from "../support/in-memory-storage.js";
import { engineOn, percentsOf, watch, withJobs } from "./engine-on.js";

const transitionsOf = (storage: InMemoryStorage) =>
  storage.outbox.history.map(
    ({ payload }) => `${payload.previous_status} ${payload.previous_progress} → ${payload.status} ${payload.progress}`,
  );

test("option redact takes values out of the event, not out of the job", async () => {
  const { reporter, storage } = engineOn({ options: { redact: ["token"] } });
  withJobs(storage, "a");
  await reporter.failJob("a", "E", "GET /?token=abc&page=2 answered 403");
  expect(storage.outbox.history.at(-1)?.payload.error_message).toBe("GET /?token=[redacted]&page=2 answered 403");
  expect(storage.job("a").errorMessage).toBe("GET /?token=abc&page=2 answered 403");
});

describe("completing a job", () => {
  test("writes what was reported last in the same write, with one event", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    await reporter.progress("a", 30);
    void reporter.progress("a", 60, "solving", "Nearly", { items: 6 });
    await reporter.completeJob("a", { file: "a.stl" });
    await clock.advance(4_000);
    expect(percentsOf(storage, "a")).toEqual([0, 30, 100]);
    expect(storage.job("a")).toMatchObject({
      status: "completed",
      step: "solving",
      message: "Nearly",
      metrics: { items: 6 },
      output: { file: "a.stl" },
    });
    expect(transitionsOf(storage)).toEqual([
      "pending 0 → running 0",
      "running 0 → running 30",
      "running 30 → completed 100",
    ]);
  });

  test("that is queued, with unwritten progress that runs it, writes twice in order", async () => {
    const { reporter, storage } = engineOn();
    withJobs(storage, "a");
    void reporter.progress("a", 0);
    await reporter.flush();
    void reporter.progress("a", 40);
    await reporter.completeJob("a");
    expect(transitionsOf(storage)).toEqual([
      "pending 0 → queued 0",
      "queued 0 → running 40",
      "running 40 → completed 100",
    ]);
  });

  test("that is queued, without progress, is refused and changes nothing", async () => {
    const { reporter, storage } = engineOn();
    storage.put("a", { status: "queued" });
    await expect(reporter.completeJob("a")).rejects.toMatchObject({ code: "ILLEGAL_TRANSITION", jobId: "a" });
    expect(storage.journal).toEqual([]);
  });

  test("settles the report that opened the window", async () => {
    const { reporter, storage } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    const report = watch(reporter.progress("a", 60));
    await reporter.completeJob("a");
    expect(report.value).toEqual({ outcome: "coalesced" });
  });
});

describe("failing a job", () => {
  test("keeps progress, writes what was reported last, and carries code and message in the event", async () => {
    const { reporter, storage } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    await reporter.progress("a", 30);
    void reporter.progress("a", 60, "solving");
    await reporter.failJob("a", "ERR_001", "Out of memory");
    expect(storage.job("a")).toMatchObject({ status: "failed", progress: 60, step: "solving", errorCode: "ERR_001" });
    expect(storage.outbox.history.at(-1)?.payload).toMatchObject({
      status: "failed",
      progress: 60,
      previous_progress: 30,
      error_code: "ERR_001",
      error_message: "Out of memory",
    });
  });

  test("takes a percent that is higher than what is stored, and leaves a lower one", async () => {
    const { reporter, storage } = engineOn();
    for (const [id, percent] of [
      ["higher", 75],
      ["lower", 10],
    ] as const) {
      withJobs(storage, id);
      await reporter.startJob(id);
      await reporter.progress(id, 50);
      await reporter.failJob(id, "E", "failed", { percent });
    }
    expect([storage.job("higher").progress, storage.job("lower").progress]).toEqual([75, 50]);
  });
});

describe("starting a job", () => {
  test("writes the unwritten progress of the attempt before, and answers what it left", async () => {
    const { reporter, storage } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    await reporter.progress("a", 30, "meshing", "Started", { faces: 3 });
    void reporter.progress("a", 60, "solving", undefined, { edges: 4 });
    const retry = await reporter.startJob("a");
    expect([retry.attempt, retry.previous]).toEqual([
      2,
      { percent: 60, step: "solving", message: "Started", metrics: { faces: 3, edges: 4 } },
    ]);
    expect(percentsOf(storage, "a")).toEqual([0, 30, 60, 0]);
  });

  test("counts from zero again, in this process as in the storage", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    await reporter.progress("a", 80);
    await reporter.startJob("a");
    await clock.advance(2_000);
    expect(await reporter.progress("a", 10)).toMatchObject({ outcome: "written", percent: 10, attempt: 2 });
  });

  test("takes what is reported for it, whatever others had reported on the attempt before", async () => {
    const { reporter, storage, clock } = engineOn();
    storage.put("a", { status: "running", progress: 80 });
    storage.gate.close();
    void reporter.progress("a", 50);
    await clock.advance(0);
    const started = reporter.startJob("a");
    void reporter.progress("a", 10);
    storage.gate.open();
    expect(await (await started).forceProgress(20)).toMatchObject({ outcome: "written", percent: 20 });
  });

  test("keeps progress when it is asked to resume", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    await reporter.progress("a", 80);
    await reporter.startJob("a", undefined, { resume: true });
    await clock.advance(2_000);
    expect(storage.job("a")).toMatchObject({ attempt: 2, progress: 80 });
    expect(await reporter.progress("a", 10)).toMatchObject({ error: { code: "PROGRESS_DECREASED" } });
  });

  test("that is running is refused when it is asked to be, without touching the attempt that runs", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    const first = await reporter.startJob("a");
    await first.progress(30);
    await expect(reporter.startJob("a", undefined, { ifRunning: "reject" })).rejects.toMatchObject({
      code: "JOB_RUNNING",
    });
    await clock.advance(2_000);
    expect(await first.progress(40)).toMatchObject({ outcome: "written", percent: 40, attempt: 1 });
    expect(first.signal.aborted).toBe(false);
  });

  test("is not kept waiting by an earlier worker that goes on reporting", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    const first = await reporter.startJob("a");
    const load = storage.load.bind(storage);
    const commit = storage.commit.bind(storage);
    let percent = 0;
    const more = () => {
      percent += 0.01;
      return first.progress(percent);
    };
    storage.load = async (...args) => {
      void more();
      return load(...args);
    };
    storage.commit = async (...args) => {
      if (percent < 20) void more();
      return commit(...args);
    };
    await more();
    void more();
    const second = watch(reporter.startJob("a"));
    await clock.advance(0);
    expect(second.value?.attempt).toBe(2);
    expect(storage.statements.length).toBeLessThanOrEqual(4);
  });

  test("does not take over what the earlier worker reports meanwhile", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    const first = await reporter.startJob("a");
    storage.gate.close();
    const starting = reporter.startJob("a");
    await clock.advance(0);
    const zombie = watch(first.progress(90, "zombie"));
    storage.gate.open();
    const second = await starting;
    expect(zombie.value?.outcome).not.toBe("written");
    expect(await second.progress(5)).toMatchObject({ outcome: "written", percent: 5, attempt: 2 });
    await clock.advance(4_000);
    expect(storage.job("a")).toMatchObject({ progress: 5, step: null });
  });

  test("comes before progress that is reported right after it, awaited or not", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    const starting = reporter.startJob("a");
    void reporter.progress("a", 5);
    await starting;
    await clock.advance(4_000);
    expect(percentsOf(storage, "a")).toEqual([0, 5]);
  });
});

describe("a change that is not legal", () => {
  test("rejects, changes nothing and loses no progress", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 0);
    void reporter.progress("a", 0, "waiting");
    await expect(reporter.updateStatus("a", "retrying")).rejects.toMatchObject({ code: "ILLEGAL_TRANSITION" });
    expect(storage.job("a")).toMatchObject({ status: "queued", step: null });
    await clock.advance(2_000);
    expect(storage.job("a")).toMatchObject({ status: "queued", step: "waiting" });
  });

  test("of a finished job rejects with JOB_FINISHED", async () => {
    const { reporter, storage } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    await reporter.completeJob("a");
    const written = storage.journal.length;
    await expect(reporter.failJob("a", "E", "late")).rejects.toMatchObject({ code: "JOB_FINISHED" });
    await expect(reporter.completeJob("a")).rejects.toMatchObject({ code: "JOB_FINISHED" });
    expect(storage.journal.length).toBe(written);
  });
});

describe("progress after the job is over", () => {
  test("is rejected at once while the window of the last report runs", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    await job.progress(50);
    await job.complete();
    expect(await job.progress(99)).toMatchObject({ outcome: "rejected", error: { code: "JOB_FINISHED" } });
    await clock.advance(4_000);
    expect(storage.writesOf("a")).toHaveLength(3);
  });

  test("is rejected with JOB_FINISHED, and the storage is not asked at every call", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    await job.complete();
    const asked = storage.loads.length;
    for (let call = 0; call < 50; call++) {
      expect(await job.progress(50)).toMatchObject({ outcome: "rejected", error: { code: "JOB_FINISHED" } });
      await clock.advance(20);
    }
    expect(storage.loads.length - asked).toBeLessThanOrEqual(1);
    expect(storage.job("a").progress).toBe(100);
    expect(job.signal.aborted).toBe(false);
  });

  test("is accepted at once when the job is queued again", async () => {
    const { reporter, storage } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    await reporter.failJob("a", "E", "failed");
    expect(await reporter.progress("a", 50)).toMatchObject({ error: { code: "JOB_FINISHED" } });
    await reporter.updateStatus("a", "queued");
    expect((await reporter.progress("a", 10)).outcome).not.toBe("rejected");
  });
});
