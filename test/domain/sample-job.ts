import type { Change, Command } from "../../src/domain/command.js";
import type { Decision, Rules } from "../../src/domain/decide.js";
import { applyPatch, type JobPatch, type JobSnapshot } from "../../src/domain/job-snapshot.js";
import { type JobStatus, jobStatuses } from "../../src/domain/job-status.js";
import { defaultLimits } from "../../src/domain/limits.js";
import type { ProgressUpdate } from "../../src/domain/progress-update.js";

/** When sample commands happen. */
export const at = Date.UTC(2024, 0, 20, 10, 30);

export const rules: Rules = { percentDecimals: 0, statuses: new Set(jobStatuses), limits: defaultLimits };

/** The rules of a mapping that lacks spellings. */
export function rulesWithout(...missing: readonly JobStatus[]): Rules {
  return { ...rules, statuses: new Set(jobStatuses.filter((status) => !missing.includes(status))) };
}

/** A job in its second attempt at 30 %, started an hour ago. */
export function job(differences: Partial<JobSnapshot> = {}): JobSnapshot {
  return {
    id: "123",
    type: "model",
    status: "running",
    progress: 30,
    attempt: 2,
    step: "slicing",
    message: "Slicing",
    metrics: null,
    output: null,
    errorCode: null,
    errorMessage: null,
    cancelRequested: false,
    rate: null,
    artefacts: [],
    queuePosition: null,
    progressAt: at - 5_000,
    startedAt: at - 3_600_000,
    finishedAt: null,
    updatedAt: at - 5_000,
    ...differences,
  };
}

/** A failed job with all that a failure leaves behind. */
export const failedJob = job({
  status: "failed",
  finishedAt: at - 1_000,
  errorCode: "E1",
  errorMessage: "Broken",
  output: { file: "half.stl" },
  cancelRequested: true,
});

export function command(change: Change, rest: Partial<Command> = {}): Command {
  return { change, fence: null, unwritten: null, at, ...rest };
}

export function progress(percent: number, rest: Omit<ProgressUpdate, "percent"> = {}): Change {
  return { kind: "progress", update: { percent, ...rest } };
}

export function start(rest: Partial<Extract<Change, { kind: "start" }>> = {}): Change {
  return { kind: "start", resume: false, ifRunning: "takeOver", ...rest };
}

export function toStatus(status: JobStatus, rest: Partial<Extract<Change, { kind: "status" }>> = {}): Change {
  return { kind: "status", status, ...rest };
}

export type Write = Extract<Decision, { kind: "write" }>;

/** The decision as a write. @throws when it is a reject */
export function written(decision: Decision): Write {
  if (decision.kind === "write") return decision;
  throw new Error(`Rejected with ${decision.code}: ${decision.reason}`);
}

/** The patch of a decision that must be a write. */
export function patchOf(decision: Decision): JobPatch {
  return written(decision).set;
}

/** The job after a decision. */
export function jobAfter(previous: JobSnapshot, decision: Decision): JobSnapshot {
  return decision.kind === "reject" ? previous : applyPatch(previous, decision.next, decision.set);
}
