import { isJobStatus } from "../../domain/job-status.js";
import type { LiveCancellation, LiveMessage, LiveProgress, LiveStored } from "../../ports/live.js";

// What is longer is not sent, and not read: Redis keeps and copies every message for every subscriber.
const longest = 65_536;

type Fields = Readonly<Record<string, unknown>>;

/** A message as compact JSON. The job of news is in the name of its channel and key. Text that is too long is left out. */
export function encodeLive(message: LiveMessage): string {
  if (message.kind === "cancellation") return JSON.stringify(message);
  const { jobId: _, ...rest } = message;
  const whole = JSON.stringify(rest);
  return whole.length <= longest ? whole : JSON.stringify({ ...rest, step: null, message: null });
}

/** News of a job; null for whatever is none, since anybody may publish on a channel. */
export function decodeNews(jobId: string, payload: unknown): LiveProgress | LiveStored | null {
  const fields = fieldsOf(payload);
  if (fields === null) return null;
  const { kind, attempt, progress, step, message, at, status, rate } = fields;
  if (!isAttempt(attempt) || !isPercent(progress) || !isText(step) || !isText(message) || !isNumber(at)) return null;
  const told = { jobId, attempt, progress, step, message, at };
  if (kind === "progress") return { kind, ...told };
  if (kind !== "stored" || !isJobStatus(status) || !(rate === null || isNumber(rate))) return null;
  return { kind, ...told, status, rate };
}

/** A wish to cancel; null for whatever is none. */
export function decodeCancellation(payload: unknown): LiveCancellation | null {
  const { kind, jobId } = fieldsOf(payload) ?? {};
  return kind === "cancellation" && typeof jobId === "string" ? { kind, jobId } : null;
}

function fieldsOf(payload: unknown): Fields | null {
  if (typeof payload !== "string" || payload.length > longest) return null;
  try {
    const value: unknown = JSON.parse(payload);
    return typeof value === "object" && value !== null ? (value as Fields) : null;
  } catch {
    return null;
  }
}

function isAttempt(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPercent(value: unknown): value is number {
  return isNumber(value) && value >= 0 && value <= 100;
}

// JSON has no NaN, but 1e999 reads as Infinity.
function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isText(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}
