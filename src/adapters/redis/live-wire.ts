import { readCancellation, readNews, withoutTexts } from "../../domain/live-message.js";
import type { LiveCancellation, LiveMessage, LiveProgress, LiveStored } from "../../ports/live.js";

// What is longer is not sent, and not read: Redis keeps and copies every message for every subscriber.
const longest = 65_536;

/** A message as compact JSON. The job of news is in the name of its channel and key. Text that is too long is left out. */
export function encodeLive(message: LiveMessage): string {
  const whole = compact(message);
  return whole.length <= longest ? whole : compact(withoutTexts(message));
}

/** News of a job; null for whatever is none, since anybody may publish on a channel. */
export function decodeNews(jobId: string, payload: unknown): LiveProgress | LiveStored | null {
  return readNews(jobId, parsed(payload));
}

/** A wish to cancel; null for whatever is none. */
export function decodeCancellation(payload: unknown): LiveCancellation | null {
  return readCancellation(parsed(payload));
}

function compact(message: LiveMessage): string {
  const { jobId: _, ...news } = message;
  return JSON.stringify(message.kind === "cancellation" ? message : news);
}

function parsed(payload: unknown): unknown {
  if (typeof payload !== "string" || payload.length > longest) return null;
  try {
    return JSON.parse(payload);
  } catch {
    return null;
  }
}
