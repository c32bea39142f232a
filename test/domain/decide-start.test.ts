import { describe, expect, test } from "vitest";
import { decide } from "../../src/domain/decide.js";
import { at, command, failedJob, job, jobAfter, patchOf, progress, rules, start, written } from "./sample-job.js";

describe("a start", () => {
  test("of a pending job begins attempt 1 at 0 %", () => {
    const pending = job({ status: "pending", progress: 0, attempt: 0, progressAt: null, startedAt: null });
    expect(decide(pending, command(start({ message: "Beginning processing" })), rules)).toEqual({
      kind: "write",
      next: { status: "running", progress: 0, attempt: 1 },
      set: {
        startedAt: at,
        finishedAt: null,
        errorCode: null,
        errorMessage: null,
        output: null,
        step: null,
        message: "Beginning processing",
        rate: null,
        progressAt: at,
        updatedAt: at,
      },
      emits: true,
      completes: true,
    });
  });

  test("of a failed job clears what the failure left, and the wish to cancel", () => {
    expect(jobAfter(failedJob, decide(failedJob, command(start()), rules))).toEqual(
      job({ progress: 0, attempt: 3, step: null, message: null, progressAt: at, updatedAt: at }),
    );
  });

  test("a wish to cancel a job that is not over outlives the takeover", () => {
    const asked = job({ cancelRequested: true });
    expect(jobAfter(asked, decide(asked, command(start()), rules)).cancelRequested).toBe(true);
  });

  test("with resume keeps progress, step and message", () => {
    const resumed = jobAfter(failedJob, decide(failedJob, command(start({ resume: true })), rules));
    expect(resumed).toMatchObject({ attempt: 3, progress: 30, step: "slicing", message: "Slicing", errorCode: null });
    expect(resumed.progressAt).toBe(failedJob.progressAt);
  });

  test("of a named attempt begins a greater one, resumes an equal one, refuses a lesser one", () => {
    const starts = [7, 3, 2, 1].map((attempt) => decide(job(), command(start({ attempt })), rules));
    expect(starts.map((decision) => (decision.kind === "write" ? decision.next : decision.reason))).toEqual([
      { status: "running", progress: 0, attempt: 7 },
      { status: "running", progress: 0, attempt: 3 },
      { status: "running", progress: 30, attempt: 2 },
      "attempt 1 is stale, current attempt is 2",
    ]);
  });

  test("that resumes an attempt leaves its step and results, and is no event while it runs", () => {
    expect(decide(job(), command(start({ attempt: 2 })), rules)).toEqual({
      kind: "write",
      next: { status: "running", progress: 30, attempt: 2 },
      set: { rate: 0, updatedAt: at },
      emits: false,
      completes: true,
    });
  });

  test("does not resume an attempt that is over: a redelivered message does not run a finished job again", () => {
    expect(decide(failedJob, command(start({ attempt: 2 })), rules)).toMatchObject({ code: "JOB_FINISHED" });
  });

  test("of a running job takes it over, or is refused where asked", () => {
    expect(written(decide(job(), command(start()), rules)).next.attempt).toBe(3);
    expect(decide(job(), command(start({ ifRunning: "reject" })), rules)).toEqual({
      kind: "reject",
      code: "JOB_RUNNING",
      reason: 'attempt 2 is running; pass ifRunning "takeOver" to fence it off',
    });
  });

  test("fences off the worker of the attempt before", () => {
    const takenOver = jobAfter(job(), decide(job(), command(start()), rules));
    const outcomes = [2, 3].map((fence) => decide(takenOver, command(progress(50), { fence }), rules));
    expect(outcomes).toMatchObject([{ code: "STALE_ATTEMPT" }, { kind: "write" }]);
  });

  test("ignores the fence: the attempt it names is its own", () => {
    expect(decide(job(), command(start(), { fence: 1 }), rules)).toMatchObject({ kind: "write" });
  });

  test("sets started_at only the first time", () => {
    expect(patchOf(decide(failedJob, command(start()), rules))).not.toHaveProperty("startedAt");
    expect(patchOf(decide(job({ startedAt: null }), command(start()), rules))).toHaveProperty("startedAt", at);
  });
});
