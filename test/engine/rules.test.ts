import { describe, expect, test } from "vitest";
import type { CommitOutcome } from "../../src/ports/storage.js";
import { engineOn, percentsOf, watch, withJobs } from "./engine-on.js";

const rejected = (code: string) => ({ outcome: "rejected", error: { code, jobId: "a" } });

describe("a lower percent", () => {
  test("is rejected at once and changes nothing", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 40);
    expect(await reporter.progress("a", 39, "back")).toMatchObject(rejected("PROGRESS_DECREASED"));
    void reporter.progress("a", 60, "on");
    expect(await reporter.progress("a", 50, "back")).toMatchObject(rejected("PROGRESS_DECREASED"));
    await clock.advance(2_000);
    expect(percentsOf(storage, "a")).toEqual([40, 60]);
    expect(storage.job("a").step).toBe("on");
  });

  test("names the job, the value and what it is less than", async () => {
    const { reporter, storage } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 40);
    const answer = await reporter.progress("a", 39);
    expect(answer.outcome === "rejected" && answer.error.message).toBe(
      'Cannot report progress of job "a": 39 % is less than the 40 % reported before',
    );
  });

  test("that only the storage knows of is rejected, and the process then knows it too", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    storage.put("a", { progress: 70 });
    void reporter.progress("a", 20);
    await clock.advance(2_000);
    expect(storage.job("a").progress).toBe(70);
    expect(await reporter.progress("a", 30)).toMatchObject(rejected("PROGRESS_DECREASED"));
    const loads = storage.loads.length;
    expect(await reporter.progress("a", 69)).toMatchObject(rejected("PROGRESS_DECREASED"));
    expect(storage.loads.length).toBe(loads);
  });

  test("does not take along what was reported since", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    storage.put("a", { progress: 50, status: "running" });
    storage.gate.close();
    const low = reporter.progress("a", 20);
    await clock.advance(0);
    void reporter.progress("a", 80);
    storage.gate.open();
    expect(await low).toMatchObject(rejected("PROGRESS_DECREASED"));
    await clock.advance(2_000);
    expect(percentsOf(storage, "a")).toEqual([80]);
  });
});

describe("known state", () => {
  test("that is out of date never refuses: the job is read again first", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.updateStatus("a", "cancelled");
    storage.put("a", { status: "queued", progress: 0, attempt: 0 });
    await clock.advance(2_000);
    expect(await reporter.progress("a", 5)).toMatchObject({ outcome: "written", percent: 5 });
    storage.put("a", { progress: 0 });
    await expect(reporter.completeJob("a")).resolves.toBeUndefined();
  });

  test("that is out of date never writes: the compare-and-set fails and the job is decided again", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    storage.put("a", { progress: 30 });
    void reporter.progress("a", 40);
    await clock.advance(2_000);
    const events = storage.outbox.history.map(({ payload }) => [payload.previous_progress, payload.progress]);
    expect(events.at(-1)).toEqual([30, 40]);
  });

  test("progress that loses against other writers every time is tried again when its window ends, not at once", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    let other = 0;
    storage.beforeCommit = () => storage.put("a", { progress: ++other / 10 });
    expect(await reporter.progress("a", 60)).toMatchObject({ outcome: "deferred", error: { code: "CONFLICT" } });
    const tried = storage.statements.length;
    await clock.advance(1_900);
    expect(storage.statements.length).toBe(tried);
    storage.beforeCommit = null;
    await clock.advance(200);
    expect(storage.job("a").progress).toBe(60);
  });

  test("a job that changes under every try is given up with CONFLICT, keeping the progress", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    let other = 0;
    storage.beforeCommit = () => storage.put("a", { progress: ++other / 10 });
    void reporter.progress("a", 50);
    void reporter.progress("a", 60);
    await expect(reporter.failJob("a", "E", "failed")).rejects.toMatchObject({ code: "CONFLICT", jobId: "a" });
    storage.beforeCommit = null;
    await clock.advance(4_000);
    expect(storage.job("a")).toMatchObject({ status: "running", progress: 60 });
  });
});

describe("a row that another transaction holds", () => {
  /** Job "a" is locked until `release`, job "b" is free. */
  function locked() {
    const under = engineOn();
    const { storage } = under;
    withJobs(storage, "a", "b");
    const commit = storage.commit.bind(storage);
    storage.commit = async (writes, transaction) => {
      const outcomes = await commit(
        writes.filter(({ id }) => id !== "a"),
        transaction,
      );
      const free = outcomes.values();
      return writes.map(({ id }) => (id === "a" ? { kind: "locked" } : (free.next().value as CommitOutcome)));
    };
    return {
      ...under,
      release: () => {
        storage.commit = commit;
      },
    };
  }

  test("defers that job's progress alone: the others are written, and nobody says that the storage is away", async () => {
    const { reporter, storage, log } = locked();
    const [held, free] = await Promise.all([reporter.progress("a", 10), reporter.progress("b", 20)]);
    expect(held).toMatchObject({ outcome: "deferred", error: { code: "STORAGE_UNAVAILABLE", jobId: "a" } });
    expect(free).toMatchObject({ outcome: "written" });
    expect(storage.job("b").progress).toBe(20);
    expect(log.warnings).toEqual([]);
  });

  test("is tried again when the window ends", async () => {
    const { reporter, storage, clock, release } = locked();
    await reporter.progress("a", 10);
    void reporter.progress("a", 20);
    release();
    await clock.advance(1_900);
    expect(storage.job("a").progress).toBe(0);
    await clock.advance(200);
    expect(storage.job("a").progress).toBe(20);
  });

  test("is tried again by a change, which lands when the row is free", async () => {
    const { reporter, storage, clock, release } = locked();
    const failing = reporter.failJob("a", "E", "failed");
    await clock.advance(1_000);
    release();
    await clock.advance(100);
    await failing;
    expect(storage.job("a").status).toBe("failed");
  });

  test("makes a change reject when its time is over", async () => {
    const { reporter, storage, clock } = locked();
    const failing = watch(reporter.failJob("a", "E", "failed"));
    await clock.advance(9_900);
    expect(failing.error).toBeUndefined();
    await clock.advance(200);
    expect(failing.error).toMatchObject({ code: "STORAGE_UNAVAILABLE", jobId: "a" });
    expect(storage.job("a").status).toBe("pending");
  });
});

describe("bad input", () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, "50", undefined, null, {}, 50n])(
    "a percent of %s is rejected and changes nothing",
    async (percent) => {
      const { reporter, storage, clock } = engineOn();
      withJobs(storage, "a");
      await reporter.progress("a", 10);
      expect(await reporter.progress("a", percent as number)).toMatchObject(rejected("INVALID_ARGUMENT"));
      void reporter.progress("a", 20);
      expect(await reporter.progress("a", percent as number)).toMatchObject(rejected("INVALID_ARGUMENT"));
      expect(await reporter.forceProgress("a", percent as number)).toMatchObject(rejected("INVALID_ARGUMENT"));
      await clock.advance(2_000);
      expect(percentsOf(storage, "a")).toEqual([10, 20]);
    },
  );

  test("percents beyond 0 and 100 are clamped, also within a window", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    expect(await reporter.progress("a", -5)).toMatchObject({ outcome: "written", percent: 0 });
    void reporter.progress("a", 50);
    expect(await reporter.progress("a", 140)).toEqual({ outcome: "coalesced" });
    await clock.advance(2_000);
    expect(storage.job("a")).toMatchObject({ status: "running", progress: 100 });
  });

  test("99.9 % is never stored as 100 in a whole column", async () => {
    const { reporter, storage } = engineOn();
    withJobs(storage, "a");
    expect(await reporter.progress("a", 99.9)).toMatchObject({ percent: 99 });
  });

  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  test.each([
    ["a cycle", cycle],
    ["a BigInt", { n: 1n }],
    ["a function", { f: () => 1 }],
    ["a megabyte", { text: "x".repeat(1_000_000) }],
    ["an array", [1]],
  ])("metrics with %s are rejected and leave what was reported", async (_, metrics) => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    void reporter.progress("a", 20);
    const answer = await reporter.progress("a", 30, undefined, undefined, metrics as never);
    expect(answer).toMatchObject(rejected("INVALID_ARGUMENT"));
    await clock.advance(2_000);
    expect(percentsOf(storage, "a")).toEqual([10, 20]);
  });

  test("an unknown job is rejected, and accepted once its row is there", async () => {
    const { reporter, storage, clock } = engineOn();
    expect(await reporter.progress("a", 10)).toMatchObject(rejected("JOB_NOT_FOUND"));
    await expect(reporter.completeJob("a")).rejects.toMatchObject({ code: "JOB_NOT_FOUND" });
    withJobs(storage, "a");
    await clock.advance(2_000);
    expect(await reporter.progress("a", 10)).toMatchObject({ outcome: "written" });
  });

  test("a job that is not there is not looked for at every call", async () => {
    const { reporter, storage, clock } = engineOn();
    for (let percent = 1; percent <= 50; percent++) {
      expect(await reporter.progress("a", percent)).toMatchObject(rejected("JOB_NOT_FOUND"));
      await clock.advance(20);
    }
    expect(storage.loads.length).toBe(1);
  });

  test("an id that the column cannot hold is rejected without asking the storage", async () => {
    const { reporter, storage } = engineOn();
    storage.traits = { ...storage.traits, idType: "integer" };
    expect(await reporter.progress("a", 10)).toMatchObject(rejected("INVALID_ARGUMENT"));
    await expect(reporter.startJob("a")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(storage.loads).toEqual([]);
  });

  test("a status that the mapping has no spelling for is rejected, and nothing is written", async () => {
    const { reporter, storage } = engineOn();
    storage.traits = { ...storage.traits, statuses: new Set(["pending", "running", "completed"]) };
    storage.put("a", { status: "running" });
    await expect(reporter.updateStatus("a", "timeout")).rejects.toMatchObject({ code: "UNKNOWN_STATUS" });
    expect(storage.journal).toEqual([]);
  });
});

describe("metrics", () => {
  test("that fit by themselves but not with those that wait are rejected, and what waits stays", async () => {
    const { reporter, storage, clock } = engineOn({ options: { limits: { metricsBytes: 40 } } });
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    void reporter.progress("a", 20, undefined, undefined, { first: "x".repeat(20) });
    const answer = await reporter.progress("a", 30, undefined, undefined, { second: "y".repeat(20) });
    expect(answer).toMatchObject(rejected("INVALID_ARGUMENT"));
    await clock.advance(2_000);
    expect(storage.job("a")).toMatchObject({ progress: 20, metrics: { first: "x".repeat(20) } });
  });
});
