import type { JobStatus } from "./job-status.js";
import type { JsonValue } from "./json.js";
import type { ProgressUpdate } from "./progress-update.js";

/** What happens when `startJob` meets a job that is running already. */
export type IfRunning = "takeOver" | "reject";

/** What a caller wants of a job. Values are checked; text is cleaned when decided. */
export type Change =
  | { readonly kind: "progress"; readonly update: ProgressUpdate }
  | {
      readonly kind: "start";
      readonly message?: string | undefined;
      /** The attempt the caller names (≥ 1): greater begins it, equal resumes it, less is stale. */
      readonly attempt?: number | undefined;
      /** Keeps progress and step of the attempt before. */
      readonly resume: boolean;
      readonly ifRunning: IfRunning;
    }
  | {
      readonly kind: "status";
      readonly status: JobStatus;
      /** Raises progress; a lower value than stored leaves it. */
      readonly percent?: number | undefined;
      readonly step?: string | undefined;
      readonly message?: string | undefined;
      readonly output?: JsonValue | undefined;
      readonly errorCode?: string | undefined;
      readonly errorMessage?: string | undefined;
    }
  /** Asks the worker to stop; a job that no worker runs is cancelled at once. */
  | { readonly kind: "requestCancel"; readonly reason?: string | undefined }
  /** A sign of life from a worker whose progress stands still. */
  | { readonly kind: "touch" }
  /** Times a running job out of which nothing was heard since, in milliseconds since the epoch. */
  | { readonly kind: "expire"; readonly silentSince: number };

/** A change on its way to a decision. */
export interface Command {
  readonly change: Change;
  /** The attempt the caller belongs to; null when it belongs to none. Ignored by what no worker asks: "start", "requestCancel", "expire". */
  readonly fence: number | null;
  /** Progress that was reported before and not written yet; it is written with the change. */
  readonly unwritten: ProgressUpdate | null;
  /** When, in milliseconds since the epoch. */
  readonly at: number;
}

/** What a command does, as words for "Cannot … job". */
export function verbOf(change: Change): string {
  if (change.kind === "progress") return "report progress of";
  if (change.kind === "start") return "start";
  if (change.kind === "requestCancel") return "request cancellation of";
  if (change.kind === "touch") return "keep alive";
  if (change.kind === "expire") return "time out";
  switch (change.status) {
    case "completed":
      return "complete";
    case "failed":
      return "fail";
    case "cancelled":
      return "cancel";
    default:
      return `set status ${change.status} of`;
  }
}
