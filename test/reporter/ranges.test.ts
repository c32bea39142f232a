import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DivisibleSink } from "../../src/reporter/progress-sink.js";
import { divisible } from "../../src/reporter/sub-range.js";
import { engineOn, percentsOf, withJobs } from "../engine/engine-on.js";

/** A sink that keeps what is reported to it. */
function recording(abort: { reason: Error | null } = { reason: null }) {
  const percents: number[] = [];
  const steps: (string | undefined)[] = [];
  const report: DivisibleSink["progress"] = async (percent, step) => {
    percents.push(percent);
    steps.push(step);
    return { outcome: "coalesced" };
  };
  const sink = divisible({ progress: report, forceProgress: report }, () => {
    if (abort.reason !== null) throw abort.reason;
  });
  return { sink, percents, steps };
}

describe("a range of a job", () => {
  test("maps its 0–100 into the job's", async () => {
    const { sink, percents } = recording();
    const range = sink.range(20, 60);
    for (const percent of [0, 25, 50, 100]) await range.progress(percent);
    await range.forceProgress(75);
    expect(percents).toEqual([20, 30, 40, 60, 50]);
  });

  test("can be divided again", async () => {
    const { sink, percents } = recording();
    const inner = sink.range(20, 60).range(50, 100);
    for (const percent of [0, 50, 100]) await inner.progress(percent);
    expect(percents).toEqual([40, 50, 60]);
  });

  test("clamps to itself, not to the job", async () => {
    const { sink, percents } = recording();
    const range = sink.range(20, 60);
    await range.progress(-5);
    await range.progress(140);
    expect(percents).toEqual([20, 60]);
  });

  test("ends exactly where the next one begins", () => {
    const bounds = fc.tuple(fc.double({ min: 0, max: 100, noNaN: true }), fc.double({ min: 0, max: 100, noNaN: true }));
    fc.assert(
      fc.property(bounds, fc.double({ min: 0, max: 100, noNaN: true }), ([a, b], percent) => {
        const { sink, percents } = recording();
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const range = sink.range(from, to);
        for (const each of [0, percent, 100]) void range.progress(each);
        void sink.range(to, 100).progress(0);
        expect([percents[0], percents[2], percents[3]]).toEqual([from, to, to]);
        expect(percents[1]).toBeLessThanOrEqual(to);
      }),
      { examples: [[[0.6, 1.7], 99.99999999999999]] },
    );
  });

  test("hands on what is no percent, to be rejected under its own name", async () => {
    const { reporter, storage } = engineOn();
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    const answer = await job.range(0, 50).progress("50" as never);
    expect(answer).toMatchObject({ outcome: "rejected", error: { code: "INVALID_ARGUMENT" } });
    expect(answer.outcome === "rejected" && answer.error.message).toContain('"50"');
  });

  test.each([
    [-1, 50],
    [50, 49],
    [0, 101],
    [Number.NaN, 50],
    [0, Number.NaN],
  ])("from %s to %s is refused", (from, to) => {
    expect(() => recording().sink.range(from, to)).toThrow(RangeError);
  });

  test("stays within its bounds and keeps order, however deep it is nested", () => {
    const bounds = fc.tuple(fc.double({ min: 0, max: 100, noNaN: true }), fc.double({ min: 0, max: 100, noNaN: true }));
    fc.assert(
      fc.property(fc.array(bounds, { maxLength: 5 }), fc.array(fc.integer({ min: 0, max: 100 })), (nest, reports) => {
        const { sink, percents } = recording();
        const deepest = nest.reduce((range, [a, b]) => range.range(Math.min(a, b), Math.max(a, b)), sink);
        for (const percent of reports.sort((a, b) => a - b)) void deepest.progress(percent);
        expect(percents).toEqual(percents.toSorted((a, b) => a - b));
        for (const percent of percents) expect(percent >= 0 && percent <= 100).toBe(true);
      }),
    );
  });
});

describe("tracking items", () => {
  test("yields every item and reports how many are done, from 0 to 100", async () => {
    const { sink, percents, steps } = recording();
    const seen: string[] = [];
    for await (const item of sink.track(["a", "b", "c", "d"], { step: "copying" })) seen.push(item);
    expect(seen).toEqual(["a", "b", "c", "d"]);
    expect(percents).toEqual([0, 25, 50, 75, 100]);
    expect(new Set(steps)).toEqual(new Set(["copying"]));
  });

  test("ends at exactly 100, whatever the number of items", async () => {
    for (const total of [1, 3, 7, 49, 99]) {
      const { sink, percents } = recording();
      for await (const _ of sink.track(new Set(Array.from({ length: total }, (_, i) => i))));
      expect(percents.at(-1)).toBe(100);
      expect(percents.length).toBe(total + 1);
    }
  });

  test("takes what comes bit by bit, given a total", async () => {
    async function* pages() {
      yield 1;
      yield 2;
    }
    const { sink, percents } = recording();
    const seen: number[] = [];
    for await (const page of sink.track(pages(), { total: 4 })) seen.push(page);
    expect([seen, percents]).toEqual([
      [1, 2],
      [0, 25, 50],
    ]);
  });

  test("refuses items of unknown number at once", () => {
    async function* endless() {
      yield 1;
    }
    expect(() => recording().sink.track(endless())).toThrow(TypeError);
    expect(() => recording().sink.track([1], { total: Number.NaN })).toThrow(TypeError);
    expect(() => recording().sink.track([1], { total: -1 })).toThrow(TypeError);
  });

  test("stays at 100 for items beyond the number that was told", async () => {
    for (const [total, expected] of [
      [2, [0, 50, 100, 100]],
      [0, [0, 100, 100, 100, 100]],
    ] as const) {
      const { sink, percents } = recording();
      for await (const _ of sink.track([1, 2, 3], { total }));
      expect(percents).toEqual(expected);
    }
  });

  test("of no items is done at once", async () => {
    const { sink, percents } = recording();
    for await (const _ of sink.track([])) expect.unreachable();
    expect(percents).toEqual([0, 100]);
  });

  test("reports only what was done when the loop is left early, and closes its source", async () => {
    let closed = false;
    function* source() {
      try {
        for (let i = 0; i < 10; i++) yield i;
      } finally {
        closed = true;
      }
    }
    const { sink, percents } = recording();
    for await (const item of sink.track(source(), { total: 10 })) if (item === 2) break;
    expect([percents, closed]).toEqual([[0, 10, 20], true]);
  });

  test("throws the reason when the job is to end, before the next item", async () => {
    const abort: { reason: Error | null } = { reason: null };
    const { sink } = recording(abort);
    const seen: number[] = [];
    const loop = async () => {
      for await (const item of sink.track([1, 2, 3])) {
        seen.push(item);
        if (item === 2) abort.reason = new Error("cancelled");
      }
    };
    await expect(loop()).rejects.toThrow("cancelled");
    expect(seen).toEqual([1, 2]);
  });

  test("gives the event loop its turn, so that writes go out while it runs", async () => {
    const { reporter, storage } = engineOn();
    withJobs(storage, "a");
    const job = await reporter.startJob("a");
    let written = 0;
    for await (const item of job.track([1, 2, 3])) if (item === 3) written = percentsOf(storage, "a").length;
    expect(written).toBeGreaterThan(1);
  });

  test("within a range reports within it", async () => {
    const { sink, percents } = recording();
    for await (const _ of sink.range(50, 100).track([1, 2]));
    expect(percents).toEqual([50, 75, 100]);
  });
});
