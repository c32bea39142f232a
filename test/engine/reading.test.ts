import { describe, expect, test } from "vitest";
import { SimulatedClock } from "../support/simulated-clock.js";
import { engineOn, withJobs } from "./engine-on.js";
import { RecordingLive } from "./recording-live.js";

function twoProcesses(options: NonNullable<Parameters<typeof engineOn>[0]>["options"] = {}) {
  const clock = new SimulatedClock();
  const live = new RecordingLive(clock);
  const worker = engineOn({ clock, live, options });
  const { storage, throttle } = worker;
  const { reporter } = engineOn({ clock, live, storage, throttle, options });
  return { clock, live, storage, worker: worker.reporter, reader: reporter };
}

describe("getJob", () => {
  test("answers progress that another process has not written yet, and never falls behind it", async () => {
    const { clock, storage, worker, reader } = twoProcesses();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    await job.progress(10, "mesh");
    let last = 0;
    for (let percent = 11; percent <= 80; percent++) {
      void job.progress(percent, "solve", `Step ${percent}`);
      await clock.advance(100);
      const view = await reader.getJob("a");
      expect(view?.status).toBe("running");
      expect(view?.progress.percent).toBeGreaterThanOrEqual(last);
      expect(view?.progress.percent).toBeGreaterThanOrEqual(percent - 4);
      last = view?.progress.percent as number;
    }
    expect(storage.writesOf("a").length).toBeLessThan(7);
  });

  test("answers the stored status with stored progress when the job has ended meanwhile", async () => {
    const { clock, storage, worker, reader } = twoProcesses();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    await job.progress(10);
    void job.progress(57);
    await clock.advance(400);
    storage.put("a", { status: "failed", progress: 20, errorCode: "E" });
    expect(await reader.getJob("a")).toMatchObject({ status: "failed", progress: { percent: 20 } });
  });

  test("does not take a row that was read before the end for a running job at 100 %", async () => {
    const { storage, worker, reader, live } = twoProcesses();
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    const load = storage.load.bind(storage);
    storage.load = async (ids) => {
      const rows = await load(ids);
      storage.load = load;
      await job.complete();
      return rows;
    };
    const latest = live.latest.bind(live);
    live.latest = async (ids) => {
      await new Promise(setImmediate);
      return latest(ids);
    };
    expect(await reader.getJob("a")).toMatchObject({ status: "running", progress: { percent: 0 } });
    expect(await reader.getJob("a")).toMatchObject({ status: "completed", progress: { percent: 100 } });
  });

  test("never falls while two processes report a job, each what it has", async () => {
    const { clock, live, storage, worker, reader } = twoProcesses();
    withJobs(storage, "a");
    const other = engineOn({ clock, live, storage }).reporter;
    await worker.progress("a", 10);
    await other.forceProgress("a", 20);
    void worker.progress("a", 57);
    await clock.advance(200);
    expect(await reader.getJob("a")).toMatchObject({ progress: { percent: 57 } });
    void other.progress("a", 50);
    await clock.advance(400);
    expect(live.messagesOf("a").at(-1)).toMatchObject({ progress: 50 });
    expect(await reader.getJob("a")).toMatchObject({ progress: { percent: 57 } });
  });

  test("does not fall when a worker that was taken over goes on reporting", async () => {
    const { clock, storage, worker, reader, live } = twoProcesses();
    withJobs(storage, "a");
    const zombie = await worker.startJob("a");
    await zombie.progress(10);
    const job = await reader.startJob("a");
    await job.progress(5);
    void job.progress(30);
    await clock.advance(200);
    void zombie.progress(60);
    await clock.advance(200);
    expect(live.messagesOf("a").at(-1)).toMatchObject({ attempt: 1, progress: 60 });
    expect(await reader.getJob("a")).toMatchObject({ attempts: 2, progress: { percent: 30 } });
  });

  test("does not show the progress of another attempt", async () => {
    const { clock, storage, worker, reader } = twoProcesses();
    withJobs(storage, "a");
    const first = await worker.startJob("a");
    await first.progress(10);
    void first.progress(60);
    await clock.advance(400);
    await reader.startJob("a");
    expect(await reader.getJob("a")).toMatchObject({ attempts: 2, progress: { percent: 0 } });
  });

  test("answers null for a job that is not there, and names an id that cannot be one", async () => {
    const { storage, reader } = twoProcesses();
    expect(await reader.getJob("nobody")).toBeNull();
    storage.traits = { ...storage.traits, idType: "uuid" };
    await expect(reader.getJob("nobody")).rejects.toMatchObject({ code: "INVALID_ARGUMENT", jobId: "nobody" });
  });

  test("rejects when the storage does not answer", async () => {
    const { clock, storage, reader } = twoProcesses({ storageTimeoutMs: 5_000 });
    withJobs(storage, "a");
    storage.load = () => new Promise(() => {});
    const failing = expect(reader.getJob("a")).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    await clock.advance(5_000);
    await failing;
  });

  test("answers rate and seconds left once something moved, and neither when they would be a guess", async () => {
    const { clock, storage, worker, reader } = twoProcesses({ heartbeatMs: 10_000 });
    withJobs(storage, "a");
    const job = await worker.startJob("a");
    expect(await reader.getJob("a")).not.toHaveProperty("eta");
    await clock.advance(2_000);
    await job.progress(10);
    await clock.advance(2_000);
    await job.progress(20);
    expect(await reader.getJob("a")).toMatchObject({ rate: 5, eta: 16 });
    // It stands still for longer than it should have needed; signs of life do not make it move.
    await clock.advance(30_000);
    const stuck = await reader.getJob("a");
    expect(stuck).not.toHaveProperty("eta");
    expect(stuck).not.toHaveProperty("rate");
    await job.complete();
    expect(await reader.getJob("a")).not.toHaveProperty("eta");
  });

  test("adds what the caller's resolver knows", async () => {
    const resolve = async ({ id }: { id: number | string }) => ({ artefacts: [`${id}.stl`], queue_position: 3 });
    const { storage, reader } = twoProcesses({ resolve });
    withJobs(storage, "a");
    expect(await reader.getJob("a")).toMatchObject({ artefacts: ["a.stl"], queue_position: 3 });
  });

  test("takes nothing else of what the resolver answers, and no undefined", async () => {
    const row = { status: "completed", artefacts: undefined, queue_position: undefined };
    const { storage, reader } = twoProcesses({ resolve: () => row as never });
    storage.put("a", { artefacts: ["stored.stl"], queuePosition: 7 });
    expect(await reader.getJob("a")).toMatchObject({
      status: "pending",
      artefacts: ["stored.stl"],
      queue_position: 7,
    });
  });

  test("leaves what the table says where the resolver knows nothing", async () => {
    const { storage, reader } = twoProcesses({ resolve: () => ({}) });
    storage.put("a", { artefacts: ["stored.stl"], queuePosition: 7 });
    expect(await reader.getJob("a")).toMatchObject({ artefacts: ["stored.stl"], queue_position: 7 });
    withJobs(storage, "b");
    expect(await reader.getJob("b")).toMatchObject({ artefacts: [], queue_position: null });
  });
});

test("getJobs answers in the order asked for, null for what is missing, the same twice, in one read", async () => {
  const { storage, reader } = twoProcesses();
  withJobs(storage, "a", "b");
  const before = storage.loads.length;
  const views = await reader.getJobs(["b", "nobody", "a", "b"]);
  expect(views.map((view) => view?.id ?? null)).toEqual(["b", null, "a", "b"]);
  expect(storage.loads.slice(before)).toEqual([["b", "nobody", "a"]]);
});

describe("getJobs", () => {
  test.each([["42"], [42], [undefined], [null], [new Set(["a"])], [{ length: 1 }]])(
    "refuses %j, which is no list: it would answer for other jobs than were meant",
    async (ids) => {
      const { storage, reader } = twoProcesses();
      withJobs(storage, "4", "2");
      await expect(reader.getJobs(ids as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      expect(storage.loads).toEqual([]);
    },
  );

  test("answers nothing for no ids", async () => {
    expect(await twoProcesses().reader.getJobs([])).toEqual([]);
  });

  test("tells jobs apart whose numbers JavaScript cannot", async () => {
    const { storage, reader } = twoProcesses();
    storage.traits = { ...storage.traits, idType: "bigint" };
    withJobs(storage, "9007199254740992", "9007199254740993", "7");
    const views = await reader.getJobs([9007199254740993n, "9007199254740992", 7n]);
    expect(views.map((view) => view?.id)).toEqual(["9007199254740993", "9007199254740992", 7]);
  });

  test("answers for thousands in one read, and reads nothing when one id cannot be one", async () => {
    const { storage, reader } = twoProcesses();
    storage.traits = { ...storage.traits, idType: "bigint" };
    const ids = Array.from({ length: 5_000 }, (_, i) => i + 1);
    withJobs(storage, ...ids.map(String));
    expect((await reader.getJobs(ids)).map((view) => view?.id)).toEqual(ids);
    expect(storage.loads.length).toBe(1);
    await expect(reader.getJobs([...ids, "x"])).rejects.toMatchObject({ code: "INVALID_ARGUMENT", jobId: "x" });
    expect(storage.loads.length).toBe(1);
  });
});

describe("the caller's resolver", () => {
  const resolvers: readonly [string, () => unknown][] = [
    ["answers nothing", () => undefined],
    ["answers null", () => null],
    ["knows of nothing", () => ({ artefacts: undefined, queue_position: undefined })],
    ["answers for what is stored", () => ({ id: "b", status: "completed", progress: { percent: 100 }, secret: 1 })],
  ];

  test.each(resolvers)("that %s leaves the read model as the table says", async (_, resolve) => {
    const { storage, reader } = twoProcesses({ resolve: resolve as never });
    storage.put("a", { status: "running", artefacts: ["stored.stl"], queuePosition: 7 });
    const plain = engineOn({ storage }).reporter;
    expect(JSON.stringify(await reader.getJob("a"))).toBe(JSON.stringify(await plain.getJob("a")));
  });

  test("takes a place in the queue back with null", async () => {
    const { storage, reader } = twoProcesses({ resolve: () => ({ queue_position: null }) });
    storage.put("a", { queuePosition: 7 });
    expect(await reader.getJob("a")).toMatchObject({ queue_position: null });
  });

  test("that throws is heard", async () => {
    const resolve = () => Promise.reject(new Error("no such queue"));
    const { storage, reader } = twoProcesses({ resolve });
    withJobs(storage, "a");
    await expect(reader.getJob("a")).rejects.toThrow("no such queue");
  });
});
