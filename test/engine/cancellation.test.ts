import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { SimulatedClock } from "../support/simulated-clock.js";
import { engineOn, withJobs } from "./engine-on.js";
import { RecordingLive } from "./recording-live.js";

/** A worker's process and one that asks for cancellation. */
function stage() {
  const clock = new SimulatedClock();
  const live = new RecordingLive(clock);
  const worker = engineOn({ clock, live });
  const { storage, throttle, publisher } = worker;
  const other = engineOn({ clock, live, storage, throttle, publisher });
  const events = (id: string) =>
    publisher.firstArrivals.map(({ payload }) => payload).filter(({ job_id }) => job_id === id);
  return { clock, live, storage, worker: worker.reporter, other: other.reporter, log: worker.log, events };
}

describe("a request to cancel", () => {
  test.each(["pending", "queued", "retrying"] as const)("cancels a job that is %s at once", async (status) => {
    const { clock, storage, other, events } = stage();
    storage.put("a", { status, progress: 30, attempt: 1 });
    await other.requestCancel("a", "Not needed any more");
    expect(storage.job("a")).toMatchObject({ status: "cancelled", progress: 30, message: "Not needed any more" });
    await clock.advance(1_000);
    expect(events("a")).toMatchObject([{ status: "cancelled", previous_status: status }]);
  });

  test("fires the signal of a running job's worker in another process at once", async () => {
    const { clock, storage, worker, other, events } = stage();
    withJobs(storage, "a", "b");
    const [job, bystander] = [await worker.startJob("a"), await worker.startJob("b")];
    await other.requestCancel("a", "Enough");
    await clock.advance(0);
    expect(job.signal.reason).toMatchObject({ code: "JOB_CANCELLED", jobId: "a" });
    expect(() => job.throwIfCancelled()).toThrow("requested");
    expect(bystander.signal.aborted).toBe(false);
    expect(storage.job("a")).toMatchObject({ status: "running", cancelRequested: true, message: "Enough" });
    await clock.advance(1_000);
    expect(events("a")).toMatchObject([{ status: "running" }]);
  });

  test("gives its reason to the job that its worker cancels, whatever was reported since", async () => {
    const { clock, storage, worker, other, events } = stage();
    withJobs(storage, "a");
    const working = worker.run("a", async (job) => {
      await job.progress(10, "mesh", "Frame 10");
      void job.progress(20, "mesh", "Frame 20");
      await once(job.signal, "abort");
      job.throwIfCancelled();
    });
    const ended = expect(working).rejects.toMatchObject({ code: "JOB_CANCELLED" });
    await clock.advance(100);
    await other.requestCancel("a", "Not needed any more");
    await ended;
    expect(storage.job("a")).toMatchObject({ status: "cancelled", progress: 20, message: "Not needed any more" });
    await clock.advance(1_000);
    expect(events("a").at(-1)).toMatchObject({ status: "cancelled", message: "Not needed any more" });
  });

  test("gives its reason to a worker of the same process, which may have a better one", async () => {
    const { storage, worker } = stage();
    withJobs(storage, "a", "b");
    const [first, second] = [await worker.startJob("a"), await worker.startJob("b")];
    await worker.requestCancel("a", "Not needed any more");
    await worker.requestCancel("b", "Not needed any more");
    await first.cancel();
    await second.cancel("Stopped at frame 20");
    expect([storage.job("a").message, storage.job("b").message]).toEqual([
      "Not needed any more",
      "Stopped at frame 20",
    ]);
  });

  test("gives its reason to a worker of the same process, also where nothing is heard", async () => {
    const { live, storage, worker } = stage();
    withJobs(storage, "a");
    live.deaf = true;
    const job = await worker.startJob("a");
    await worker.requestCancel("a", "Not needed any more");
    await job.forceProgress(10, "mesh", "Frame 10");
    await job.cancel();
    expect(storage.job("a").message).toBe("Not needed any more");
  });

  test("without a reason leaves what its worker said last", async () => {
    const { clock, storage, worker, other } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    await job.forceProgress(10, "mesh", "Frame 10");
    await other.requestCancel("a");
    await clock.advance(0);
    await job.forceProgress(20, "mesh", "Frame 20");
    await job.cancel();
    expect(storage.job("a").message).toBe("Frame 20");
  });

  test("has its reason cleaned and cut as every message is", async () => {
    const { clock, storage, worker, other } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    await other.requestCancel("a", `\u0000${"x".repeat(3_000)}`);
    await clock.advance(0);
    const told = storage.job("a").message;
    await job.cancel();
    expect(told).toHaveLength(2_000);
    expect(storage.job("a").message).toBe(told);
  });

  test("reaches a worker that hears nothing with its next write", async () => {
    const { clock, live, storage, worker, other } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    await job.progress(10);
    live.deaf = true;
    await other.requestCancel("a");
    void job.progress(20);
    await clock.advance(1_000);
    expect(job.signal.aborted).toBe(false);
    await clock.advance(1_000);
    expect(job.signal.reason).toMatchObject({ code: "JOB_CANCELLED" });
  });

  test("reaches a worker that hears nothing, gives no signs of life and only forces its progress", async () => {
    const clock = new SimulatedClock();
    const live = new RecordingLive(clock);
    live.deaf = true;
    const { reporter: worker, storage } = engineOn({ clock, live, options: { heartbeatMs: false } });
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    await engineOn({ clock, live, storage }).reporter.requestCancel("a");
    await job.forceProgress(10);
    expect(job.signal.reason).toMatchObject({ code: "JOB_CANCELLED" });
  });

  test("fires the signal once, however often it is made and answered", async () => {
    const { clock, storage, worker, other, events } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    let fired = 0;
    job.signal.addEventListener("abort", () => fired++);
    await other.requestCancel("a");
    await other.requestCancel("a");
    for (const percent of [10, 12, 14]) await job.forceProgress(percent);
    await clock.advance(1_000);
    expect(fired).toBe(1);
    expect(job.signal).toBe(job.signal);
    expect(events("a").map(({ status, progress }) => [status, progress])).toEqual([
      ["running", 0],
      ["running", 10],
    ]);
  });

  test("is not known to be made while the storage is away: it rejects, and tells nobody", async () => {
    const { clock, live, storage, worker, other } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    storage.outage = "STORAGE_UNAVAILABLE";
    const refused = expect(other.requestCancel("a")).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    await clock.advance(12_000);
    await refused;
    expect(live.messagesOf("a").filter(({ kind }) => kind === "cancellation")).toEqual([]);
    expect(job.signal.aborted).toBe(false);
  });

  test.each([
    ["completes", { status: "completed", progress: 100 }, "JOB_FINISHED"],
    ["fails", { status: "failed" }, "JOB_FINISHED"],
  ] as const)("that meets a job which %s in between is refused", async (_, ended, code) => {
    const { storage, worker, other } = stage();
    withJobs(storage, "a");
    await worker.startJob("a");
    storage.beforeCommit = () => storage.put("a", ended);
    await expect(other.requestCancel("a")).rejects.toMatchObject({ code });
    expect(storage.job("a")).toMatchObject({ ...ended, cancelRequested: false });
  });

  test("that meets a job which starts in between asks its worker, rather than cancel what runs", async () => {
    const { storage, worker, other } = stage();
    withJobs(storage, "a");
    storage.beforeCommit = () => {
      storage.beforeCommit = null;
      storage.put("a", { status: "running", attempt: 1 });
    };
    await other.requestCancel("a");
    expect(storage.job("a")).toMatchObject({ status: "running", cancelRequested: true });
    const job = await worker.startJob("a", undefined, { attempt: 1 });
    expect(job.signal.reason).toMatchObject({ code: "JOB_CANCELLED" });
  });

  test("may come from a process that took part in an earlier attempt", async () => {
    const { clock, storage, worker, other } = stage();
    withJobs(storage, "a");
    await other.startJob("a");
    await other.progress("a", 10);
    const job = await worker.startJob("a");
    await other.requestCancel("a");
    await clock.advance(0);
    expect(job.signal.reason).toMatchObject({ code: "JOB_CANCELLED" });
    expect(storage.job("a")).toMatchObject({ attempt: 2, cancelRequested: true });
  });

  test("loses no progress that the process which asks has not written", async () => {
    const { clock, storage, worker } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    await job.progress(10);
    void job.progress(44);
    await worker.requestCancel("a");
    expect(job.signal.aborted).toBe(true);
    await clock.advance(2_000);
    expect(storage.job("a")).toMatchObject({ status: "running", progress: 44, cancelRequested: true });
  });

  test("made again leaves the worker's last sign of life, of which the process that asks knows nothing", async () => {
    const { clock, storage, worker, other } = stage();
    withJobs(storage, "a");
    await worker.startJob("a");
    await other.requestCancel("a");
    await clock.advance(5 * 60_000);
    const heardAt = storage.job("a").updatedAt;
    await other.requestCancel("a", "Please");
    expect(storage.job("a")).toMatchObject({ updatedAt: heardAt, message: "Please" });
    expect(clock.wall() - (heardAt as number)).toBeLessThanOrEqual(30_000);
  });

  test("has the reason that was given last", async () => {
    const { clock, storage, worker, other } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    await other.requestCancel("a", "Too slow");
    await other.requestCancel("a", "Too dear");
    await other.requestCancel("a");
    await clock.advance(0);
    expect(storage.job("a").message).toBe("Too dear");
    await job.forceProgress(10, "mesh", "Frame 10");
    await job.cancel();
    expect(storage.job("a").message).toBe("Too dear");
  });

  test("fires the signal of a worker that writes its id in another way than who asks in the same process", async () => {
    const { clock, storage, worker } = stage();
    const id = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
    storage.traits = { ...storage.traits, idType: "uuid" };
    withJobs(storage, id);
    const job = await worker.startJob(id.toUpperCase());
    await worker.requestCancel(id);
    await clock.advance(0);
    expect(job.signal.reason).toMatchObject({ code: "JOB_CANCELLED", jobId: id.toUpperCase() });
  });

  test("is refused for a job that is over or not there", async () => {
    const { storage, other } = stage();
    storage.put("a", { status: "completed", progress: 100 });
    await expect(other.requestCancel("a")).rejects.toMatchObject({ code: "JOB_FINISHED" });
    await expect(other.requestCancel("nobody")).rejects.toMatchObject({ code: "JOB_NOT_FOUND" });
    await expect(other.requestCancel("a", 7 as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("stays, so that a worker which takes the job over sees it at once", async () => {
    const { storage, worker, other } = stage();
    withJobs(storage, "a");
    await other.startJob("a");
    await other.requestCancel("a");
    const job = await worker.startJob("a");
    expect(job.signal.reason).toMatchObject({ code: "JOB_CANCELLED" });
  });

  test("that cancels a retrying job at once tells the worker that waits in the same process", async () => {
    const { storage, worker } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    await worker.updateStatus("a", "retrying");
    await worker.requestCancel("a");
    expect(storage.job("a").status).toBe("cancelled");
    expect(job.signal.reason).toMatchObject({ code: "JOB_FINISHED" });
  });
});

test("a retrying job that another process cancels tells the worker that waits, at once", async () => {
  const { clock, storage, worker, other } = stage();
  withJobs(storage, "a");
  const job = await worker.startJob("a");
  await worker.updateStatus("a", "retrying");
  await other.requestCancel("a");
  await clock.advance(0);
  expect(job.signal.reason).toMatchObject({ code: "JOB_CANCELLED" });
});

describe("a process that runs jobs", () => {
  const listening = (live: RecordingLive) => live.subscriptions.filter((name) => name === "all cancellations");

  test("listens once for requests of any job, from the first it begins until it closes", async () => {
    const { clock, live, storage, worker } = stage();
    withJobs(storage, "a", "b");
    await worker.progress("a", 10);
    expect(listening(live)).toEqual([]);
    for (const id of ["a", "b"]) await (await worker.startJob(id)).complete();
    await clock.advance(0);
    expect(listening(live)).toHaveLength(1);
    const closing = worker.close();
    await clock.advance(1_000);
    await closing;
    expect(listening(live)).toEqual([]);
  });

  test("hears of a job that it had forgotten, as soon as its worker reports on it again", async () => {
    const clock = new SimulatedClock();
    const live = new RecordingLive(clock);
    const { reporter: worker, storage, engine } = engineOn({ clock, live, options: { maxIdleJobs: 1 } });
    withJobs(storage, "a", "b");
    const job = await worker.startJob("a");
    await clock.advance(1_000);
    await worker.startJob("b");
    await clock.advance(120_000);
    expect(engine.jobs.remembered).toBe(1);
    void job.progress(40);
    await live.publish([{ kind: "cancellation", jobId: "a", reason: null }]);
    expect(job.signal.reason).toMatchObject({ code: "JOB_CANCELLED" });
  });

  test("works where it cannot listen", async () => {
    const { live, storage, worker, other } = stage();
    withJobs(storage, "a");
    live.subscribeCancellations = () => Promise.reject(new Error("no such channel"));
    const job = await worker.startJob("a");
    await other.requestCancel("a");
    await job.forceProgress(10);
    expect(job.signal.reason).toMatchObject({ code: "JOB_CANCELLED" });
  });

  test("takes no other news for a request", async () => {
    const { live, storage, worker } = stage();
    withJobs(storage, "a");
    const subscribe = live.subscribeCancellations.bind(live);
    live.subscribeCancellations = (listener) => {
      listener.onMessage({ kind: "progress", jobId: "a", attempt: 1, progress: 1, step: null, message: null, at: 1 });
      listener.onGap();
      return subscribe(listener);
    };
    const job = await worker.startJob("a");
    expect(job.signal.aborted).toBe(false);
  });
});

describe("the worker", () => {
  test("that throws what the signal says ends its job as cancelled, where its progress stands", async () => {
    const { clock, storage, worker, other, events } = stage();
    withJobs(storage, "a");
    const working = worker.run("a", async (job) => {
      await job.progress(10);
      void job.progress(37);
      await new Promise((resolve) => job.signal.addEventListener("abort", resolve));
      job.throwIfCancelled();
    });
    const ended = expect(working).rejects.toMatchObject({ code: "JOB_CANCELLED" });
    await clock.advance(100);
    await other.requestCancel("a");
    await ended;
    expect(storage.job("a")).toMatchObject({ status: "cancelled", progress: 37 });
    await clock.advance(1_000);
    expect(events("a").map(({ status }) => status)).toEqual(["running", "running", "cancelled"]);
  });

  test("that ignores it completes its job", async () => {
    const { clock, storage, worker, other } = stage();
    withJobs(storage, "a");
    await worker.run("a", async () => {
      await other.requestCancel("a");
      await clock.advance(0);
      return "done all the same";
    });
    expect(storage.job("a")).toMatchObject({
      status: "completed",
      progress: 100,
      output: "done all the same",
      cancelRequested: true,
    });
  });
});

describe("the signal of an attempt that goes on in the same process", () => {
  /** A worker whose job somebody else ended and put back into the queue, which hands it out under its number again. */
  async function redelivered() {
    const parts = stage();
    const { clock, storage, worker, other } = parts;
    withJobs(storage, "a");
    const first = await worker.startJob("a", undefined, { attempt: 1 });
    await other.cancelJob("a");
    await first.progress(10);
    await clock.advance(2_000);
    expect(first.signal.reason).toMatchObject({ code: "JOB_FINISHED" });
    await other.updateStatus("a", "pending");
    return { ...parts, first, again: await worker.startJob("a", undefined, { attempt: 1 }) };
  }

  test("has not fired for what was taken back", async () => {
    const { storage, first, again } = await redelivered();
    expect([first.signal.aborted, again.signal.aborted]).toEqual([true, false]);
    await again.complete();
    expect(storage.job("a").status).toBe("completed");
  });

  test("fires when it is to be cancelled", async () => {
    const { clock, other, again } = await redelivered();
    await other.requestCancel("a");
    await clock.advance(0);
    expect(again.signal.reason).toMatchObject({ code: "JOB_CANCELLED" });
  });

  test("fires for a new request, though its worker had ended it before", async () => {
    const { clock, storage, worker, other } = stage();
    withJobs(storage, "a");
    await (await worker.startJob("a", undefined, { attempt: 1 })).cancel();
    await other.updateStatus("a", "pending");
    const again = await worker.startJob("a", undefined, { attempt: 1 });
    expect(again.signal.aborted).toBe(false);
    await other.requestCancel("a");
    await clock.advance(0);
    expect(again.signal.reason).toMatchObject({ code: "JOB_CANCELLED" });
  });

  test("has fired where the wish to cancel stands", async () => {
    const { storage, worker, other } = stage();
    withJobs(storage, "a");
    await worker.startJob("a", undefined, { attempt: 1 });
    await other.requestCancel("a");
    const again = await worker.startJob("a", undefined, { attempt: 1 });
    expect(again.signal.reason).toMatchObject({ code: "JOB_CANCELLED" });
  });
});
