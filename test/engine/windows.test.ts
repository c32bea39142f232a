import { describe, expect, test } from "vitest";
import { engineOn, percentsOf, type SharedWindows, watch, withJobs } from "./engine-on.js";

const coalesced = { outcome: "coalesced" };

describe("the window of one job", () => {
  test("a first report is written at once", async () => {
    const { reporter, storage } = engineOn();
    withJobs(storage, "a");
    expect(await reporter.progress("a", 10, "meshing", "Started", { faces: 3 })).toEqual({
      outcome: "written",
      percent: 10,
      attempt: 0,
    });
    expect(storage.job("a")).toMatchObject({
      progress: 10,
      step: "meshing",
      message: "Started",
      metrics: { faces: 3 },
    });
  });

  test("of the reports within a window the newest is written at its end, without another call", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    for (let percent = 11; percent <= 60; percent++) expect(await reporter.progress("a", percent)).toEqual(coalesced);
    await clock.advance(1_999);
    expect(percentsOf(storage, "a")).toEqual([10]);
    await clock.advance(1);
    expect(percentsOf(storage, "a")).toEqual([10, 60]);
  });

  test("coalesced reports keep the newest step and message and the metrics of all", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    void reporter.progress("a", 20, "meshing", undefined, { faces: 1, edges: 2 });
    void reporter.progress("a", 30, undefined, "Halfway", { faces: 9 });
    void reporter.progress("a", 40, "solving");
    await clock.advance(2_000);
    const { progress, step, message, metrics } = storage.job("a");
    expect({ progress, step, message, metrics }).toEqual({
      progress: 40,
      step: "solving",
      message: "Halfway",
      metrics: { faces: 9, edges: 2 },
    });
  });

  test("a report after an idle window is written at once", async () => {
    const { reporter, clock, storage } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    await clock.advance(2_000);
    expect(await reporter.progress("a", 20)).toMatchObject({ outcome: "written", percent: 20 });
  });

  test("every window takes one write, however many calls", async () => {
    const { reporter, clock, storage } = engineOn();
    withJobs(storage, "a");
    for (let percent = 0; percent < 100; percent++) {
      for (let call = 0; call < 20; call++) void reporter.progress("a", percent + call / 20);
      await clock.advance(100);
    }
    await clock.advance(2_000);
    const times = storage.writesOf("a").map((entry) => entry.at);
    expect(times).toEqual([0, 2_000, 4_000, 6_000, 8_000, 10_000]);
    expect(storage.job("a").progress).toBe(99);
  });

  test("the same percent again is stored when its step or message is news", async () => {
    const { reporter, clock, storage } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 10, "meshing");
    void reporter.progress("a", 10, "solving");
    await clock.advance(2_000);
    expect(storage.job("a").step).toBe("solving");
  });

  test("a forced report is written at once and leaves nothing to write at the end of the window", async () => {
    const { reporter, clock, storage } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    void reporter.progress("a", 20);
    expect(await reporter.forceProgress("a", 30)).toMatchObject({ outcome: "written", percent: 30 });
    await clock.advance(4_000);
    expect(percentsOf(storage, "a")).toEqual([10, 30]);
  });

  test("less than what is still being written when its window ends is a decrease", async () => {
    const { reporter, clock, storage } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    storage.gate.close();
    const written = reporter.progress("a", 40);
    await clock.advance(2_500);
    expect(await reporter.progress("a", 30)).toMatchObject({ error: { code: "PROGRESS_DECREASED" } });
    storage.gate.open();
    expect(await written).toMatchObject({ outcome: "written", percent: 40 });
  });

  test("a step or message of another type is rejected and keeps nothing", async () => {
    const { reporter, clock, storage } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    void reporter.progress("a", 20);
    for (const [step, message] of [
      [7, undefined],
      [undefined, {}],
    ]) {
      const answer = await reporter.progress("a", 30, step as never, message as never);
      expect(answer).toMatchObject({ outcome: "rejected", error: { code: "INVALID_ARGUMENT" } });
    }
    await clock.advance(2_000);
    expect(percentsOf(storage, "a")).toEqual([10, 20]);
  });
});

describe("the windows of many jobs", () => {
  test("windows of different jobs are independent", async () => {
    const { reporter, clock, storage } = engineOn();
    withJobs(storage, "a", "b");
    await reporter.progress("a", 10);
    await clock.advance(1_000);
    expect(await reporter.progress("b", 10)).toMatchObject({ outcome: "written" });
    void reporter.progress("a", 20);
    void reporter.progress("b", 20);
    await clock.advance(1_000);
    expect([percentsOf(storage, "a"), percentsOf(storage, "b")]).toEqual([[10, 20], [10]]);
    await clock.advance(1_000);
    expect(percentsOf(storage, "b")).toEqual([10, 20]);
  });

  test("one timer serves the windows of a thousand jobs", async () => {
    const { reporter, clock, storage } = engineOn();
    const before = clock.pendingTimers().length;
    const ids = Array.from({ length: 1_000 }, (_, i) => `job ${i}`);
    withJobs(storage, ...ids);
    for (const id of ids) {
      void reporter.progress(id, 1);
      void reporter.progress(id, 2);
    }
    await clock.advance(0);
    expect(storage.journal.length).toBe(1_000);
    const sweepOfIdleJobs = 1;
    expect(clock.pendingTimers().length - before - sweepOfIdleJobs).toBe(1);
  });

  test("the timer holds the process only while something is unwritten", async () => {
    const { reporter, clock, storage } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    await clock.advance(0);
    expect(clock.holdsProcess()).toBe(false);
    void reporter.progress("a", 20);
    expect(clock.holdsProcess()).toBe(true);
    await clock.advance(2_000);
    expect(clock.holdsProcess()).toBe(false);
    expect(percentsOf(storage, "a")).toEqual([10, 20]);
  });

  test.each([3_600_000, -3_600_000])("a wall clock that jumps by %i ms changes nothing about windows", async (jump) => {
    const { reporter, clock, storage } = engineOn();
    withJobs(storage, "a");
    await reporter.progress("a", 10);
    clock.jumpWall(jump);
    expect(await reporter.progress("a", 20)).toEqual(coalesced);
    await clock.advance(1_999);
    expect(percentsOf(storage, "a")).toEqual([10]);
    await clock.advance(1);
    expect(percentsOf(storage, "a")).toEqual([10, 20]);
    await clock.advance(2_000);
    expect(await reporter.progress("a", 30)).toMatchObject({ outcome: "written" });
  });
});

describe("windows that processes share", () => {
  test("a report whose window another process holds is coalesced, and written when that window ends", async () => {
    const { reporter, clock, storage, throttle } = engineOn();
    withJobs(storage, "a");
    (throttle as SharedWindows).answer = () => (clock.monotonic() < 700 ? 700 - clock.monotonic() : 0);
    expect(await reporter.progress("a", 10)).toEqual(coalesced);
    await clock.advance(699);
    expect(percentsOf(storage, "a")).toEqual([]);
    await clock.advance(1);
    expect(percentsOf(storage, "a")).toEqual([10]);
  });

  test("two engines write once per window between them, and the newest of both lands", async () => {
    const first = engineOn();
    const { clock, storage, throttle } = first;
    const second = engineOn({ clock, storage, throttle });
    withJobs(storage, "a");
    for (let tick = 1; tick <= 80; tick++) {
      void first.reporter.progress("a", tick);
      void second.reporter.progress("a", tick + 0.5);
      await clock.advance(100);
    }
    await clock.advance(6_000);
    const times = storage.writesOf("a").map((entry) => entry.at);
    const gaps = times.slice(1).map((at, i) => at - (times[i] as number));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(2_000);
    expect(storage.job("a").progress).toBe(80);
  });

  test("all jobs that are due ask for their windows in one round trip", async () => {
    const { reporter, clock, storage, throttle } = engineOn();
    const ids = Array.from({ length: 300 }, (_, i) => `job ${i}`);
    withJobs(storage, ...ids);
    for (const id of ids) void reporter.progress(id, 1);
    await clock.advance(0);
    expect((throttle as SharedWindows).asked.map((keys) => keys.length)).toEqual([300]);
  });

  test("a throttle that fails does not keep progress from being written", async () => {
    const throttle = {
      acquire: async () => {
        throw new Error("no answer");
      },
      close: async () => {},
    };
    const { reporter, storage } = engineOn({ throttle });
    withJobs(storage, "a");
    expect(await reporter.progress("a", 10)).toMatchObject({ outcome: "written" });
  });

  test("two spellings of one id share a window, and both callers are answered at once", async () => {
    const { reporter, storage, clock } = engineOn();
    storage.traits = { ...storage.traits, idType: "uuid" };
    const id = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
    withJobs(storage, id);
    const lower = watch(reporter.progress(id, 10));
    const upper = watch(reporter.progress(id.toUpperCase(), 20));
    await clock.advance(0);
    expect([lower.value?.outcome, upper.value?.outcome]).toEqual(["written", "coalesced"]);
    await clock.advance(2_000);
    expect(percentsOf(storage, id)).toEqual([10, 20]);
  });

  test("two spellings of one id never meet in one statement", async () => {
    const { reporter, storage } = engineOn();
    storage.traits = { ...storage.traits, idType: "uuid" };
    const id = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
    withJobs(storage, id);
    await Promise.all([id, id.toUpperCase()].map((spelling) => reporter.updateStatus(spelling, "running")));
    expect(storage.statements).toEqual([1, 1]);
  });
});
