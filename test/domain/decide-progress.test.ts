import { describe, expect, test } from "vitest";
import { decide } from "../../src/domain/decide.js";
import { at, command, failedJob, job, patchOf, progress, rules, written } from "./sample-job.js";

const decimal = { ...rules, percentDecimals: null } as const;

describe("a report of progress", () => {
  test("stores what it says and when, and nothing else", () => {
    const report = progress(40, { step: "meshing", message: "Meshing", metrics: { items: 4 } });
    expect(decide(job(), command(report), rules)).toEqual({
      kind: "write",
      next: { status: "running", progress: 40, attempt: 2 },
      set: { step: "meshing", message: "Meshing", metrics: { items: 4 }, rate: 2, progressAt: at, updatedAt: at },
      emits: true,
      completes: true,
    });
    expect(patchOf(decide(job(), command(progress(31)), rules))).toEqual({ rate: 0.2, progressAt: at, updatedAt: at });
  });

  test("has its text cleaned and cut", () => {
    const limits = { ...rules.limits, labelLength: 4, messageLength: 6 };
    const report = progress(40, { step: "a\0b", message: "123456😀" });
    expect(patchOf(decide(job(), command(report), { ...rules, limits }))).toMatchObject({
      step: "a\uFFFDb",
      message: "12345…",
    });
  });

  test("a decrease is refused, naming both values", () => {
    expect(decide(job(), command(progress(29.9)), rules)).toEqual({
      kind: "reject",
      code: "PROGRESS_DECREASED",
      reason: "29 % is less than the stored 30 %",
    });
    expect(decide(job({ progress: 30.2 }), command(progress(30.1)), decimal)).toMatchObject({
      code: "PROGRESS_DECREASED",
      reason: "30.1 % is less than the stored 30.2 %",
    });
  });

  test("a whole column floors before it compares: 30.9 is no decrease of 30, and 99.9 is never 100", () => {
    expect(written(decide(job(), command(progress(30.9)), rules)).next.progress).toBe(30);
    expect(written(decide(job(), command(progress(99.9)), rules)).next.progress).toBe(99);
    expect(written(decide(job(), command(progress(99.9)), decimal)).next.progress).toBe(99.9);
  });

  test("a worker of an earlier or later attempt is stale, one of this attempt or of none is not", () => {
    const kinds = [1, 2, 3, null].map((fence) => decide(job(), command(progress(40), { fence }), rules).kind);
    expect(kinds).toEqual(["reject", "write", "reject", "write"]);
    expect(decide(job(), command(progress(40), { fence: 1 }), rules)).toEqual({
      kind: "reject",
      code: "STALE_ATTEMPT",
      reason: "attempt 1 is stale, current attempt is 2",
    });
  });

  test("a stale worker hears that it is stale, not that the job is finished or that its value is low", () => {
    for (const stored of [failedJob, job({ progress: 90 })]) {
      expect(decide(stored, command(progress(40), { fence: 1 }), rules)).toMatchObject({ code: "STALE_ATTEMPT" });
    }
  });

  test("a finished job is left alone, and the reason says what does change it", () => {
    expect(decide(failedJob, command(progress(40)), rules)).toEqual({
      kind: "reject",
      code: "JOB_FINISHED",
      reason: "it is failed; only startJob or re-queueing changes a finished job",
    });
  });

  test("the first running sets started_at, a later one does not", () => {
    const queued = job({ status: "queued", startedAt: null });
    expect(patchOf(decide(queued, command(progress(40)), rules))).toHaveProperty("startedAt", at);
    expect(patchOf(decide(job({ status: "queued" }), command(progress(40)), rules))).not.toHaveProperty("startedAt");
    const untouched = job({ status: "pending", progress: 0, startedAt: null });
    expect(patchOf(decide(untouched, command(progress(0)), rules))).not.toHaveProperty("startedAt");
  });

  test("100 % does not complete the job", () => {
    const decision = written(decide(job(), command(progress(100)), rules));
    expect(decision.next.status).toBe("running");
    expect(decision.set).not.toHaveProperty("finishedAt");
  });
});
