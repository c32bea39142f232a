import { describe, expect, test } from "vitest";
import { engineOn, percentsOf, withJobs } from "./engine-on.js";

const jobs = (count: number) => Array.from({ length: count }, (_, i) => `job ${i}`);

describe("group commit", () => {
  test("a burst on 300 jobs becomes two statements of at most 200 jobs", async () => {
    const { reporter, storage } = engineOn();
    const ids = jobs(300);
    withJobs(storage, ...ids);
    await Promise.all(ids.map((id) => reporter.progress(id, 5)));
    expect(storage.statements).toEqual([200, 100]);
    expect(storage.loads.map((ids) => ids.length)).toEqual([200, 100]);
  });

  test("what a process wrote itself is not read again", async () => {
    const { reporter, storage, clock } = engineOn();
    const ids = jobs(50);
    withJobs(storage, ...ids);
    for (let percent = 1; percent <= 5; percent++) {
      for (const id of ids) void reporter.progress(id, percent);
      await clock.advance(2_000);
    }
    expect(storage.statements).toEqual([50, 50, 50, 50, 50]);
    expect(storage.loads.length).toBe(1);
  });

  test("what becomes due while a batch is in flight goes into the next one", async () => {
    const { reporter, storage, clock } = engineOn({ options: { concurrency: 1 } });
    const ids = jobs(31);
    withJobs(storage, ...ids);
    await reporter.progress("job 0", 1);
    storage.gate.close();
    const forced = reporter.forceProgress("job 0", 2);
    await clock.advance(0);
    for (const id of ids.slice(1)) {
      void reporter.progress(id, 1);
      await clock.advance(1);
    }
    storage.gate.open();
    await forced;
    await clock.advance(0);
    expect(storage.statements).toEqual([1, 1, 30]);
  });

  test("at most so many statements are under way as were allowed", async () => {
    const { reporter, storage, clock } = engineOn({ options: { concurrency: 3, batchSize: 10 } });
    const ids = jobs(100);
    withJobs(storage, ...ids);
    await reporter.getJob("job 0");
    storage.loads.length = 0;
    let under = 0;
    let most = 0;
    const commit = storage.commit.bind(storage);
    storage.commit = async (writes, transaction) => {
      most = Math.max(most, ++under);
      await new Promise((resolve) => clock.schedule(5, () => resolve(null), true));
      under--;
      return commit(writes, transaction);
    };
    for (const id of ids) void reporter.progress(id, 1);
    await clock.advance(100);
    expect([most, storage.journal.length]).toEqual([3, 100]);
  });

  test("changes go before progress that waits", async () => {
    const { reporter, storage, clock } = engineOn({ options: { concurrency: 1, batchSize: 10 } });
    const ids = jobs(40);
    withJobs(storage, ...ids, "urgent", "first");
    storage.gate.close();
    void reporter.progress("first", 1);
    await clock.advance(0);
    for (const id of ids) void reporter.progress(id, 1);
    await clock.advance(0);
    const started = reporter.startJob("urgent");
    storage.gate.open();
    await started;
    await clock.advance(0);
    expect(storage.writesOf("urgent")[0]?.statement).toBe(2);
  });

  test("progress is written in the order its windows ended: no job starves", async () => {
    const { reporter, storage, clock } = engineOn({ options: { concurrency: 1, batchSize: 10 } });
    const ids = jobs(100);
    withJobs(storage, ...ids);
    const commit = storage.commit.bind(storage);
    storage.commit = async (writes, transaction) => {
      await new Promise((resolve) => clock.schedule(400, () => resolve(null), true));
      return commit(writes, transaction);
    };
    for (let percent = 0; percent < 100; percent++) {
      for (const id of ids) void reporter.progress(id, percent);
      await clock.advance(200);
    }
    await clock.advance(10_000);
    const gaps = ids.map((id) => {
      const times = storage.writesOf(id).map((entry) => entry.at);
      return Math.max(...times.map((at, i) => at - (times[i - 1] ?? 0)));
    });
    // Ten batches of 400 ms write all jobs once: nobody waits longer than a round and its own window.
    expect(Math.max(...gaps)).toBeLessThanOrEqual(10 * 400 + 2_000 + 400);
    expect(new Set(ids.map((id) => storage.job(id).progress))).toEqual(new Set([99]));
  });
});

describe("a row that the storage refuses", () => {
  test("fails alone: the other jobs of its batch are written", async () => {
    const { reporter, storage } = engineOn();
    const ids = jobs(20);
    withJobs(storage, ...ids);
    storage.poison = (write) => write.id === "job 7";
    const answers = await Promise.all(ids.map((id) => reporter.progress(id, 5)));
    expect(answers.filter((answer) => answer.outcome === "written").length).toBe(19);
    expect(answers[7]).toMatchObject({ outcome: "rejected", error: { code: "STORAGE_REJECTED", jobId: "job 7" } });
    expect(storage.job("job 7").progress).toBe(0);
  });

  test("does not take along what was reported since", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    storage.poison = (write) => write.set.message === "bad";
    storage.gate.close();
    const bad = reporter.progress("a", 5, "step", "bad");
    await clock.advance(0);
    void reporter.progress("a", 6, "step", "good");
    storage.gate.open();
    expect(await bad).toMatchObject({ outcome: "rejected", error: { code: "STORAGE_REJECTED" } });
    await clock.advance(2_000);
    expect(percentsOf(storage, "a")).toEqual([6]);
  });
});

describe("a mapping that does not fit the table", () => {
  test("rejects progress and changes of all jobs, and writes nothing", async () => {
    const { reporter, storage } = engineOn();
    withJobs(storage, "a", "b");
    storage.outage = "SCHEMA_MISMATCH";
    const answers = await Promise.all([reporter.progress("a", 5), reporter.progress("b", 5)]);
    for (const answer of answers) {
      expect(answer).toMatchObject({ outcome: "rejected", error: { code: "SCHEMA_MISMATCH" } });
    }
    await expect(reporter.startJob("a")).rejects.toMatchObject({ code: "SCHEMA_MISMATCH", jobId: "a" });
    expect(storage.journal).toEqual([]);
  });
});
