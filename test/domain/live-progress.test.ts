import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jobStatuses } from "../../src/domain/job-status.js";
import { newerProgress, notBehind, type ToldProgress } from "../../src/domain/live-progress.js";
import { job as sampleJob } from "./sample-job.js";

const running = sampleJob({
  status: "running",
  attempt: 2,
  progress: 40,
  step: "mesh",
  message: "m",
  progressAt: 1_000,
});
const told: ToldProgress = { attempt: 2, progress: 55.5, step: null, message: "Halfway", at: 2_000 };

describe("the newer of what is stored and what is told", () => {
  test("is what is told when it is higher, with what it leaves out from the storage", () => {
    const newer = { ...running, progress: 55.5, message: "Halfway", progressAt: 2_000 };
    expect(newerProgress(running, told, null)).toEqual(newer);
  });

  test("keeps the stored message and rate where neither is told", () => {
    const stored = { ...running, rate: 2 };
    const told = { attempt: 2, progress: 50, step: "solve", message: null, at: 2_000 };
    expect(newerProgress(stored, told, null)).toMatchObject({
      progress: 50,
      step: "solve",
      message: "m",
      rate: 2,
    });
  });

  test("is floored as the column stores it, so that what is stored next is not lower", () => {
    expect(newerProgress(running, told, 0).progress).toBe(55);
    const stored = { ...running, progress: 55, message: "Halfway", progressAt: 3_000 };
    expect(newerProgress(stored, told, 0)).toBe(stored);
  });

  test.each<[string, Partial<ToldProgress>]>([
    ["lower", { progress: 39 }],
    ["of an earlier attempt", { attempt: 1 }],
    ["of a later attempt", { attempt: 3 }],
    ["of a job that has ended", { status: "failed" }],
  ])("is what is stored when what is told is %s", (_, change) => {
    expect(newerProgress(running, { ...told, ...change }, null)).toBe(running);
  });

  test("takes another message at the same percent only from later", () => {
    expect(newerProgress(running, { ...told, progress: 40 }, 0).message).toBe("Halfway");
    expect(newerProgress(running, { ...told, progress: 40, at: 1_000 }, 0)).toBe(running);
  });

  test.each(jobStatuses.filter((status) => status !== "running"))("leaves a job that is %s alone", (status) => {
    const job = sampleJob({ status, attempt: 2, progress: 40 });
    expect(newerProgress(job, told, 0)).toBe(job);
  });

  test("never lowers the percent, whatever is told in whatever order", () => {
    const anyTold = fc.record({
      attempt: fc.integer({ min: 1, max: 3 }),
      progress: fc.double({ min: 0, max: 100, noNaN: true }),
      step: fc.constant(null),
      message: fc.option(fc.string()),
      at: fc.integer({ min: 0, max: 5_000 }),
    });
    fc.assert(
      fc.property(fc.array(anyTold), fc.constantFrom(0, 2, null), (all, percentDecimals) => {
        let job = running;
        for (const one of all) {
          const next = newerProgress(job, one, percentDecimals);
          expect(next.progress).toBeGreaterThanOrEqual(job.progress);
          expect([next.status, next.attempt]).toEqual([job.status, job.attempt]);
          job = next;
        }
      }),
    );
  });
});

describe("what is shown after a higher percent was shown", () => {
  const shown = { ...running, progress: 57, message: "Told", progressAt: 5_000 };

  test("keeps it, with its message, while the job runs", () => {
    expect(notBehind(running, shown)).toEqual({ ...running, progress: 57, message: "Told", progressAt: 5_000 });
  });

  test("keeps the percent alone when the worker died before writing it", () => {
    const over = { ...running, status: "timeout" as const };
    expect(notBehind(over, shown)).toEqual({ ...over, progress: 57 });
  });

  test("is what is stored for a new attempt, for higher progress and at first", () => {
    const next = { ...running, attempt: 3, progress: 0 };
    const higher = { ...running, progress: 58 };
    expect([notBehind(next, shown), notBehind(higher, shown), notBehind(running, null)]).toEqual([
      next,
      higher,
      running,
    ]);
  });
});
