import { describe, expect, test } from "vitest";
import { decide } from "../../src/domain/decide.js";
import type { JobStatus } from "../../src/domain/job-status.js";
import { at, command, failedJob, job, jobAfter, patchOf, progress, rules, toStatus, written } from "./sample-job.js";

const notCompleted: readonly JobStatus[] = ["failed", "cancelled", "timeout"];

describe("a change of status", () => {
  test("to completed sets 100 %, finished_at and the output", () => {
    const completion = toStatus("completed", { output: { output: "result.stl" }, message: "Success!" });
    expect(decide(job(), command(completion), rules)).toEqual({
      kind: "write",
      next: { status: "completed", progress: 100, attempt: 2 },
      set: { message: "Success!", output: { output: "result.stl" }, progressAt: at, finishedAt: at, updatedAt: at },
      emits: true,
      completes: true,
    });
  });

  test("to completed at 100 % leaves the time of progress", () => {
    expect(patchOf(decide(job({ progress: 100 }), command(toStatus("completed")), rules))).toEqual({
      finishedAt: at,
      updatedAt: at,
    });
  });

  test.each(notCompleted)("to %s keeps progress and sets finished_at", (status) => {
    expect(decide(job(), command(toStatus(status)), rules)).toMatchObject({
      next: { status, progress: 30, attempt: 2 },
      set: { finishedAt: at, updatedAt: at },
    });
  });

  test("raises progress to a percent it names, never lowers it, and floors it", () => {
    const percents = [75.9, 100, 30, 10].map((percent) => toStatus("failed", { percent }));
    expect(percents.map((change) => written(decide(job(), command(change), rules)).next.progress)).toEqual([
      75, 100, 30, 30,
    ]);
  });

  test("stores why a job failed, cut to size", () => {
    const failure = toStatus("failed", { errorCode: "E".repeat(300), errorMessage: "Something\0went wrong" });
    expect(patchOf(decide(job(), command(failure), rules))).toMatchObject({
      errorCode: `${"E".repeat(254)}…`,
      errorMessage: "Something\uFFFDwent wrong",
    });
  });

  test("a zombie attempt can neither complete, fail, cancel nor re-queue the job", () => {
    for (const status of ["completed", "failed", "cancelled", "timeout", "queued", "running"] as const) {
      const kinds = [1, 2, 3].map((fence) => decide(job(), command(toStatus(status), { fence }), rules).kind);
      expect(kinds).toEqual(["reject", "write", "reject"]);
      expect(decide(job(), command(toStatus(status), { fence: 1 }), rules)).toMatchObject({ code: "STALE_ATTEMPT" });
    }
  });

  test.each(["pending", "queued"] as const)(
    "to %s re-queues a finished job: its results go, its progress stays",
    (status) => {
      expect(jobAfter(failedJob, decide(failedJob, command(toStatus(status)), rules))).toEqual(
        job({ status, updatedAt: at }),
      );
    },
  );

  test("re-queueing a job that is not over leaves the wish to cancel it", () => {
    const asked = job({ cancelRequested: true });
    expect(jobAfter(asked, decide(asked, command(toStatus("queued")), rules)).cancelRequested).toBe(true);
  });

  test("to running sets started_at only the first time", () => {
    const queued = job({ status: "queued", startedAt: null });
    expect(patchOf(decide(queued, command(toStatus("running")), rules))).toHaveProperty("startedAt", at);
    const requeued = job({ status: "queued" });
    expect(patchOf(decide(requeued, command(toStatus("running")), rules))).not.toHaveProperty("startedAt");
  });

  test("an illegal one says what is legal, and for completion that the job must be started", () => {
    expect(decide(job({ status: "queued" }), command(toStatus("retrying")), rules)).toEqual({
      kind: "reject",
      code: "ILLEGAL_TRANSITION",
      reason: "it is queued, which may become pending, running, failed, cancelled, timeout, not retrying",
    });
    expect(decide(job({ status: "pending" }), command(toStatus("completed")), rules)).toMatchObject({
      reason: "it is pending, not running; call startJob first",
    });
  });
});

describe("progress that was not written before a change of status", () => {
  const unwritten = { percent: 60, step: "meshing", message: "Meshing", metrics: { items: 6 } };

  test("is written with the change, in one event", () => {
    const change = toStatus("failed", { errorCode: "E1", message: "Broken" });
    expect(decide(job(), command(change, { unwritten }), rules)).toEqual({
      kind: "write",
      next: { status: "failed", progress: 60, attempt: 2 },
      set: {
        step: "meshing",
        message: "Broken",
        metrics: { items: 6 },
        errorCode: "E1",
        progressAt: at,
        finishedAt: at,
        updatedAt: at,
      },
      emits: true,
      completes: true,
    });
  });

  test("keeps its step and metrics when the job is completed", () => {
    const decision = written(decide(job(), command(toStatus("completed"), { unwritten }), rules));
    expect(decision.next.progress).toBe(100);
    expect(decision.set).toMatchObject({ step: "meshing", metrics: { items: 6 } });
  });

  test("raises progress together with the percent of the change, whichever is greater", () => {
    const folded = [40, 80].map((percent) =>
      decide(job(), command(toStatus("failed", { percent }), { unwritten }), rules),
    );
    expect(folded.map((decision) => written(decision).next.progress)).toEqual([60, 80]);
  });

  test("is dropped whole when it is a decrease, and the change is stored", () => {
    const ahead = job({ progress: 70 });
    expect(decide(ahead, command(toStatus("failed"), { unwritten }), rules)).toMatchObject({
      next: { status: "failed", progress: 70 },
      set: { finishedAt: at, updatedAt: at },
    });
    expect(patchOf(decide(ahead, command(toStatus("failed"), { unwritten }), rules))).toEqual({
      finishedAt: at,
      updatedAt: at,
    });
  });

  test("does not come back with a re-queued job", () => {
    expect(jobAfter(failedJob, decide(failedJob, command(toStatus("queued"), { unwritten }), rules))).toEqual(
      job({ status: "queued", updatedAt: at }),
    );
  });

  test("is written first where only it makes the change legal", () => {
    const queued = job({ status: "queued", startedAt: null });
    const first = decide(queued, command(toStatus("completed"), { unwritten }), rules);
    expect(first).toEqual({ ...decide(queued, command(progress(60, unwritten)), rules), completes: false });
    const second = decide(jobAfter(queued, first), command(toStatus("completed")), rules);
    expect(second).toMatchObject({ next: { status: "completed", progress: 100 }, emits: true, completes: true });
  });

  test("that does not make the change legal is not written", () => {
    const untouched = job({ status: "pending", progress: 0 });
    for (const change of [toStatus("completed"), toStatus("retrying")]) {
      expect(decide(untouched, command(change, { unwritten: { percent: 0 } }), rules)).toMatchObject({
        code: "ILLEGAL_TRANSITION",
      });
    }
  });

  test("0 % that is first written with a status that stays is an event, as it is on its own", () => {
    const untouched = job({ progress: 0, progressAt: null });
    const folded = decide(untouched, command(toStatus("running"), { unwritten: { percent: 0 } }), rules);
    expect(folded).toMatchObject({ kind: "write", emits: true });
    expect(decide(untouched, command(progress(0)), rules)).toMatchObject({ kind: "write", emits: true });
    expect(decide(untouched, command(toStatus("running")), rules)).toMatchObject({ kind: "write", emits: false });
  });
});
