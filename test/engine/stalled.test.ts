import { describe, expect, test } from "vitest";
import { SimulatedClock } from "../support/simulated-clock.js";
import { engineOn, withJobs } from "./engine-on.js";

/** A worker whose process froze: its engine's clock stands still, that of the operator goes on. */
function stage() {
  const [frozen, clock] = [new SimulatedClock(), new SimulatedClock()];
  const operator = engineOn({ clock, options: { heartbeatMs: false } });
  const { storage, publisher } = operator;
  const worker = engineOn({ clock: frozen, storage });
  const events = (id: string) =>
    publisher.firstArrivals.map(({ payload }) => payload).filter(({ job_id }) => job_id === id);
  return { frozen, clock, storage, operator: operator.reporter, worker: worker.reporter, events };
}

const minute = { olderThanMs: 60_000 };

describe("jobs of which nothing was heard", () => {
  test("are found, longest silent first, as many as asked for", async () => {
    const { clock, storage, operator } = stage();
    withJobs(storage, "first", "second", "third", "waiting");
    for (const id of ["first", "second", "third"]) {
      await operator.startJob(id);
      await clock.advance(20_000);
    }
    await clock.advance(20_000);
    expect((await operator.findStalled(minute)).map(({ id }) => id)).toEqual(["first", "second"]);
    expect((await operator.findStalled({ ...minute, limit: 1 })).map(({ id }) => id)).toEqual(["first"]);
  });

  test("stay running until somebody asks for more", async () => {
    const { clock, storage, operator } = stage();
    withJobs(storage, "a");
    await operator.startJob("a");
    await clock.advance(3_600_000);
    expect(await operator.findStalled(minute)).toMatchObject([{ id: "a", status: "running" }]);
    expect(storage.job("a").status).toBe("running");
  });

  test("are timed out with one event, and not again", async () => {
    const { clock, storage, operator, events } = stage();
    withJobs(storage, "a", "b");
    const job = await operator.startJob("a");
    await job.progress(42);
    await clock.advance(60_000);
    await operator.startJob("b");
    expect(await operator.timeoutStalled(minute)).toMatchObject([
      { id: "a", status: "timeout", progress: { percent: 42 } },
    ]);
    expect(await operator.timeoutStalled(minute)).toEqual([]);
    await clock.advance(1_000);
    expect(events("a").filter(({ status }) => status === "timeout")).toHaveLength(1);
    expect(storage.job("b").status).toBe("running");
    expect(job.signal.reason).toMatchObject({ code: "JOB_FINISHED" });
  });

  test("are spared when a sign of life comes between the look and the write", async () => {
    const { clock, storage, operator, events } = stage();
    withJobs(storage, "a", "b");
    await operator.startJob("a");
    await operator.startJob("b");
    await clock.advance(60_000);
    storage.beforeCommit = (writes) => {
      if (writes.some(({ id }) => id === "a")) storage.put("a", { updatedAt: clock.wall() });
    };
    expect((await operator.timeoutStalled(minute)).map(({ id }) => id)).toEqual(["b"]);
    expect(storage.job("a").status).toBe("running");
    await clock.advance(1_000);
    expect(events("a").map(({ status }) => status)).toEqual(["running"]);
  });

  test("are spared when they end in between", async () => {
    const { clock, storage, operator } = stage();
    withJobs(storage, "a");
    await operator.startJob("a");
    await clock.advance(60_000);
    storage.beforeCommit = () => storage.put("a", { status: "completed", progress: 100 });
    expect(await operator.timeoutStalled(minute)).toEqual([]);
    expect(storage.job("a").status).toBe("completed");
  });

  test("tell their worker when it comes back, which can change nothing any more", async () => {
    const { frozen, clock, storage, operator, worker } = stage();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    await job.progress(10);
    void job.progress(80);
    await clock.advance(60_000);
    expect(await operator.timeoutStalled(minute)).toMatchObject([{ id: "a", status: "timeout" }]);
    await frozen.advance(60_000);
    expect(job.signal.reason).toMatchObject({ code: "JOB_FINISHED" });
    await expect(job.complete()).rejects.toMatchObject({ code: "JOB_FINISHED" });
    expect(storage.job("a")).toMatchObject({ status: "timeout", progress: 10 });
  });
});

test.each([undefined, null])("without options, as with %s, the call is refused", async (options) => {
  const { operator } = stage();
  for (const call of [operator.findStalled, operator.timeoutStalled]) {
    await expect(call(options as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  }
});

test("a storage that does not answer is not waited for without end", async () => {
  const { clock, storage, operator } = stage();
  storage.findSilent = () => new Promise(() => {});
  const calls = [operator.findStalled(minute), operator.timeoutStalled(minute)];
  const refused = calls.map((call) => expect(call).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" }));
  await clock.advance(5_000);
  await Promise.all(refused);
});

test("a job whose row is gone when it is written is spared", async () => {
  const { clock, storage, operator } = stage();
  withJobs(storage, "a", "gone");
  for (const id of ["a", "gone"]) await operator.startJob(id);
  await clock.advance(60_000);
  const load = storage.load.bind(storage);
  storage.load = (ids) => load(ids.filter((id) => id !== "gone"));
  storage.beforeCommit = () => storage.put("gone", { progress: 1 });
  expect(await operator.timeoutStalled(minute)).toMatchObject([{ id: "a" }]);
});

test("a stalled job that the storage refuses to end is heard of, and holds up no other", async () => {
  const { clock, storage, operator } = stage();
  withJobs(storage, "a", "refused");
  for (const id of ["a", "refused"]) await operator.startJob(id);
  await clock.advance(60_000);
  storage.poison = ({ id }) => id === "refused";
  await expect(operator.timeoutStalled(minute)).rejects.toMatchObject({ code: "STORAGE_REJECTED", jobId: "refused" });
  expect(storage.job("a").status).toBe("timeout");
});

test("100 jobs at a time are looked for by default, silent since a whole millisecond", async () => {
  const { clock, storage, operator } = stage();
  const asked: unknown[] = [];
  storage.findSilent = async (...by) => {
    asked.push(by);
    return [];
  };
  await operator.findStalled({ olderThanMs: 1.5 });
  expect(asked).toEqual([[clock.wall() - 2, 100]]);
});

test("two who time out the same thousand jobs at once end each of them once, and each answers for its own", async () => {
  const { clock, storage, operator, events } = stage();
  const other = engineOn({ clock, storage, options: { heartbeatMs: false } }).reporter;
  const ids = Array.from({ length: 1_500 }, (_, i) => `job ${i}`);
  for (const id of ids) storage.put(id, { status: "running", attempt: 1, updatedAt: clock.wall() });
  await clock.advance(60_000);
  const all = { ...minute, limit: 1_000 };
  const ended: unknown[] = [];
  for (let round = 0; round < 2; round++) {
    const both = Promise.all([operator.timeoutStalled(all), other.timeoutStalled(all)]);
    await clock.advance(1_000);
    ended.push(...(await both).flat().map(({ id }) => id));
  }
  expect(ended.toSorted()).toEqual(ids.toSorted());
  expect(await operator.findStalled(all)).toEqual([]);
  await clock.advance(10_000);
  expect(ids.filter((id) => events(id).length !== 1)).toEqual([]);
});

test.each([0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, undefined, "60", Symbol("60")])(
  "olderThanMs %s is refused",
  async (olderThanMs: unknown) => {
    const { operator } = stage();
    for (const call of [operator.findStalled, operator.timeoutStalled]) {
      await expect(call({ olderThanMs: olderThanMs as number })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
  },
);

test.each([0, 1_001, 1.5])("limit %s is refused", async (limit) => {
  const { operator } = stage();
  await expect(operator.findStalled({ ...minute, limit })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});
