import { describe, expect, test } from "vitest";
import { SimulatedClock } from "../support/simulated-clock.js";
import { engineOn, SharedWindows, withJobs } from "./engine-on.js";

const jobs = (count: number) => Array.from({ length: count }, (_, i) => `job ${i}`);
const minute = 60_000;

describe("the jobs a process remembers", () => {
  test("are forgotten when nobody reports on them for idleMs", async () => {
    const { reporter, storage, clock, engine } = engineOn({ options: { idleMs: 5 * minute } });
    withJobs(storage, ...jobs(100));
    for (const id of jobs(100)) void reporter.progress(id, 10);
    await clock.advance(4 * minute);
    expect(engine.jobs.remembered).toBe(100);
    await clock.advance(2 * minute);
    expect(engine.jobs.remembered).toBe(0);
    expect(clock.pendingTimers().filter((timer) => timer.holdsProcess)).toEqual([]);
  });

  test("stay while they are begun here and unfinished", async () => {
    const { reporter, storage, clock, engine } = engineOn({ options: { idleMs: minute } });
    withJobs(storage, "unfinished", "finished", "reported");
    await reporter.startJob("unfinished");
    await (await reporter.startJob("finished")).complete();
    await reporter.progress("reported", 10);
    await clock.advance(10 * minute);
    expect(engine.jobs.remembered).toBe(1);
  });

  test("are forgotten when their worker was told to end, but for the attempt it belongs to", async () => {
    const { reporter, storage, clock, engine } = engineOn({ options: { idleMs: minute } });
    const other = engineOn({ clock, storage });
    withJobs(storage, "a");
    const zombie = await reporter.startJob("a");
    await other.reporter.startJob("a");
    await reporter.forceProgress("a", 10);
    for (let i = 0; i < 2; i++) {
      await clock.advance(10 * minute);
      expect(engine.jobs.remembered).toBe(0);
      expect(await reporter.progress("a", 20)).toMatchObject({ error: { code: "STALE_ATTEMPT" } });
    }
    await expect(zombie.complete()).rejects.toMatchObject({ code: "STALE_ATTEMPT" });
    expect(await (await reporter.startJob("a")).forceProgress(5)).toMatchObject({ outcome: "written", attempt: 3 });
  });

  test("stay while something is unwritten", async () => {
    const { reporter, storage, clock, engine } = engineOn({ options: { idleMs: minute } });
    withJobs(storage, "a");
    await reporter.getJob("a");
    storage.outage = "STORAGE_UNAVAILABLE";
    void reporter.progress("a", 10);
    await clock.advance(10 * minute);
    expect(engine.jobs).toEqual({ remembered: 1, unwritten: 1 });
    storage.outage = null;
    await clock.advance(minute);
    expect(storage.job("a").progress).toBe(10);
  });

  test("are at most maxIdleJobs, the longest idle being forgotten first", async () => {
    const { reporter, storage, clock, engine } = engineOn({ options: { maxIdleJobs: 10 } });
    withJobs(storage, ...jobs(50));
    for (const id of jobs(50)) {
      await reporter.startJob(id);
      await clock.advance(10);
    }
    await clock.advance(2 * minute);
    expect(engine.jobs.remembered).toBe(10);
    const loads = storage.loads.length;
    await reporter.progress("job 49", 10);
    expect(storage.loads.length).toBe(loads);
    await reporter.progress("job 0", 10);
    expect(storage.loads.length).toBe(loads + 1);
  });
});

test("what was known of an earlier attempt refuses nothing of the next", async () => {
  const { reporter, storage, clock } = engineOn();
  storage.put("a", { status: "running", progress: 80, attempt: 1 });
  expect(await reporter.progress("a", 50)).toMatchObject({ error: { code: "PROGRESS_DECREASED" } });
  storage.put("a", { status: "running", progress: 0, attempt: 2 });
  await clock.advance(4_000);
  expect(await reporter.progress("a", 10)).toMatchObject({ outcome: "written", percent: 10, attempt: 2 });
});

test("what was known before the window that others hold refuses nothing", async () => {
  const clock = new SimulatedClock();
  const throttle = new SharedWindows(clock);
  const { reporter, storage } = engineOn({ clock, throttle, options: { heartbeatMs: 10_000 } });
  withJobs(storage, "a");
  await reporter.startJob("a");
  await reporter.progress("a", 80);
  throttle.answer = () => 60_000;
  await clock.advance(20_000);
  expect(await reporter.progress("a", 10)).toEqual({ outcome: "coalesced" });
});

describe("a handle whose job was forgotten", () => {
  /** A handle of attempt 1 of job "a", which its process has forgotten. */
  async function forgotten() {
    const parts = engineOn({ options: { maxIdleJobs: 1 } });
    const { reporter, storage, clock, engine } = parts;
    withJobs(storage, "a", "b");
    const job = await reporter.startJob("a");
    await clock.advance(1_000);
    await reporter.startJob("b");
    await clock.advance(2 * minute);
    expect(engine.jobs.remembered).toBe(1);
    return { ...parts, job };
  }

  test("still writes progress and ends the job", async () => {
    const { job, storage } = await forgotten();
    expect(await job.progress(40)).toMatchObject({ outcome: "written", percent: 40, attempt: 1 });
    await job.complete();
    expect(storage.job("a").status).toBe("completed");
  });

  test("is still fenced off, and told so", async () => {
    const { job, storage, clock } = await forgotten();
    const other = engineOn({ clock, storage });
    await other.reporter.startJob("a");
    expect(await job.progress(90)).toMatchObject({ outcome: "rejected", error: { code: "STALE_ATTEMPT" } });
    expect(job.signal.reason).toMatchObject({ code: "STALE_ATTEMPT" });
    expect(storage.job("a").progress).toBe(0);
  });

  test("is told so as well when it finds out by ending the job", async () => {
    const { job, storage, clock } = await forgotten();
    const other = engineOn({ clock, storage });
    await other.reporter.startJob("a");
    await expect(job.complete()).rejects.toMatchObject({ code: "STALE_ATTEMPT" });
    expect(job.signal.reason).toMatchObject({ code: "STALE_ATTEMPT" });
  });

  test("is told of a cancellation also after plain calls remembered the job again", async () => {
    const { job, reporter, storage, clock } = await forgotten();
    await reporter.progress("a", 10);
    await job.progress(20);
    storage.put("a", { cancelRequested: true });
    await clock.advance(2_000);
    void job.progress(30);
    await clock.advance(2_000);
    expect(job.signal.reason).toMatchObject({ code: "JOB_CANCELLED" });
  });

  test("does not hear of later attempts once it has ended the job", async () => {
    const { job, clock } = await forgotten();
    await job.complete();
    await job.progress(50);
    await clock.advance(2_000);
    expect(job.signal.aborted).toBe(false);
  });
});
