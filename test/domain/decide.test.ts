import { describe, expect, test } from "vitest";
import type { Change } from "../../src/domain/command.js";
import { type Decision, decide } from "../../src/domain/decide.js";
import type { JobSnapshot } from "../../src/domain/job-snapshot.js";
import { isTerminal, jobStatuses } from "../../src/domain/job-status.js";
import { at, command, job, progress, rules, rulesWithout, start, toStatus } from "./sample-job.js";
import { tableOf, textTable } from "./text-table.js";

/** A job in its second attempt at 30 %. */
const stored = jobStatuses.map((status) => job({ status, finishedAt: isTerminal(status) ? at - 1_000 : null }));

/** Stored jobs down, changes across; "!" marks an event. */
function outcomes(jobs: readonly JobSnapshot[], changes: Readonly<Record<string, Change>>, known = rules): string {
  const rows = jobs.map((previous) => [
    previous.status,
    ...Object.values(changes).map((change) => outcome(decide(previous, command(change), known))),
  ]);
  return textTable([["stored", ...Object.keys(changes)], ...rows]);
}

function outcome(decision: Decision): string {
  if (decision.kind === "reject") return decision.code.toLowerCase();
  const { status, progress: percent, attempt } = decision.next;
  return `${status} ${percent}% #${attempt}${decision.emits ? " !" : ""}`;
}

describe("what becomes of a job at 30 % in attempt 2 (!: with an event)", () => {
  test("when progress is reported", () => {
    const changes = { "29 %": progress(29), "30 %": progress(30), "39 %": progress(39), "100 %": progress(100) };
    expect(outcomes(stored, changes)).toBe(
      tableOf(`
        stored     29 %                30 %               39 %               100 %
        pending    progress_decreased  running 30% #2 !   running 39% #2 !   running 100% #2 !
        queued     progress_decreased  running 30% #2 !   running 39% #2 !   running 100% #2 !
        running    progress_decreased  running 30% #2     running 39% #2     running 100% #2 !
        retrying   progress_decreased  retrying 30% #2    retrying 39% #2    retrying 100% #2 !
        completed  job_finished        job_finished       job_finished       job_finished
        failed     job_finished        job_finished       job_finished       job_finished
        cancelled  job_finished        job_finished       job_finished       job_finished
        timeout    job_finished        job_finished       job_finished       job_finished
      `),
    );
  });

  test("when it is started", () => {
    const changes = {
      start: start(),
      "resume: true": start({ resume: true }),
      "attempt: 2": start({ attempt: 2 }),
      "attempt: 1": start({ attempt: 1 }),
      'ifRunning: "reject"': start({ ifRunning: "reject" }),
    };
    expect(outcomes(stored, changes)).toBe(
      tableOf(`
        stored     start            resume: true      attempt: 2        attempt: 1     ifRunning: "reject"
        pending    running 0% #3 !  running 30% #3 !  running 30% #2 !  stale_attempt  running 0% #3 !
        queued     running 0% #3 !  running 30% #3 !  running 30% #2 !  stale_attempt  running 0% #3 !
        running    running 0% #3 !  running 30% #3 !  running 30% #2    stale_attempt  job_running
        retrying   running 0% #3 !  running 30% #3 !  running 30% #2 !  stale_attempt  running 0% #3 !
        completed  running 0% #3 !  running 30% #3 !  job_finished      stale_attempt  running 0% #3 !
        failed     running 0% #3 !  running 30% #3 !  job_finished      stale_attempt  running 0% #3 !
        cancelled  running 0% #3 !  running 30% #3 !  job_finished      stale_attempt  running 0% #3 !
        timeout    running 0% #3 !  running 30% #3 !  job_finished      stale_attempt  running 0% #3 !
      `),
    );
  });

  test("when its status is set to one in which it is not over", () => {
    const [pending, queued, running, retrying] = ["pending", "queued", "running", "retrying"] as const;
    const changes = {
      pending: toStatus(pending),
      queued: toStatus(queued),
      running: toStatus(running),
      retrying: toStatus(retrying),
    };
    expect(outcomes(stored, changes)).toBe(
      tableOf(`
        stored     pending           queued           running             retrying
        pending    pending 30% #2    queued 30% #2 !  running 30% #2 !    illegal_transition
        queued     pending 30% #2 !  queued 30% #2    running 30% #2 !    illegal_transition
        running    pending 30% #2 !  queued 30% #2 !  running 30% #2      retrying 30% #2 !
        retrying   pending 30% #2 !  queued 30% #2 !  running 30% #2 !    retrying 30% #2
        completed  pending 30% #2 !  queued 30% #2 !  job_finished        job_finished
        failed     pending 30% #2 !  queued 30% #2 !  job_finished        job_finished
        cancelled  pending 30% #2 !  queued 30% #2 !  job_finished        job_finished
        timeout    pending 30% #2 !  queued 30% #2 !  job_finished        job_finished
      `),
    );
  });

  test("when its status is set to one in which it is over", () => {
    const changes = {
      completed: toStatus("completed"),
      failed: toStatus("failed"),
      cancelled: toStatus("cancelled"),
      timeout: toStatus("timeout"),
    };
    expect(outcomes(stored, changes)).toBe(
      tableOf(`
        stored     completed            failed           cancelled           timeout
        pending    illegal_transition   failed 30% #2 !  cancelled 30% #2 !  timeout 30% #2 !
        queued     illegal_transition   failed 30% #2 !  cancelled 30% #2 !  timeout 30% #2 !
        running    completed 100% #2 !  failed 30% #2 !  cancelled 30% #2 !  timeout 30% #2 !
        retrying   illegal_transition   failed 30% #2 !  cancelled 30% #2 !  timeout 30% #2 !
        completed  job_finished         job_finished     job_finished        job_finished
        failed     job_finished         job_finished     job_finished        job_finished
        cancelled  job_finished         job_finished     job_finished        job_finished
        timeout    job_finished         job_finished     job_finished        job_finished
      `),
    );
  });
});

test("a job that is pending or queued at 0 % moves with its progress", () => {
  const untouched = stored.slice(0, 3).map((one) => ({ ...one, progress: 0, progressAt: null }));
  expect(outcomes(untouched, { "0 %": progress(0), "0.4 %": progress(0.4), "1 %": progress(1) })).toBe(
    tableOf(`
      stored   0 %              0.4 %            1 %
      pending  queued 0% #2 !   queued 0% #2 !   running 1% #2 !
      queued   queued 0% #2 !   queued 0% #2 !   running 1% #2 !
      running  running 0% #2 !  running 0% #2 !  running 1% #2 !
    `),
  );
});

describe("where the mapping lacks a spelling", () => {
  const pending = [job({ status: "pending", progress: 0 })];

  test("what would write that status is refused", () => {
    const lacking = rulesWithout("running", "timeout", "retrying");
    const changes = { "50 %": progress(50), start: start(), timeout: toStatus("timeout"), failed: toStatus("failed") };
    expect(outcomes(pending, changes, lacking)).toBe(
      tableOf(`
        stored   50 %            start           timeout         failed
        pending  unknown_status  unknown_status  unknown_status  failed 0% #2 !
      `),
    );
  });

  test("of queued, a pending job at 0 % stays pending", () => {
    const changes = { "0 %": progress(0), "1 %": progress(1), queued: toStatus("queued") };
    expect(outcomes(pending, changes, rulesWithout("queued"))).toBe(
      tableOf(`
        stored   0 %            1 %              queued
        pending  pending 0% #2  running 1% #2 !  unknown_status
      `),
    );
  });

  test("the reason names the status and what to do", () => {
    expect(decide(job(), command(toStatus("timeout")), rulesWithout("timeout"))).toEqual({
      kind: "reject",
      code: "UNKNOWN_STATUS",
      reason: 'the mapping has no spelling for status "timeout"; add one to its statuses',
    });
  });
});
