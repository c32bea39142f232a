import { getEventListeners } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { WorkerProgressError } from "../../src/domain/errors.js";
import type { JobView } from "../../src/domain/job-view.js";
import type { LiveAdapter } from "../../src/ports/live.js";
import { SimulatedClock } from "../support/simulated-clock.js";
import { engineOn, withJobs } from "./engine-on.js";
import { RecordingLive } from "./recording-live.js";

type Options = NonNullable<Parameters<typeof engineOn>[0]>["options"];

const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));
afterEach(() => expect(unhandled.splice(0)).toEqual([]));

/** A worker's process and one that watches. */
function stage(options: Options = {}, reach: RecordingLive["reach"] = "shared") {
  const clock = new SimulatedClock();
  const live = new RecordingLive(clock);
  live.reach = reach;
  const worker = engineOn({ clock, live, options });
  const { storage, throttle } = worker;
  const watching = engineOn({ clock, live, storage, throttle, options });
  return { clock, live, storage, worker: worker.reporter, reporter: watching.reporter, hub: watching.hub };
}

/** Reads on and on, and keeps what it reads. */
function follow(views: AsyncIterable<JobView>) {
  const seen: { views: JobView[]; ended: boolean; error: unknown } = { views: [], ended: false, error: undefined };
  const read = async () => {
    for await (const view of views) seen.views.push(view);
  };
  read().then(
    () => {
      seen.ended = true;
    },
    (error: unknown) => {
      seen.error = error;
    },
  );
  return seen;
}

const percents = ({ views }: { readonly views: readonly JobView[] }) => views.map(({ progress }) => progress.percent);
const statuses = ({ views }: { readonly views: readonly JobView[] }) => views.map(({ status }) => status);

describe("a watcher", () => {
  test("gets the current state first, then what is not written yet, and ends with the result", async () => {
    const { clock, storage, worker, reporter } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    await job.progress(10, "mesh");
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    expect(seen.views).toMatchObject([{ id: "a", status: "running", progress: { percent: 10, step: "mesh" } }]);
    for (let percent = 11; percent <= 60; percent++) {
      void job.progress(percent);
      await clock.advance(100);
    }
    expect(seen.views.length).toBeGreaterThan(20);
    expect(percents(seen)).toEqual([...percents(seen)].sort((x, y) => x - y));
    expect(percents(seen).at(-1)).toBeGreaterThanOrEqual(58);
    await job.complete({ file: "result.stl" });
    await clock.advance(0);
    expect(seen.ended).toBe(true);
    expect(seen.views.at(-1)).toMatchObject({
      status: "completed",
      output: { file: "result.stl" },
      progress: { percent: 100 },
    });
  });

  test("of a job that is over gets its last state and ends", async () => {
    const { clock, storage, reporter } = stage();
    storage.put("a", { status: "failed", progress: 40, errorCode: "E_MESH", errorMessage: "No mesh" });
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    expect(seen).toMatchObject({ ended: true, views: [{ status: "failed", error_code: "E_MESH" }] });
  });

  test("sees the progress of a job that is being tried again", async () => {
    const { clock, storage, worker, reporter } = stage();
    storage.put("a", { status: "retrying", attempt: 1 });
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    await worker.progress("a", 30);
    await clock.advance(1_000);
    expect(percents(seen)).toEqual([0, 30]);
  });

  test("sees every status from pending on", async () => {
    const { clock, storage, worker, reporter } = stage();
    withJobs(storage, "a");
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    await worker.updateStatus("a", "queued");
    await clock.advance(0);
    const job = await worker.startJob("a");
    await clock.advance(0);
    await job.fail("E", "Broken");
    await clock.advance(0);
    expect([statuses(seen), seen.ended]).toEqual([["pending", "queued", "running", "failed"], true]);
  });

  test("sees a new attempt begin at 0 %", async () => {
    const { clock, storage, worker, reporter } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    await job.forceProgress(70);
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    await reporter.startJob("a");
    await clock.advance(0);
    expect(seen.views.map(({ attempts, progress }) => [attempts, progress.percent])).toEqual([
      [1, 70],
      [2, 0],
    ]);
  });

  test("follows a storage that lost the newest attempt when it failed over", async () => {
    const { clock, storage, reporter } = stage();
    storage.put("a", { status: "running", attempt: 2, progress: 30 });
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    storage.put("a", { status: "completed", attempt: 1, progress: 100 });
    await clock.advance(30_000);
    expect([statuses(seen), seen.ended]).toEqual([["running", "completed"], true]);
  });

  test("sees rate and seconds left of a job it watched from its beginning", async () => {
    const { clock, storage, worker, reporter } = stage();
    withJobs(storage, "a");
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    const job = await worker.startJob("a");
    for (let percent = 1; percent <= 40; percent++) {
      await clock.advance(200);
      void job.progress(percent);
    }
    await clock.advance(200);
    const { eta, rate } = seen.views.at(-1) as JobView;
    expect(rate).toBeGreaterThan(4);
    expect(rate).toBeLessThan(6);
    expect(eta).toBeGreaterThan(9);
    expect(eta).toBeLessThan(16);
  });

  test("sees fractions where the table stores them", async () => {
    const { clock, storage, worker, reporter } = stage();
    storage.traits = { ...storage.traits, percentDecimals: null };
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    await job.progress(10);
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    void job.progress(12.5);
    await clock.advance(200);
    expect(percents(seen)).toEqual([10, 12.5]);
  });

  test("sees that cancellation is requested", async () => {
    const { clock, storage, worker, reporter } = stage();
    withJobs(storage, "a");
    await worker.startJob("a");
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    await worker.requestCancel("a");
    await clock.advance(0);
    expect(seen.views.map((view) => view.cancel_requested)).toEqual([false, true]);
  });

  test("never sees progress fall when a worker died before it wrote what it told", async () => {
    const { clock, storage, worker, reporter } = stage({ heartbeatMs: false });
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    await job.progress(10);
    const seen = follow(reporter.watch("a"));
    void job.progress(57);
    await clock.advance(400);
    storage.put("a", { status: "timeout" });
    await clock.advance(31_000);
    expect(seen.ended).toBe(true);
    expect(percents(seen)).toEqual([10, 57, 57]);
    expect(statuses(seen).at(-1)).toBe("timeout");
  });

  test("that reads slowly gets the newest only", async () => {
    const { clock, storage, worker, reporter } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    const watching = reporter.watch("a");
    await watching.next();
    for (let percent = 1; percent <= 40; percent++) {
      void job.progress(percent);
      await clock.advance(100);
    }
    const { value } = await watching.next();
    expect(value.progress.percent).toBeGreaterThanOrEqual(38);
    await job.complete();
    await clock.advance(0);
    expect((await watching.next()).value.status).toBe("completed");
    expect(await watching.next()).toEqual({ done: true, value: undefined });
  });

  test("is told that there is no such job, or that there cannot be", async () => {
    const { storage, reporter } = stage();
    await expect(reporter.watch("nobody").next()).rejects.toMatchObject({ code: "JOB_NOT_FOUND", jobId: "nobody" });
    storage.traits = { ...storage.traits, idType: "uuid" };
    await expect(reporter.watch("nobody").next()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(() => reporter.watch("")).toThrow("job id");
  });

  test("gets the error of a resolver that fails", async () => {
    const failure = new Error("no queue");
    const { storage, reporter } = stage({
      resolve: () => {
        throw failure;
      },
    });
    withJobs(storage, "a");
    await expect(reporter.watch("a").next()).rejects.toBe(failure);
  });

  test("gets views in order though the resolver answers late and out of order", async () => {
    let calls = 0;
    const { clock, storage, worker, reporter } = stage({
      resolve: async () => {
        for (let turns = calls++ % 2 === 0 ? 30 : 0; turns > 0; turns--) await null;
        return {};
      },
    });
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    const seen = follow(reporter.watch("a"));
    for (let percent = 1; percent <= 40; percent++) {
      void job.progress(percent);
      await clock.advance(100);
    }
    expect(seen.views.length).toBeGreaterThan(10);
    expect(percents(seen)).toEqual([...percents(seen)].sort((x, y) => x - y));
  });

  test("gets no older view after a newer one, though the resolver holds the older one up", async () => {
    const held = Promise.withResolvers<void>();
    const { clock, storage, worker, reporter } = stage({
      resolve: async ({ progress }) => {
        if (progress.percent === 10) await held.promise;
        return {};
      },
    });
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    await job.forceProgress(10);
    await clock.advance(200);
    await job.forceProgress(20);
    await clock.advance(200);
    held.resolve();
    await clock.advance(0);
    expect(percents(seen)).toEqual([0, 10, 20]);
  });

  test("is told nothing twice", async () => {
    const { clock, storage, worker, reporter } = stage({}, "process");
    withJobs(storage, "a");
    await worker.updateStatus("a", "queued");
    const seen = follow(reporter.watch("a"));
    await clock.advance(20_000);
    expect(statuses(seen)).toEqual(["queued"]);
  });

  test("sees the end of a job that was deleted as the end", async () => {
    const { clock, storage, reporter } = stage({}, "process");
    withJobs(storage, "a");
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    const load = storage.load.bind(storage);
    storage.load = async (ids) => (await load(ids)).filter(({ id }) => id !== "a");
    await clock.advance(1_000);
    expect([seen.ended, seen.error]).toEqual([true, undefined]);
  });
});

describe("what many watchers cost", () => {
  test("1,000 watchers of 100 jobs: one subscription a job, reads at the beginning and at transitions only", async () => {
    const { clock, live, storage, worker, reporter } = stage({ heartbeatMs: false });
    const ids = Array.from({ length: 100 }, (_, i) => `job ${i}`);
    withJobs(storage, ...ids);
    const jobs = await Promise.all(ids.map((id) => worker.startJob(id)));
    const before = live.subscriptions.length;
    const loads = storage.loads.length;
    const all = Array.from({ length: 1_000 }, (_, i) => follow(reporter.watch(ids[i % 100] as string)));
    await clock.advance(0);
    expect(live.subscriptions.length - before).toBe(101);
    expect(storage.loads.length - loads).toBeLessThanOrEqual(2);
    const afterStart = storage.loads.length;
    for (let percent = 1; percent <= 60; percent++) {
      for (const job of jobs) void job.progress(percent);
      await clock.advance(500);
    }
    expect(storage.loads.length).toBe(afterStart);
    expect(all.every((seen) => (percents(seen).at(-1) ?? 0) >= 58)).toBe(true);
    await jobs[7]?.complete();
    await clock.advance(0);
    expect(storage.loads.slice(afterStart)).toEqual([["job 7"]]);
    expect(all.filter(({ ended }) => ended).length).toBe(10);
    await reporter.close();
    await clock.advance(0);
    expect(all.every(({ ended }) => ended)).toBe(true);
    expect(live.subscriptions.length).toBe(before);
  }, 60_000);

  test("a worker that was taken over costs no reads, whatever it tells", async () => {
    const { clock, storage, worker, reporter } = stage();
    withJobs(storage, "a");
    const zombie = await worker.startJob("a");
    await zombie.progress(10);
    await reporter.startJob("a");
    const seen = follow(reporter.watch("a"));
    await clock.advance(200);
    const loads = storage.loads.length;
    void zombie.progress(60);
    await clock.advance(1_000);
    expect([storage.loads.length - loads, percents(seen)]).toEqual([0, [0]]);
  });

  test("one who joins gets the current state without a read", async () => {
    const { clock, storage, worker, reporter } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    const first = follow(reporter.watch("a"));
    await clock.advance(0);
    void job.progress(30);
    await clock.advance(400);
    const loads = storage.loads.length;
    const second = follow(reporter.watch("a"));
    await clock.advance(0);
    expect([percents(first).at(-1), percents(second)]).toEqual([30, [30]]);
    expect(storage.loads.length).toBe(loads);
  });

  test("one who joins while the last state is being made ready gets it too", async () => {
    const held = Promise.withResolvers<void>();
    let slow = false;
    const { clock, storage, worker, reporter } = stage({
      resolve: async () => {
        if (slow) await held.promise;
        return {};
      },
    });
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    const first = follow(reporter.watch("a"));
    await clock.advance(0);
    slow = true;
    await job.complete();
    await clock.advance(0);
    const second = follow(reporter.watch("a"));
    await clock.advance(0);
    held.resolve();
    await clock.advance(0);
    expect([statuses(first).at(-1), statuses(second)]).toEqual(["completed", ["completed"]]);
    expect([first.ended, second.ended]).toEqual([true, true]);
  });

  test.each<["process" | "shared", number]>([
    ["process", 9],
    ["shared", 0],
  ])("with live updates whose reach is %s, a silent job is read %i times in 9 s", async (reach, reads) => {
    const { clock, storage, reporter } = stage({}, reach);
    withJobs(storage, "a");
    follow(reporter.watch("a"));
    await clock.advance(0);
    const loads = storage.loads.length;
    await clock.advance(9_000);
    expect(storage.loads.length - loads).toBe(reads);
  });

  test("a job that stays silent is read every 10 s, and keeps the process that watches it alive", async () => {
    const { clock, storage, reporter } = stage();
    withJobs(storage, "a");
    follow(reporter.watch("a"));
    await clock.advance(0);
    const loads = storage.loads.length;
    await clock.advance(35_000);
    expect(storage.loads.length - loads).toBe(3);
    expect(clock.holdsProcess()).toBe(true);
  });

  test("1,200 jobs that are to be read are read in queries of 500 at most", async () => {
    const { clock, storage, reporter } = stage();
    const ids = Array.from({ length: 1_200 }, (_, i) => `job ${i}`);
    withJobs(storage, ...ids);
    for (const id of ids) follow(reporter.watch(id));
    await clock.advance(0);
    expect(storage.loads.map(({ length }) => length)).toEqual([500, 500, 200]);
  });

  test("a job that is silent for 10 s is read, though its news is shared", async () => {
    const { clock, live, storage, worker, reporter } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    live.deaf = true;
    await job.complete();
    await clock.advance(9_000);
    expect(seen.ended).toBe(false);
    await clock.advance(2_000);
    expect([statuses(seen).at(-1), seen.ended]).toEqual(["completed", true]);
  });
});

describe("when one job is watched no more", () => {
  test("another that is still watched is polled on, and seen to be wanted cancelled", async () => {
    const { clock, live, storage, worker, reporter } = stage({ heartbeatMs: false }, "process");
    withJobs(storage, "a", "b");
    await worker.startJob("b");
    const seen = follow(reporter.watch("b"));
    for await (const _ of reporter.watch("a")) break;
    live.deaf = true;
    storage.put("b", { progress: 40 });
    await clock.advance(1_000);
    expect(percents(seen)).toEqual([0, 40]);
    live.deaf = false;
    live.reach = "shared";
    await worker.requestCancel("b");
    await clock.advance(0);
    expect(seen.views.at(-1)?.cancel_requested).toBe(true);
  });

  test("it can be watched again, is polled, and seen to be wanted cancelled", async () => {
    const { clock, live, storage, worker, reporter } = stage({ heartbeatMs: false }, "process");
    withJobs(storage, "a");
    await worker.startJob("a");
    for await (const _ of reporter.watch("a")) break;
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    live.deaf = true;
    storage.put("a", { progress: 40 });
    await clock.advance(1_000);
    expect(percents(seen)).toEqual([0, 40]);
    live.deaf = false;
    live.reach = "shared";
    await worker.requestCancel("a");
    await clock.advance(0);
    expect(seen.views.at(-1)?.cancel_requested).toBe(true);
  });
});

describe("an end to watching leaves nothing behind", () => {
  async function expectNothingLeft(end: (at: ReturnType<typeof stage>) => Promise<void>) {
    const at = stage();
    withJobs(at.storage, "a");
    await at.reporter.getJob("a");
    const [timers, subscriptions] = [at.clock.pendingTimers().length, at.live.subscriptions.length];
    await end(at);
    await at.clock.advance(0);
    expect([at.hub.size, at.live.subscriptions.length]).toEqual([0, subscriptions]);
    expect(at.clock.pendingTimers().length).toBe(timers);
  }

  test("by break", () =>
    expectNothingLeft(async ({ reporter }) => {
      for await (const { status } of reporter.watch("a")) {
        expect(status).toBe("pending");
        break;
      }
    }));

  test("by a signal, which ends a reader that waits", () =>
    expectNothingLeft(async ({ clock, reporter }) => {
      const controller = new AbortController();
      const seen = follow(reporter.watch("a", { signal: controller.signal }));
      await clock.advance(0);
      expect([seen.views.length, seen.ended]).toEqual([1, false]);
      controller.abort();
      await clock.advance(0);
      expect([seen.views.length, seen.ended]).toEqual([1, true]);
    }));

  test("by a signal, which takes back what was not read yet", () =>
    expectNothingLeft(async ({ clock, storage, reporter }) => {
      const controller = new AbortController();
      const views = reporter.watch("a", { signal: controller.signal });
      await views.next();
      storage.put("a", { status: "queued" });
      await clock.advance(12_000);
      controller.abort();
      expect(await views.next()).toEqual({ done: true, value: undefined });
    }));

  test("by a signal that had fired before", () =>
    expectNothingLeft(async ({ reporter }) => {
      const views = reporter.watch("a", { signal: AbortSignal.abort() });
      expect(await views.next()).toEqual({ done: true, value: undefined });
    }));

  test("before the first state has come", () =>
    expectNothingLeft(async ({ reporter }) => {
      const views = reporter.watch("a");
      const first = views.next();
      await views.return?.();
      expect(await first).toEqual({ done: true, value: undefined });
    }));

  test("while the storage is away", () =>
    expectNothingLeft(async ({ clock, storage, reporter }) => {
      storage.outage = "STORAGE_UNAVAILABLE";
      const views = reporter.watch("a");
      const first = views.next();
      await clock.advance(1_000);
      await views.return?.();
      expect(await first).toEqual({ done: true, value: undefined });
    }));

  test("while it is read, which then fails", () =>
    expectNothingLeft(async ({ clock, storage, reporter }) => {
      let fail = () => {};
      storage.load = () =>
        new Promise((_, reject) => {
          fail = () => reject(new WorkerProgressError("STORAGE_UNAVAILABLE", "The storage cannot be reached"));
        });
      const views = reporter.watch("a");
      void views.next();
      await clock.advance(0);
      await views.return?.();
      fail();
    }));

  test("by its job's end", () =>
    expectNothingLeft(async ({ clock, storage, reporter }) => {
      const seen = follow(reporter.watch("a"));
      await clock.advance(0);
      storage.put("a", { status: "cancelled" });
      await clock.advance(32_000);
      expect(seen.ended).toBe(true);
    }));

  test("by closing the reporter before the storage has answered anything", async () => {
    const { clock, storage, reporter } = stage();
    withJobs(storage, "a");
    storage.prepare = () => new Promise(() => {});
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    void reporter.close();
    await clock.advance(0);
    expect(seen).toMatchObject({ ended: true, views: [], error: undefined });
  });

  test("on the signal, whether it was read or not", async () => {
    const { clock, storage, reporter } = stage();
    withJobs(storage, "a");
    const { signal } = new AbortController();
    reporter.watch("a", { signal });
    expect(getEventListeners(signal, "abort")).toEqual([]);
    const read = reporter.watch("a", { signal });
    await read.next();
    expect(getEventListeners(signal, "abort").length).toBe(1);
    await read.return?.();
    await clock.advance(0);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("by closing the reporter, also while the storage is away", async () => {
    const { clock, live, storage, reporter } = stage();
    withJobs(storage, "a", "b");
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    storage.outage = "STORAGE_UNAVAILABLE";
    const other = follow(reporter.watch("b"));
    await clock.advance(500);
    const closing = reporter.close();
    await clock.advance(0);
    expect([seen.ended, other.ended, live.subscriptions]).toEqual([true, true, []]);
    await clock.advance(30_000);
    await closing;
    const late = follow(reporter.watch("a"));
    await clock.advance(0);
    expect(late).toMatchObject({ ended: true, views: [] });
    expect(clock.holdsProcess()).toBe(false);
  });
});

describe("a storage that is away", () => {
  test("at the beginning delays the first state", async () => {
    const { clock, storage, reporter } = stage();
    withJobs(storage, "a");
    storage.outage = "STORAGE_UNAVAILABLE";
    const seen = follow(reporter.watch("a"));
    await clock.advance(5_000);
    expect(seen).toMatchObject({ views: [], error: undefined });
    expect(clock.holdsProcess()).toBe(true);
    storage.outage = null;
    await clock.advance(2_000);
    expect(statuses(seen)).toEqual(["pending"]);
  });

  test("is asked less and less often, every two seconds at least", async () => {
    const { clock, storage, reporter } = stage();
    withJobs(storage, "a");
    let asked = 0;
    storage.prepare = async () => {
      asked++;
      throw new WorkerProgressError("STORAGE_UNAVAILABLE", "The storage cannot be reached");
    };
    follow(reporter.watch("a"));
    await clock.advance(60_000);
    expect(asked).toBeGreaterThanOrEqual(30);
    expect(asked).toBeLessThanOrEqual(70);
  });

  test("in between stops no live progress, and the end is seen when it is back", async () => {
    const { clock, storage, worker, reporter } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    const seen = follow(reporter.watch("a"));
    await clock.advance(2_000);
    storage.outage = "STORAGE_UNAVAILABLE";
    for (let percent = 1; percent <= 50; percent++) {
      void job.progress(percent);
      await clock.advance(100);
    }
    expect(percents(seen).at(-1)).toBeGreaterThanOrEqual(48);
    const ending = job.complete();
    await clock.advance(1_000);
    storage.outage = null;
    await clock.advance(3_000);
    await ending;
    expect([statuses(seen).at(-1), seen.ended]).toEqual(["completed", true]);
  });

  test("for good ends the watching of that job alone", async () => {
    const { clock, storage, reporter } = stage();
    withJobs(storage, "a", "broken");
    const load = storage.load.bind(storage);
    const unreadable = Object.assign(new Error("no such status"), { code: "UNKNOWN_STATUS" });
    storage.load = async (ids) => {
      if (ids.includes("broken")) throw unreadable;
      return load(ids);
    };
    const [good, bad] = [follow(reporter.watch("a")), follow(reporter.watch("broken"))];
    await clock.advance(0);
    expect([statuses(good), good.ended, bad.error]).toEqual([["pending"], false, unreadable]);
  });
});

describe("live updates that fail", () => {
  test("keep nobody from what is stored", async () => {
    const failing = () => Promise.reject(new Error("no broker"));
    const calls = { publish: failing, subscribe: failing, subscribeCancellations: failing, latest: failing };
    const live: LiveAdapter = { reach: "process", ...calls, close: async () => {} };
    const { clock, storage, reporter } = engineOn({ live });
    withJobs(storage, "a");
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    const job = await reporter.startJob("a");
    await clock.advance(1_000);
    await job.complete();
    await clock.advance(1_000);
    expect([statuses(seen), seen.ended]).toEqual([["pending", "running", "completed"], true]);
  });
});

describe("news that may have been missed", () => {
  test("is read after a gap", async () => {
    const { clock, live, storage, worker, reporter } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    live.deaf = true;
    await job.forceProgress(42);
    await clock.advance(1_000);
    live.deaf = false;
    live.gap();
    await clock.advance(0);
    expect(percents(seen)).toEqual([0, 42]);
  });

  test("before the subscription stood is read", async () => {
    const { clock, live, storage, worker, reporter } = stage();
    withJobs(storage, "a");
    const standing = Promise.withResolvers<void>();
    const subscribe = live.subscribe.bind(live);
    live.subscribe = async (jobId, listener) => {
      await standing.promise;
      return subscribe(jobId, listener);
    };
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    await worker.updateStatus("a", "queued");
    await clock.advance(0);
    standing.resolve();
    await clock.advance(0);
    expect(statuses(seen)).toEqual(["queued"]);
  });

  test("while a job is read is read after it, not beside it", async () => {
    const { clock, live, storage, reporter } = stage();
    withJobs(storage, "a");
    follow(reporter.watch("a"));
    await clock.advance(0);
    const [before, held] = [storage.loads.length, Promise.withResolvers<void>()];
    const load = storage.load.bind(storage);
    storage.load = async (ids) => {
      const rows = await load(ids);
      await held.promise;
      return rows;
    };
    live.gap();
    await clock.advance(0);
    live.gap();
    await clock.advance(0);
    expect(storage.loads.length - before).toBe(1);
    held.resolve();
    await clock.advance(0);
    expect(storage.loads.length - before).toBe(2);
  });

  test("because it came while the job was read first, is read", async () => {
    const { clock, storage, worker, reporter } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    const load = storage.load.bind(storage);
    storage.load = async (ids) => {
      const rows = await load(ids);
      storage.load = load;
      await job.complete();
      return rows;
    };
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    expect([statuses(seen).at(-1), seen.ended]).toEqual(["completed", true]);
  });

  test("because it came while the job was read first, is read for once", async () => {
    const { clock, storage, worker, reporter } = stage();
    withJobs(storage, "a");
    const load = storage.load.bind(storage);
    storage.load = async (ids) => {
      const rows = await load(ids);
      storage.load = load;
      await worker.updateStatus("a", "queued");
      return rows;
    };
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    await worker.forceProgress("a", 5);
    await clock.advance(0);
    const loads = storage.loads.length;
    await clock.advance(1_000);
    expect(statuses(seen)).toEqual(["pending", "queued", "running"]);
    expect(storage.loads.length - loads).toBe(0);
  });

  test("because it came while the job was read first, is read, though late progress came after it", async () => {
    const { clock, live, storage, worker, reporter } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    const load = storage.load.bind(storage);
    storage.load = async (ids) => {
      const rows = await load(ids);
      storage.load = load;
      await job.complete();
      const late = { kind: "progress", jobId: "a", attempt: 1, progress: 57, step: null, message: null } as const;
      await live.publish([{ ...late, at: clock.wall() }]);
      return rows;
    };
    const seen = follow(reporter.watch("a"));
    await clock.advance(0);
    expect([statuses(seen).at(-1), seen.ended]).toEqual(["completed", true]);
  });
});
