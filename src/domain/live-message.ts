import { isJobStatus, type JobStatus } from "./job-status.js";

/** The newest accepted progress of a job, stored or not yet. */
export interface LiveProgress {
  readonly kind: "progress";
  readonly jobId: string;
  readonly attempt: number;
  /** 0–100. */
  readonly progress: number;
  readonly step: string | null;
  readonly message: string | null;
  /** Milliseconds since the epoch, by the clock of the process that reported. */
  readonly at: number;
}

/** What the storage holds of a job since a moment ago; progress may be newer, as the job's unwritten progress. */
export interface LiveStored extends Omit<LiveProgress, "kind"> {
  readonly kind: "stored";
  readonly status: JobStatus;
  /** Points per second; null while unknown. */
  readonly rate: number | null;
}

/** Somebody wants a job cancelled. */
export interface LiveCancellation {
  readonly kind: "cancellation";
  readonly jobId: string;
  /** What was said of it; null where nothing was. */
  readonly reason: string | null;
}

export type LiveMessage = LiveProgress | LiveStored | LiveCancellation;

const endOf9999 = Date.UTC(10_000, 0) - 1;
/** A hundred points in a tenth of a microsecond. */
const fastest = 1_000_000_000;

/** Whether news are behind other news of their job: of an earlier attempt, or lower within one. */
export function isBehind(news: LiveProgress | LiveStored, other: LiveProgress | LiveStored): boolean {
  return news.attempt === other.attempt ? news.progress < other.progress : news.attempt < other.attempt;
}

/** News of a job as it came over a wire that anybody may write to; null for whatever is none. */
export function readNews(jobId: string, value: unknown): LiveProgress | LiveStored | null {
  const { kind, attempt, progress, step, message, at, status, rate } = fieldsOf(value);
  if (!isAttempt(attempt) || !isPercent(progress) || !isText(step) || !isText(message) || !isInstant(at)) return null;
  const told = { jobId, attempt, progress, step, message, at };
  if (kind === "progress") return { kind, ...told };
  if (kind !== "stored" || !isJobStatus(status) || !(rate === null || isRate(rate))) return null;
  return { kind, ...told, status, rate };
}

/** A wish to cancel as it came over such a wire; null for whatever is none. */
export function readCancellation(value: unknown): LiveCancellation | null {
  const { kind, jobId, reason = null } = fieldsOf(value);
  return kind === "cancellation" && typeof jobId === "string" && isText(reason) ? { kind, jobId, reason } : null;
}

/** The same message for a wire that it is too long for. */
export function withoutTexts(message: LiveMessage): LiveMessage {
  return message.kind === "cancellation" ? { ...message, reason: null } : { ...message, step: null, message: null };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function isAttempt(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPercent(value: unknown): value is number {
  return isNumber(value) && value >= 0 && value <= 100;
}

function isRate(value: unknown): value is number {
  return isNumber(value) && value >= 0 && value <= fastest;
}

/** An instant whose ISO 8601 has a year of four digits. */
function isInstant(value: unknown): value is number {
  return isNumber(value) && value >= 0 && value <= endOf9999;
}

// JSON has no NaN, but 1e999 reads as Infinity.
function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isText(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}
