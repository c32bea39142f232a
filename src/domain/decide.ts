import type { Change, Command } from "./command.js";
import type { ErrorCode } from "./errors.js";
import type { JobPatch, JobSnapshot, JobVersion } from "./job-snapshot.js";
import { canTransition, isTerminal, type JobStatus, nextStatuses } from "./job-status.js";
import type { Limits } from "./limits.js";
import { isNotable } from "./milestone.js";
import { storedPercent } from "./percent.js";
import type { ProgressUpdate } from "./progress-update.js";
import { nextRate } from "./rate.js";
import { cleanText } from "./text.js";

/** What the rules depend on besides the job and the change. */
export interface Rules {
  /** How many decimal places of a percent are stored; null for as many as a number has. */
  readonly percentDecimals: number | null;
  readonly statuses: ReadonlySet<JobStatus>;
  readonly limits: Limits;
}

/** What is to be stored of a command, or why nothing is. */
export type Decision =
  | {
      readonly kind: "write";
      readonly next: JobVersion;
      readonly set: JobPatch;
      /** Set when the write holds only if nothing was heard of the job since, in milliseconds since the epoch. */
      readonly silentSince?: number;
      /** Whether the change is an event to the world. */
      readonly emits: boolean;
      /** Whether this write is all of the command; else it is to be decided again, without `unwritten`, on the new state. */
      readonly completes: boolean;
    }
  | { readonly kind: "reject"; readonly code: ErrorCode; readonly reason: string };

/**
 * The one place that decides. Pure: same job, command and rules, same decision. The caller stores a write only if the
 * job's version is still the one decided on, else loads and decides again.
 */
export function decide(previous: JobSnapshot, command: Command, rules: Rules): Decision {
  const { change, fence } = command;
  if (change.kind === "start") return decideStart(previous, change, command.at, rules);
  if (change.kind === "requestCancel") return decideCancelRequest(previous, change.reason, command, rules);
  if (change.kind === "expire") return decideExpiry(previous, change.silentSince, command, rules);
  if (fence !== null && fence !== previous.attempt) return stale(fence, previous.attempt);
  switch (change.kind) {
    case "progress":
      return decideProgress(previous, change.update, command.at, rules);
    case "status":
      return decideStatus(previous, change, command, rules);
    case "touch":
      return isTerminal(previous.status) ? finished(previous) : silently(previous, { updatedAt: command.at });
  }
}

type StartChange = Extract<Change, { kind: "start" }>;
type StatusChange = Extract<Change, { kind: "status" }>;

function decideProgress(previous: JobSnapshot, update: ProgressUpdate, at: number, rules: Rules): Decision {
  if (isTerminal(previous.status)) return finished(previous);
  const progress = storedPercent(update.percent, rules.percentDecimals);
  if (progress < previous.progress) {
    return reject("PROGRESS_DECREASED", `${progress} % is less than the stored ${previous.progress} %`);
  }
  const status = statusByProgress(previous.status, progress, rules);
  if (!rules.statuses.has(status)) return unspelled(status);
  return {
    kind: "write",
    next: { status, progress, attempt: previous.attempt },
    set: {
      ...patchOf(update, rules.limits),
      ...firstStart(previous, status, at),
      rate: rateAfter(previous, progress, at),
      progressAt: at,
      updatedAt: at,
    },
    emits: status !== previous.status || isNotable(previous.progress, progress, previous.progressAt === null),
    completes: true,
  };
}

function decideStart(previous: JobSnapshot, change: StartChange, at: number, rules: Rules): Decision {
  const attempt = change.attempt ?? previous.attempt + 1;
  if (attempt < previous.attempt) return stale(attempt, previous.attempt);
  const resumesAttempt = attempt === previous.attempt;
  if (resumesAttempt && isTerminal(previous.status)) return finished(previous);
  if (previous.status === "running" && change.ifRunning === "reject") {
    return reject("JOB_RUNNING", `attempt ${previous.attempt} is running; pass ifRunning "takeOver" to fence it off`);
  }
  if (!rules.statuses.has("running")) return unspelled("running");
  const keeps = resumesAttempt || change.resume;
  return {
    kind: "write",
    next: { status: "running", progress: keeps ? previous.progress : 0, attempt },
    set: {
      ...leavingTerminal(previous),
      ...(resumesAttempt ? {} : noResult),
      ...firstStart(previous, "running", at),
      ...(keeps ? paceAnew : { step: null, message: null, rate: null, progressAt: at }),
      ...text("message", change.message, rules.limits.messageLength),
      updatedAt: at,
    },
    emits: !resumesAttempt || previous.status !== "running",
    completes: true,
  };
}

function decideStatus(stored: JobSnapshot, change: StatusChange, command: Command, rules: Rules): Decision {
  const { status } = change;
  if (isTerminal(stored.status) && status !== "pending" && status !== "queued") return finished(stored);
  if (!rules.statuses.has(status)) return unspelled(status);
  const unwritten = acceptable(stored, command.unwritten, rules);
  if (!canTransition(stored.status, status)) {
    const first = unwritten === null ? null : decideProgress(stored, unwritten, command.at, rules);
    return first?.kind === "write" && canTransition(first.next.status, status)
      ? { ...first, completes: false }
      : reject("ILLEGAL_TRANSITION", illegal(stored.status, status));
  }
  const progress = progressAfter(stored, change, unwritten, rules);
  const writesProgress = unwritten !== null || progress !== stored.progress;
  return {
    kind: "write",
    next: { status, progress, attempt: stored.attempt },
    set: {
      ...leavingTerminal(stored),
      ...firstStart(stored, status, command.at),
      ...(unwritten === null ? {} : patchOf(unwritten, rules.limits)),
      ...detailsOf(change, rules.limits),
      ...(writesProgress ? { progressAt: command.at } : {}),
      ...(status === "running" ? paceWhileRunning(stored, writesProgress ? progress : null, command.at) : {}),
      ...(isTerminal(status) ? { finishedAt: command.at } : {}),
      updatedAt: command.at,
    },
    emits:
      status !== stored.status || isNotable(stored.progress, progress, writesProgress && stored.progressAt === null),
    completes: true,
  };
}

/** The worker is asked to stop; where none runs the job is over at once. What the worker last said stays its last sign of life. */
function decideCancelRequest(
  stored: JobSnapshot,
  reason: string | undefined,
  command: Command,
  rules: Rules,
): Decision {
  if (stored.status !== "running") {
    return decideStatus(stored, { kind: "status", status: "cancelled", message: reason }, command, rules);
  }
  return silently(stored, {
    cancelRequested: true,
    ...text("message", reason, rules.limits.messageLength),
    updatedAt: stored.updatedAt ?? command.at,
  });
}

function decideExpiry(stored: JobSnapshot, silentSince: number, command: Command, rules: Rules): Decision {
  const heardAt = stored.updatedAt ?? stored.progressAt;
  if (stored.status !== "running") return reject("JOB_NOT_STALLED", `it is ${stored.status}, not running`);
  if (heardAt === null || heardAt > silentSince) {
    return reject("JOB_NOT_STALLED", "its worker has been heard of meanwhile, or keeps no time of it");
  }
  const decision = decideStatus(stored, { kind: "status", status: "timeout" }, command, rules);
  return decision.kind === "write" ? { ...decision, silentSince } : decision;
}

/** A write that is no news to the world and leaves the version as it is. */
function silently({ status, progress, attempt }: JobSnapshot, set: JobPatch): Decision {
  return { kind: "write", next: { status, progress, attempt }, set, emits: false, completes: true };
}

/** Of a job that goes on after a pause: the time since its progress was written says nothing of its pace. */
const paceAnew = { rate: 0 } as const;

function rateAfter(previous: JobSnapshot, progress: number, at: number): number | null {
  if (previous.status !== "running" || previous.progressAt === null) return null;
  if (previous.rate === paceAnew.rate) return progress > previous.progress ? null : paceAnew.rate;
  const from = { percent: previous.progress, at: firstMoveFrom(previous) ?? previous.progressAt };
  return nextRate(previous.rate, from, { percent: progress, at });
}

/** What a first attempt took until it first moved, however often it was written at 0 %; null where that is not known. */
function firstMoveFrom({ attempt, progress, startedAt }: JobSnapshot): number | null {
  return attempt <= 1 && progress === 0 ? startedAt : null;
}

function paceWhileRunning(stored: JobSnapshot, written: number | null, at: number): Pick<JobPatch, "rate"> {
  if (stored.status !== "running") return paceAnew;
  return written === null ? {} : { rate: rateAfter(stored, written, at) };
}

/** 0 % on pending queues the job where the mapping knows "queued"; more than 0 % runs it. Completion is explicit. */
function statusByProgress(status: JobStatus, progress: number, rules: Rules): JobStatus {
  if (status !== "pending" && status !== "queued") return status;
  if (progress > 0) return "running";
  return rules.statuses.has("queued") ? "queued" : status;
}

function progressAfter(
  stored: JobSnapshot,
  change: StatusChange,
  unwritten: ProgressUpdate | null,
  rules: Rules,
): number {
  if (change.status === "completed") return 100;
  const reported = Math.max(change.percent ?? 0, unwritten?.percent ?? 0);
  return Math.max(stored.progress, storedPercent(reported, rules.percentDecimals));
}

/** Unwritten progress that storing on its own would accept; else null. */
function acceptable(stored: JobSnapshot, update: ProgressUpdate | null, rules: Rules): ProgressUpdate | null {
  if (update === null || isTerminal(stored.status)) return null;
  return storedPercent(update.percent, rules.percentDecimals) < stored.progress ? null : update;
}

function patchOf(update: ProgressUpdate, limits: Limits): Omit<JobPatch, "updatedAt"> {
  return {
    ...text("step", update.step, limits.labelLength),
    ...text("message", update.message, limits.messageLength),
    ...(update.metrics === undefined ? {} : { metrics: update.metrics }),
  };
}

function detailsOf(change: StatusChange, limits: Limits): Omit<JobPatch, "updatedAt"> {
  return {
    ...text("step", change.step, limits.labelLength),
    ...text("message", change.message, limits.messageLength),
    ...text("errorCode", change.errorCode, limits.labelLength),
    ...text("errorMessage", change.errorMessage, limits.messageLength),
    ...(change.output === undefined ? {} : { output: change.output }),
  };
}

function firstStart(previous: JobSnapshot, status: JobStatus, at: number): Pick<JobPatch, "startedAt"> {
  return status === "running" && previous.startedAt === null ? { startedAt: at } : {};
}

const noResult = { finishedAt: null, errorCode: null, errorMessage: null, output: null } as const;

function leavingTerminal(previous: JobSnapshot): Omit<JobPatch, "updatedAt"> {
  return isTerminal(previous.status) ? { ...noResult, cancelRequested: false } : {};
}

function text<K extends "step" | "message" | "errorCode" | "errorMessage">(
  key: K,
  value: string | undefined,
  maxLength: number,
): { readonly [P in K]?: string } {
  return value === undefined ? {} : ({ [key]: cleanText(value, maxLength) } as { readonly [P in K]: string });
}

function reject(code: ErrorCode, reason: string): Decision {
  return { kind: "reject", code, reason };
}

function stale(attempt: number, current: number): Decision {
  return reject("STALE_ATTEMPT", `attempt ${attempt} is stale, current attempt is ${current}`);
}

function finished(job: JobSnapshot): Decision {
  return reject("JOB_FINISHED", finishedReason(job.status));
}

/** Why a finished job is left alone. */
export function finishedReason(status: JobStatus): string {
  return `it is ${status}; only startJob or re-queueing changes a finished job`;
}

function unspelled(status: JobStatus): Decision {
  return reject("UNKNOWN_STATUS", `the mapping has no spelling for status "${status}"; add one to its statuses`);
}

function illegal(from: JobStatus, to: JobStatus): string {
  return to === "completed"
    ? `it is ${from}, not running; call startJob first`
    : `it is ${from}, which may become ${nextStatuses(from).join(", ")}, not ${to}`;
}
