import { describe, expect, test } from "vitest";
import { engineOn, withJobs } from "../engine/engine-on.js";

/** A running job with progress that is not written yet. */
async function running() {
  const parts = engineOn();
  withJobs(parts.storage, "a");
  const job = await parts.reporter.startJob("a");
  await job.progress(30);
  void job.progress(60, "solving");
  return { ...parts, job };
}

const rolledBack = new Error("rolled back");

describe("a change in the caller's transaction", () => {
  test("is stored with its event and with unwritten progress when it commits", async () => {
    const { storage, publisher, clock, reporter } = await running();
    await storage.inTransaction(async (trx) => {
      await reporter.failJob("a", "E", "failed", { trx });
      await clock.advance(500);
      expect(storage.job("a").status).toBe("running");
    });
    expect(storage.job("a")).toMatchObject({ status: "failed", progress: 60, step: "solving", errorCode: "E" });
    await clock.advance(1_000);
    expect(publisher.arrivals.at(-1)?.payload).toMatchObject({ status: "failed", previous_progress: 30, progress: 60 });
  });

  test("leaves nothing behind when it rolls back: the progress is written later", async () => {
    const { storage, publisher, clock, job } = await running();
    const attempt = storage.inTransaction(async (trx) => {
      await job.complete({ file: "a.stl" }, undefined, { trx });
      throw rolledBack;
    });
    await expect(attempt).rejects.toBe(rolledBack);
    await clock.advance(4_000);
    expect(storage.job("a")).toMatchObject({ status: "running", progress: 60, output: null });
    expect(publisher.arrivals.map(({ payload }) => payload.status)).not.toContain("completed");
    await job.complete();
    expect(storage.job("a").status).toBe("completed");
  });

  test("is decided on what the transaction sees", async () => {
    const { storage, reporter } = await running();
    await storage.inTransaction(async (trx) => {
      await reporter.completeJob("a", undefined, undefined, { trx });
      const again = reporter.failJob("a", "E", "failed", { trx });
      await expect(again).rejects.toMatchObject({ code: "JOB_FINISHED" });
    });
    expect(storage.job("a").status).toBe("completed");
  });

  test("is fenced like any other", async () => {
    const { storage, clock, job } = await running();
    await engineOn({ clock, storage }).reporter.startJob("a");
    const completing = storage.inTransaction((trx) => job.complete(undefined, undefined, { trx }));
    await expect(completing).rejects.toMatchObject({ code: "STALE_ATTEMPT" });
    expect(storage.job("a")).toMatchObject({ attempt: 2, status: "running" });
  });

  test("names the job when the storage fails it", async () => {
    const { storage, job } = await running();
    const completing = storage.inTransaction((trx) => {
      storage.outage = "STORAGE_UNAVAILABLE";
      return job.complete(undefined, undefined, { trx });
    });
    await expect(completing).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE", jobId: "a" });
  });

  test("is known to the process afterwards: it writes on what is stored", async () => {
    const { storage, reporter, clock, job } = await running();
    await reporter.flush();
    await storage.inTransaction((trx) => reporter.updateStatus("a", "retrying", { trx }));
    await clock.advance(2_000);
    expect(await job.progress(70)).toMatchObject({ outcome: "written", percent: 70 });
    expect(storage.job("a").status).toBe("retrying");
  });
});
