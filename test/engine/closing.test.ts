import { describe, expect, test } from "vitest";
import { engineOn, percentsOf, watch, withJobs } from "./engine-on.js";

const away = "STORAGE_UNAVAILABLE";

describe("flush", () => {
  test("writes everything, bypassing windows, and answers that nothing is left", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a", "b");
    await Promise.all([reporter.progress("a", 10), reporter.progress("b", 10)]);
    void reporter.progress("a", 20);
    void reporter.progress("b", 30);
    expect(await reporter.flush()).toEqual([]);
    expect(clock.monotonic()).toBe(0);
    expect([storage.job("a").progress, storage.job("b").progress]).toEqual([20, 30]);
  });

  test("waits for a write that is under way, and writes what came after it", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.getJob("a");
    storage.gate.close();
    void reporter.progress("a", 10);
    await clock.advance(0);
    void reporter.progress("a", 20);
    const flushed = watch(reporter.flush());
    await clock.advance(0);
    expect(flushed.value).toBeUndefined();
    storage.gate.open();
    await clock.advance(0);
    expect(flushed.value).toEqual([]);
    expect(percentsOf(storage, "a")).toEqual([10, 20]);
  });

  test("answers what could not be written, and keeps it", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    storage.outage = away;
    void reporter.progress("a", 20);
    expect(await reporter.flush()).toEqual([{ jobId: "a", percent: 20 }]);
    storage.outage = null;
    await clock.advance(4_000);
    expect(storage.job("a").progress).toBe(20);
  });
});

describe("close", () => {
  test("writes and publishes what is open, without waiting for windows", async () => {
    const { reporter, storage, publisher, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    await reporter.progress("a", 10);
    void reporter.progress("a", 50);
    expect(await reporter.close()).toEqual({ unwritten: [], unpublished: false });
    expect(clock.monotonic()).toBe(0);
    expect(storage.job("a").progress).toBe(50);
    expect(publisher.arrivals.map((event) => event.payload.progress)).toEqual([0, 10, 50]);
    expect(storage.outbox.waiting).toEqual([]);
    expect(storage.outbox.holder).toBeNull();
    expect(publisher.closes).toBe(1);
  });

  test("is the same close when it is called again", async () => {
    const { reporter, publisher } = engineOn();
    const [first, second] = await Promise.all([reporter.close(), reporter.close()]);
    await reporter[Symbol.asyncDispose]();
    expect(second).toBe(first);
    expect(publisher.closes).toBe(1);
  });

  test("refuses whatever comes afterwards with REPORTER_CLOSED", async () => {
    const { reporter, storage } = engineOn();
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    await reporter.close();
    const closed = { code: "REPORTER_CLOSED" };
    expect(await reporter.progress("a", 10)).toMatchObject({ outcome: "rejected", error: closed });
    expect(await reporter.forceProgress("a", 10)).toMatchObject({ outcome: "rejected", error: closed });
    expect(await job.progress(10)).toMatchObject({ outcome: "rejected", error: closed });
    await expect(reporter.startJob("a")).rejects.toMatchObject(closed);
    await expect(job.complete()).rejects.toMatchObject(closed);
  });

  test("refuses progress of a job whose progress is still unwritten, too", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    storage.outage = away;
    void reporter.progress("a", 20);
    const closed = watch(reporter.close());
    expect(await reporter.progress("a", 30)).toMatchObject({ error: { code: "REPORTER_CLOSED" } });
    await clock.advance(30_000);
    expect(closed.value?.unwritten).toEqual([{ jobId: "a", percent: 20 }]);
    expect(await reporter.progress("a", 40)).toMatchObject({ error: { code: "REPORTER_CLOSED" } });
  });

  test("gives up at its deadline and answers what is left, and nothing holds the process any more", async () => {
    const { reporter, storage, clock } = engineOn({ options: { closeTimeoutMs: 4_000 } });
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    storage.outage = away;
    void reporter.progress("a", 20);
    const closed = watch(reporter.close());
    await clock.advance(3_500);
    expect(closed.value).toBeUndefined();
    await clock.advance(500);
    expect(closed.value).toEqual({ unwritten: [{ jobId: "a", percent: 20 }], unpublished: true });
    await clock.advance(10_000);
    expect(clock.holdsProcess()).toBe(false);
  });

  test("writes what is open when the storage is back in time", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    storage.outage = away;
    void reporter.progress("a", 20);
    const closed = watch(reporter.close());
    await clock.advance(3_000);
    storage.outage = null;
    await clock.advance(3_000);
    expect(closed.value).toEqual({ unwritten: [], unpublished: false });
    expect(storage.job("a").progress).toBe(20);
  });

  test("waits for a change that is tried again, and settles it at its deadline", async () => {
    const { reporter, storage, clock } = engineOn({ options: { closeTimeoutMs: 2_000 } });
    withJobs(storage, "a");
    await reporter.startJob("a");
    storage.outage = away;
    const completed = watch(reporter.completeJob("a"));
    await clock.advance(10);
    const closed = watch(reporter.close());
    await clock.advance(1_700);
    expect([closed.value, completed.error]).toEqual([undefined, undefined]);
    await clock.advance(8_000);
    expect(closed.value).toBeDefined();
    expect(completed.error).toMatchObject({ code: "STORAGE_UNAVAILABLE", jobId: "a" });
    await clock.advance(10_000);
    expect(clock.holdsProcess()).toBe(false);
  });

  test("stores a change that was tried again when the storage is back in time", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    storage.outage = away;
    const completed = watch(reporter.completeJob("a").then(() => "stored"));
    await clock.advance(10);
    const closed = watch(reporter.close());
    await clock.advance(1_000);
    storage.outage = null;
    await clock.advance(2_000);
    expect(completed.value).toBe("stored");
    expect(closed.value).toEqual({ unwritten: [], unpublished: false });
  });

  test("does not hang on a storage and a publisher that never answer", async () => {
    const { reporter, storage, publisher, clock } = engineOn({ options: { closeTimeoutMs: 4_000 } });
    withJobs(storage, "a");
    publisher.gate.close();
    await reporter.progress("a", 10);
    storage.gate.close();
    void reporter.progress("a", 20);
    const closed = watch(reporter.close());
    await clock.advance(4_000);
    expect(closed.value).toEqual({ unwritten: [{ jobId: "a", percent: 20 }], unpublished: true });
  });

  test("has one deadline for writing, publishing and letting go together", async () => {
    const { reporter, storage, publisher, clock } = engineOn({ options: { closeTimeoutMs: 4_000 } });
    withJobs(storage, "a");
    publisher.gate.close();
    await reporter.startJob("a");
    await clock.advance(0);
    const closed = watch(reporter.close());
    await clock.advance(4_000);
    expect(closed.value).toEqual({ unwritten: [], unpublished: true });
  });

  test("says what was not written and not published, also to those who do not look at what it answers", async () => {
    const { reporter, storage, log, clock } = engineOn({ options: { closeTimeoutMs: 4_000 } });
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    storage.outage = away;
    void reporter.progress("a", 20);
    const disposed = watch(reporter[Symbol.asyncDispose]().then(() => "disposed"));
    await clock.advance(4_000);
    expect(disposed.value).toBe("disposed");
    expect(log.warnings).toContain("Closed before the newest progress was written: it is lost");
    expect(log.details).toContainEqual({ count: 1, jobs: [{ jobId: "a", percent: 20 }] });
    expect(log.warnings).toContain("Closed before all events were published: they wait in the outbox");
  });

  test("says nothing when nothing is left", async () => {
    const { reporter, storage, log } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    await reporter.close();
    expect(log.warnings).toEqual([]);
  });

  test("leaves no timer of its own behind", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    await reporter.progress("a", 10);
    await reporter.close();
    expect(clock.pendingTimers()).toEqual([]);
  });
});
