import { describe, expect, test } from "vitest";
import type { Change } from "../../src/domain/command.js";
import { decide } from "../../src/domain/decide.js";
import { jobStatuses } from "../../src/domain/job-status.js";
import { at, command, failedJob, job, rules, written } from "./sample-job.js";

const touch: Change = { kind: "touch" };
const expire = (silentSince: number): Change => ({ kind: "expire", silentSince });
const requestCancel = (reason?: string): Change => ({ kind: "requestCancel", reason });

describe("a request to cancel", () => {
  test("flags a running job, is no event, and does not pass for a sign of life of its worker", () => {
    const decision = written(decide(job(), command(requestCancel("Not needed")), rules));
    expect(decision).toMatchObject({ next: { status: "running", progress: 30, attempt: 2 }, emits: false });
    expect(decision.set).toEqual({ cancelRequested: true, message: "Not needed", updatedAt: at - 5_000 });
  });

  test.each(["pending", "queued", "retrying"] as const)("ends a %s job, which no worker runs", (status) => {
    const decision = written(decide(job({ status }), command(requestCancel()), rules));
    expect(decision).toMatchObject({ next: { status: "cancelled", progress: 30 }, emits: true });
  });

  test("may come from a process that took part in an earlier attempt", () => {
    expect(decide(job(), command(requestCancel(), { fence: 1 }), rules)).toMatchObject({ kind: "write" });
  });

  test("of a finished job is refused", () => {
    expect(decide(failedJob, command(requestCancel()), rules)).toMatchObject({ code: "JOB_FINISHED" });
  });
});

describe("a sign of life", () => {
  test("renews the time and nothing else", () => {
    const decision = written(decide(job(), command(touch, { fence: 2 }), rules));
    expect(decision).toMatchObject({ next: { status: "running", progress: 30, attempt: 2 }, emits: false });
    expect(decision.set).toEqual({ updatedAt: at });
  });

  test("of an earlier attempt, or of a finished job, is refused", () => {
    expect(decide(job(), command(touch, { fence: 1 }), rules)).toMatchObject({ code: "STALE_ATTEMPT" });
    expect(decide(failedJob, command(touch, { fence: 2 }), rules)).toMatchObject({ code: "JOB_FINISHED" });
  });
});

describe("timing out", () => {
  test("ends a running job that was silent, and holds only while it is", () => {
    const decision = written(decide(job(), command(expire(at - 4_000)), rules));
    expect(decision).toMatchObject({ next: { status: "timeout", progress: 30 }, silentSince: at - 4_000, emits: true });
    expect(decision.set.finishedAt).toBe(at);
  });

  test("may come from a process that took part in an earlier attempt", () => {
    expect(decide(job(), command(expire(at), { fence: 1 }), rules)).toMatchObject({ kind: "write" });
  });

  test("goes by the time of progress where no other is kept", () => {
    const heardOf = (updatedAt: number | null) =>
      decide(job({ updatedAt, progressAt: at - 5_000 }), command(expire(at - 4_000)), rules);
    expect(heardOf(null)).toMatchObject({ next: { status: "timeout" } });
    expect(heardOf(at - 3_000)).toMatchObject({ code: "JOB_NOT_STALLED" });
  });

  test("counts the instant itself as silence, as the table does", () => {
    expect(decide(job(), command(expire(at - 5_000)), rules)).toMatchObject({ next: { status: "timeout" } });
  });

  test("spares a job that was heard of", () => {
    expect(decide(job(), command(expire(at - 6_000)), rules)).toMatchObject({ code: "JOB_NOT_STALLED" });
  });

  test("spares a job that keeps no time", () => {
    const timeless = job({ updatedAt: null, progressAt: null });
    expect(decide(timeless, command(expire(at)), rules)).toMatchObject({ code: "JOB_NOT_STALLED" });
  });

  test.each(jobStatuses.filter((status) => status !== "running"))("spares a %s job", (status) => {
    expect(decide(job({ status }), command(expire(at)), rules)).toMatchObject({ code: "JOB_NOT_STALLED" });
  });
});
