import { describe, expect, test } from "vitest";
import { type EngineUnderTest, engineOn, withJobs } from "./engine-on.js";

/** Two processes on one storage, the first of which has begun attempt 1 of job "a". */
async function processes() {
  const one = engineOn();
  const { clock, storage, throttle } = one;
  const two = engineOn({ clock, storage, throttle });
  withJobs(storage, "a");
  const zombie = await one.reporter.startJob("a");
  return { one, two, clock, storage, zombie };
}

const staleAttempt = { code: "STALE_ATTEMPT" };

describe("a zombie in another process", () => {
  test("cannot write progress by its handle, and is told by its signal", async () => {
    const { two, clock, storage, zombie } = await processes();
    await two.reporter.startJob("a");
    await clock.advance(2_000);
    expect(await zombie.progress(90)).toMatchObject({ outcome: "rejected", error: staleAttempt });
    expect(zombie.signal.aborted).toBe(true);
    expect(zombie.signal.reason).toMatchObject(staleAttempt);
    expect(() => zombie.throwIfCancelled()).toThrow(expect.objectContaining(staleAttempt));
    expect(storage.job("a")).toMatchObject({ attempt: 2, progress: 0 });
  });

  test("cannot write progress by plain calls either", async () => {
    const { one, two, clock, storage } = await processes();
    await one.reporter.progress("a", 20);
    await two.reporter.startJob("a");
    await clock.advance(2_000);
    expect(await one.reporter.progress("a", 90)).toMatchObject({ outcome: "rejected", error: staleAttempt });
    expect(await one.reporter.forceProgress("a", 95)).toMatchObject({ outcome: "rejected", error: staleAttempt });
    expect(storage.job("a")).toMatchObject({ attempt: 2, progress: 0 });
  });

  test("cannot end the job, by its handle or by plain calls", async () => {
    const { one, two, storage, zombie } = await processes();
    await two.reporter.startJob("a");
    const written = storage.journal.length;
    await expect(zombie.complete({ stale: true })).rejects.toMatchObject(staleAttempt);
    await expect(zombie.fail("E", "failed")).rejects.toMatchObject(staleAttempt);
    await expect(one.reporter.cancelJob("a")).rejects.toMatchObject(staleAttempt);
    expect(storage.journal.length).toBe(written);
    expect(zombie.signal.reason).toMatchObject(staleAttempt);
  });

  test("that was told by a change is refused at once, though its window runs", async () => {
    const { two, clock, storage, zombie } = await processes();
    await zombie.progress(10);
    const waiting = zombie.progress(20);
    await two.reporter.startJob("a");
    await expect(zombie.complete()).rejects.toMatchObject(staleAttempt);
    expect(await zombie.progress(30)).toMatchObject({ outcome: "rejected", error: staleAttempt });
    expect(await waiting).toEqual({ outcome: "coalesced" });
    const written = storage.journal.length;
    await clock.advance(10_000);
    expect(storage.journal.length).toBe(written);
  });

  test("that only ever reported belongs to the attempt it first reported on", async () => {
    const { one, clock, storage } = await processes();
    const other = engineOn({ clock, storage });
    await other.reporter.progress("a", 10);
    await one.reporter.startJob("a");
    await clock.advance(2_000);
    expect(await other.reporter.progress("a", 50)).toMatchObject({ outcome: "rejected", error: staleAttempt });
  });

  test("that only ever reported stays with that attempt when it is told that the job is over", async () => {
    const { one, clock, storage, zombie } = await processes();
    const other = engineOn({ clock, storage });
    await other.reporter.progress("a", 10);
    await zombie.complete();
    await clock.advance(2_000);
    expect(await other.reporter.progress("a", 50)).toMatchObject({ error: { code: "JOB_FINISHED" } });
    await one.reporter.startJob("a");
    await clock.advance(2_000);
    expect(await other.reporter.progress("a", 60)).toMatchObject({ outcome: "rejected", error: staleAttempt });
  });

  test("that only ever reported belongs to whichever attempt comes once it has ended the job itself", async () => {
    const { one, clock, storage } = await processes();
    const other = engineOn({ clock, storage });
    await other.reporter.progress("a", 10);
    await other.reporter.failJob("a", "E", "failed");
    await one.reporter.startJob("a");
    await clock.advance(2_000);
    expect(await other.reporter.progress("a", 20)).toMatchObject({ outcome: "written", attempt: 2 });
  });

  test("that made its call while it was ending the job does not reach the next attempt with it", async () => {
    const { clock, storage } = await processes();
    const other = engineOn({ clock, storage });
    await other.reporter.progress("a", 10);
    const load = storage.load.bind(storage);
    const failed = other.reporter.failJob("a", "E", "failed");
    const cancelled = other.reporter.cancelJob("a");
    storage.load = (ids) => {
      storage.put("a", { status: "running", attempt: 2 });
      return load(ids);
    };
    await failed;
    await expect(cancelled).rejects.toMatchObject(staleAttempt);
    expect(storage.job("a")).toMatchObject({ status: "running", attempt: 2 });
  });

  test("belongs to the attempt it was told of when its first report went along with a change", async () => {
    const { one, clock, storage } = await processes();
    const other = engineOn({ clock, storage });
    const retrying = other.reporter.updateStatus("a", "retrying");
    expect(await other.reporter.forceProgress("a", 10)).toMatchObject({ outcome: "written", attempt: 1 });
    await retrying;
    await one.reporter.startJob("a");
    await clock.advance(2_000);
    expect(await other.reporter.progress("a", 50)).toMatchObject({ outcome: "rejected", error: staleAttempt });
  });

  test("is not heard any better once its window has passed", async () => {
    const { two, clock, storage, zombie } = await processes();
    await two.reporter.startJob("a");
    for (let percent = 10; percent <= 100; percent += 10) {
      void zombie.progress(percent);
      await clock.advance(2_000);
    }
    expect(storage.job("a")).toMatchObject({ attempt: 2, progress: 0, status: "running" });
  });
});

describe("a zombie in the same process", () => {
  test("adds nothing to what was reported for the attempt that is beginning", async () => {
    const { one, clock, storage, zombie } = await processes();
    const started = one.reporter.startJob("a");
    void one.reporter.progress("a", 10, "new");
    expect(await zombie.progress(90, "old")).toMatchObject({ outcome: "rejected", error: staleAttempt });
    await started;
    await clock.advance(4_000);
    expect(storage.job("a")).toMatchObject({ attempt: 2, progress: 10, step: "new" });
  });

  test("is fenced off the moment the next attempt begins, and loses nothing of its", async () => {
    const { one, clock, storage, zombie } = await processes();
    const worker = await one.reporter.startJob("a");
    expect(zombie.signal.reason).toMatchObject(staleAttempt);
    expect(await zombie.progress(90)).toMatchObject({ outcome: "rejected", error: staleAttempt });
    await worker.progress(10);
    void worker.progress(20, "worker");
    await expect(zombie.complete()).rejects.toMatchObject(staleAttempt);
    await clock.advance(2_000);
    expect(storage.job("a")).toMatchObject({ progress: 20, step: "worker", status: "running" });
    expect(worker.signal.aborted).toBe(false);
  });

  test("does not end the plain calls of the new attempt", async () => {
    const { one, clock, storage } = await processes();
    await one.reporter.startJob("a");
    await clock.advance(2_000);
    expect(await one.reporter.progress("a", 30)).toMatchObject({ outcome: "written", attempt: 2 });
    await one.reporter.completeJob("a");
    expect(storage.job("a").status).toBe("completed");
  });
});

describe("the signal of an attempt", () => {
  test("fires with JOB_CANCELLED when a write meets a requested cancellation", async () => {
    const { clock, storage, zombie: job } = await processes();
    await job.progress(10);
    storage.put("a", { cancelRequested: true });
    void job.progress(20);
    expect(job.signal.aborted).toBe(false);
    await clock.advance(2_000);
    expect(job.signal.reason).toMatchObject({ code: "JOB_CANCELLED", jobId: "a" });
    await job.cancel("asked to stop");
    expect(storage.job("a")).toMatchObject({ status: "cancelled", message: "asked to stop", progress: 20 });
  });

  test("fires with JOB_FINISHED when somebody else ended the job", async () => {
    const { two, clock, zombie: job } = await processes();
    await two.reporter.cancelJob("a", "by an operator");
    await clock.advance(2_000);
    expect(await job.progress(20)).toMatchObject({ error: { code: "JOB_FINISHED" } });
    expect(job.signal.reason).toMatchObject({ code: "JOB_FINISHED" });
  });

  test("does not fire once the worker has ended the job itself", async () => {
    const { clock, one, zombie: job } = await processes();
    await job.complete();
    await one.reporter.startJob("a");
    await job.progress(10);
    await clock.advance(4_000);
    expect(job.signal.aborted).toBe(false);
  });

  test("keeps its first reason", async () => {
    const { clock, storage, two, zombie: job } = await processes();
    storage.put("a", { cancelRequested: true });
    await job.progress(10);
    await two.reporter.startJob("a");
    await clock.advance(2_000);
    await job.progress(20);
    expect(job.signal.reason).toMatchObject({ code: "JOB_CANCELLED" });
  });
});

describe("the attempt a caller counts itself", () => {
  const startWith = ({ reporter }: EngineUnderTest, attempt: number) => reporter.startJob("a", undefined, { attempt });

  test("begins when it is greater, resumes when it is equal, and is stale when it is less", async () => {
    const { two, storage, clock, zombie } = await processes();
    expect((await startWith(two, 4)).attempt).toBe(4);
    const resumed = await startWith(two, 4);
    await resumed.progress(30);
    await clock.advance(2_000);
    expect(storage.job("a")).toMatchObject({ attempt: 4, progress: 30 });
    await expect(startWith(two, 3)).rejects.toMatchObject(staleAttempt);
    expect(await resumed.progress(40)).toMatchObject({ outcome: "written" });
    await clock.advance(2_000);
    expect(await zombie.progress(99)).toMatchObject({ error: staleAttempt });
  });

  test("is the same attempt, with the same signal, when a process resumes what it holds", async () => {
    const { one, zombie } = await processes();
    const again = await startWith(one, 1);
    expect(again.signal).toBe(zombie.signal);
    expect(zombie.signal.aborted).toBe(false);
  });
});
