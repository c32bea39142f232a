import { hash } from "node:crypto";
import { isJobStatus, isTerminal, type JobStatus } from "../domain/job-status.js";
import type { JobView } from "../domain/job-view.js";

/** A state that a client has seen, as the id of an event tells it. */
export interface SeenState {
  readonly attempts: number;
  readonly percent: number;
  readonly status: JobStatus;
}

const written = /^(\d{1,10})\.(\d[\d.e-]{0,23})\.([a-z]+)\.[\w-]{16}$/;

/** Names the content of a state: equal for equal states, apart from the seconds left, which pass by themselves. */
export function fingerprint(view: JobView): string {
  const { eta: _, ...lasting } = view;
  return hash("sha256", JSON.stringify(lasting), "base64url").slice(0, 16);
}

/** The id of an event: the order of a state and its content, as in "2.50.running.kq3…". */
export function eventId(view: JobView): string {
  return `${view.attempts}.${view.progress.percent}.${view.status}.${fingerprint(view)}`;
}

/** The state that `Last-Event-ID` tells of; null for none and for what no event of ours had. */
export function seenState(id: string | null): SeenState | null {
  const [, attempts, percent, status] = written.exec(id ?? "") ?? [];
  const seen = Number(percent);
  return isJobStatus(status) && seen >= 0 && seen <= 100 ? { attempts: Number(attempts), percent: seen, status } : null;
}

/**
 * Whether a state came before one that was seen: of an earlier attempt, less far, or running where the end was seen.
 * An end is always worth telling.
 */
export function isOlder(view: JobView, seen: SeenState): boolean {
  if (isTerminal(view.status)) return false;
  if (view.attempts !== seen.attempts) return view.attempts < seen.attempts;
  if (view.status === seen.status) return view.progress.percent < seen.percent;
  return isTerminal(seen.status) && (view.status === "running" || view.status === "retrying");
}
