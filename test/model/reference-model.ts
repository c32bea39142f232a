/**
 * What a job may do, said a second time: written from the design, importing nothing of the library. `decide` and this page
 * are two sources; a stored change has to be right by both.
 */

export interface Version {
  readonly status: string;
  readonly progress: number;
  readonly attempt: number;
}

/** A job as this model knows it. */
export interface ModelJob extends Version {
  readonly id: string;
  /**
   * Every text that was ever stored, newest first. A process decides on the version it knows, and tells the texts it knows
   * with it: where another process wrote texts alone, older ones.
   */
  readonly steps: readonly (string | null)[];
  readonly messages: readonly (string | null)[];
  /** When it first ran, by the wall clock; null while it never did. */
  readonly startedAt: number | null;
  readonly finished: boolean;
  /** Whether progress was ever written. */
  readonly reported: boolean;
  /** Whether that was so when this version came about: a process that decides on the version it knows may know no more. */
  readonly reportedBefore: boolean;
  readonly cancelRequested: boolean;
  /** When anything was heard of it, by the wall clock. */
  readonly heardAt: number | null;
}

/** Why a change was stored: what somebody asked for. `attempt` is that of the handle that asked, null for no handle. */
export type Cause =
  | { readonly kind: "report"; readonly percent: number; readonly attempt: number | null }
  | { readonly kind: "start"; readonly named: number | null; readonly resume: boolean; readonly reject: boolean }
  | {
      readonly kind: "status";
      readonly status: string;
      readonly percent: number;
      readonly attempt: number | null;
      readonly error: { readonly code: string; readonly message: string } | null;
    }
  | { readonly kind: "cancel request" }
  | { readonly kind: "timeout"; readonly silentSince: number }
  | { readonly kind: "sign of life" };

/** Progress that waited and was stored with the change. */
export interface Carried {
  readonly percent: number;
  readonly attempt: number | null;
}

/** What was stored, as the storage was told. */
export interface StoredChange {
  readonly expected: Version;
  readonly next: Version;
  readonly set: Readonly<Record<string, unknown>> & { readonly updatedAt: number };
  /** When the job first ran, as stored afterwards. */
  readonly startedAt: number | null;
  /** Undefined where events are not stored. */
  readonly event: Readonly<Record<string, unknown>> | null | undefined;
}

/** What has to become of a job, or why nothing may. */
type Verdict = { readonly next: Version; readonly tells: boolean } | { readonly refused: string };

const over = ["completed", "failed", "cancelled", "timeout"];
const milestones = [25, 50, 75, 100];

export function isOver(status: string): boolean {
  return over.includes(status);
}

/** Within an attempt; `startJob` goes from anywhere to running. */
export function mayMove(from: string, to: string): boolean {
  const requeues = to === "pending" || to === "queued";
  if (isOver(from)) return requeues;
  if (from === to) return true;
  if (to === "completed" || to === "retrying") return from === "running";
  if (requeues && from === "pending") return to === "queued";
  return true;
}

/** Stored percents are whole: 99.9 is never 100. */
export function whole(percent: number): number {
  return Math.floor(Math.min(100, Math.max(0, percent)));
}

/** What the design says must become of `job`. */
export function verdictOn(job: ModelJob, cause: Cause, carried: Carried | null): Verdict {
  const { status, progress, attempt } = job;
  const keeps: Version = { status, progress, attempt };
  if ("attempt" in cause && cause.attempt !== null && cause.attempt !== attempt)
    return { refused: `attempt ${cause.attempt} is stale` };
  if (carried !== null && carried.attempt !== null && carried.attempt !== attempt)
    return { refused: `it carries progress of attempt ${carried.attempt}` };
  switch (cause.kind) {
    case "report": {
      const percent = whole(cause.percent);
      if (isOver(status)) return { refused: "the job is over" };
      if (percent < progress) return { refused: `${percent} % is a decrease` };
      const waits = status === "pending" || status === "queued";
      const becomes = !waits ? status : percent > 0 ? "running" : "queued";
      const tells = becomes !== status || isNews(job, percent, true);
      return { next: { status: becomes, progress: percent, attempt }, tells };
    }
    case "start": {
      const begins = cause.named ?? attempt + 1;
      if (begins < attempt) return { refused: `attempt ${begins} is stale` };
      if (begins === attempt && isOver(status)) return { refused: "the job is over" };
      if (status === "running" && cause.reject) return { refused: "the job is running" };
      const kept = cause.resume || begins === attempt ? progress : 0;
      return {
        next: { status: "running", progress: kept, attempt: begins },
        tells: begins > attempt || status !== "running",
      };
    }
    case "status":
      return moved(job, cause.status, Math.max(cause.percent, carried?.percent ?? 0), carried !== null);
    case "cancel request":
      return status === "running"
        ? { next: keeps, tells: false }
        : moved(job, "cancelled", carried?.percent ?? 0, false);
    case "timeout": {
      if (status !== "running") return { refused: `it is ${status}, not running` };
      if (job.heardAt === null || job.heardAt > cause.silentSince)
        return { refused: "its worker was heard of meanwhile" };
      return moved(job, "timeout", carried?.percent ?? 0, carried !== null);
    }
    case "sign of life":
      return isOver(status) ? { refused: "the job is over" } : { next: keeps, tells: false };
  }
}

function moved(job: ModelJob, to: string, percent: number, reports: boolean): Verdict {
  if (!mayMove(job.status, to)) return { refused: `${job.status} may not become ${to}` };
  const progress = to === "completed" ? 100 : Math.max(job.progress, whole(percent));
  const tells = to !== job.status || isNews(job, progress, reports || progress > job.progress);
  return { next: { status: to, progress, attempt: job.attempt }, tells };
}

/** A milestone reached, 0 when first written, or a step of ten points and more. */
function isNews(job: ModelJob, now: number, reports: boolean): boolean {
  if (reports && !job.reported && job.progress === 0) return true;
  return now - job.progress >= 10 || milestones.some((milestone) => job.progress < milestone && milestone <= now);
}

/** Everything that is wrong with a stored change, in words. */
export function violationsOf(job: ModelJob, change: StoredChange, cause: Cause, carried: Carried | null): string[] {
  const { expected, next, set } = change;
  const found: string[] = [];
  const hold = (rule: string, holds: boolean) => holds || found.push(rule);
  const verdict = verdictOn(job, cause, carried);
  hold(`was decided on ${said(expected)}, but ${said(job)} was stored`, said(expected) === said(job));
  if (next.attempt === job.attempt)
    hold(`progress fell from ${job.progress} to ${next.progress}`, next.progress >= job.progress);
  else hold("an attempt may only grow", next.attempt > job.attempt);
  if ("refused" in verdict) return [...found, `should have been refused: ${verdict.refused}`];
  hold(`should have become ${said(verdict.next)}`, said(verdict.next) === said(next));
  const { event } = change;
  if (event === null) hold("its event is missing", !verdict.tells);
  else if (event !== undefined && !mayTell(job, cause, carried)) found.push("has an event, but none was due");
  else if (event !== undefined && !mayBeEvent(event, job, change, cause)) found.push(`tells ${JSON.stringify(event)}`);
  const firstRun = startedAfter(job, change);
  hold(`started_at should be ${firstRun}, not ${change.startedAt}`, change.startedAt === firstRun);
  const finishes = isOver(next.status) && !isOver(job.status);
  hold("finished_at is to be set when a job is over", !finishes || set.finishedAt === set.updatedAt);
  hold(
    "finished_at is to be emptied when a job lives again",
    isOver(next.status) || !job.finished || set.finishedAt === null,
  );
  const asks = cause.kind === "cancel request" && job.status === "running";
  hold("only a request asks for cancellation", (set.cancelRequested === true) === asks);
  return found;
}

/** Whether a change has to have an event. */
export function mustTell(job: ModelJob, cause: Cause, carried: Carried | null): boolean {
  const verdict = verdictOn(job, cause, carried);
  return "tells" in verdict && verdict.tells;
}

/** Whether a payload may be the event of a change. */
export function mayBeEvent(
  payload: Readonly<Record<string, unknown>>,
  job: ModelJob,
  { next, set }: StoredChange,
  cause: Cause,
): boolean {
  const error = cause.kind === "status" ? cause.error : null;
  const steps = set.step === undefined ? job.steps : [set.step];
  const messages = set.message === undefined ? job.messages : [set.message];
  const told = {
    event_id: payload.event_id,
    event_type: "job.status.changed",
    timestamp: new Date(set.updatedAt).toISOString(),
    job_id: job.id,
    status: next.status,
    progress: next.progress,
    attempt: next.attempt,
    previous_status: job.status,
    previous_progress: job.progress,
    step: steps.find((step) => step === payload.step),
    message: messages.find((message) => message === payload.message),
    ...(error === null ? {} : { error_code: error.code, error_message: error.message }),
  };
  return typeof payload.event_id === "string" && JSON.stringify(payload) === JSON.stringify(told);
}

/** Whether a change may have an event. */
export function mayTell(job: ModelJob, cause: Cause, carried: Carried | null): boolean {
  return mustTell({ ...job, reported: job.reportedBefore }, cause, carried);
}

/** The job after a change. */
export function after(job: ModelJob, change: StoredChange): ModelJob {
  const { next, set } = change;
  const { status, progress, attempt } = next;
  const reported = job.reported || typeof set.progressAt === "number";
  return {
    id: job.id,
    status,
    progress,
    attempt,
    steps: set.step === undefined ? job.steps : [set.step as string | null, ...job.steps],
    messages: set.message === undefined ? job.messages : [set.message as string | null, ...job.messages],
    startedAt: startedAfter(job, change),
    finished: isOver(status),
    reported,
    reportedBefore: said(job) === said(next) ? job.reportedBefore : reported,
    cancelRequested: typeof set.cancelRequested === "boolean" ? set.cancelRequested : job.cancelRequested,
    heardAt: set.updatedAt,
  };
}

function startedAfter(job: ModelJob, { next, set }: StoredChange): number | null {
  return job.startedAt ?? (next.status === "running" ? set.updatedAt : null);
}

/** A job that was just created. */
export function newborn(id: string, heardAt: number | null): ModelJob {
  const version = { status: "pending", progress: 0, attempt: 0 };
  const told = {
    steps: [null],
    messages: [null],
    startedAt: null,
    finished: false,
    reported: false,
    reportedBefore: false,
    cancelRequested: false,
  };
  return { id, ...version, ...told, heardAt };
}

function said({ status, progress, attempt }: Version): string {
  return `${status} ${progress} % (attempt ${attempt})`;
}
