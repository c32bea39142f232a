import type { JobSnapshot } from "../domain/job-snapshot.js";
import type { ProgressUpdate } from "../domain/progress-update.js";
import type { CancelTimer, Clock } from "../ports/clock.js";
import type { LiveAdapter, LiveMessage } from "../ports/live.js";
import type { Slot } from "./slot.js";

export interface LiveFeedOptions {
  readonly live: LiveAdapter;
  readonly clock: Clock;
  /** Least time between two messages of unwritten progress of a job, in milliseconds. */
  readonly intervalMs: number;
}

// Beyond it a round takes the jobs in turn: watching must not cost what throttling saves.
const maxPerRound = 2_000;

/** Tells watchers of the newest progress, written or not: every job at most once in an interval, all jobs in one message round. */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  /** Jobs with unwritten progress, and what was told of them last. */
  readonly #told = new Map<Slot, ProgressUpdate | null>();
  #cancel: CancelTimer | null = null;
  #sending = false;
  #waiting: LiveMessage[] = [];

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  /** The slot has unwritten progress. */
  changed(slot: Slot): void {
    if (!this.#told.has(slot)) this.#told.set(slot, null);
    this.#cancel ??= this.#schedule();
  }

  /** The storage holds this now. */
  stored({ id: jobId, status, attempt, progress, step, message, rate, updatedAt }: JobSnapshot): void {
    const at = updatedAt ?? this.#options.clock.wall();
    this.#send([{ kind: "stored", jobId, status, attempt, progress, step, message, rate, at }]);
  }

  cancellation(jobId: string): void {
    this.#send([{ kind: "cancellation", jobId }]);
  }

  stop(): void {
    this.#cancel?.();
    this.#told.clear();
  }

  #schedule(): CancelTimer {
    const { clock, intervalMs } = this.#options;
    return clock.schedule(intervalMs, () => this.#round(), false);
  }

  #round(): void {
    const at = this.#options.clock.wall();
    const messages: LiveMessage[] = [];
    for (const [slot, told] of [...this.#told]) {
      if (messages.length >= maxPerRound) break;
      this.#told.delete(slot);
      const newest = slot.newest();
      if (newest === null) continue;
      this.#told.set(slot, newest);
      if (!saysMore(newest, told) || slot.id === null || slot.attempt === null) continue;
      const { percent: progress, step = null, message = null } = newest;
      messages.push({ kind: "progress", jobId: slot.id, attempt: slot.attempt, progress, step, message, at });
    }
    this.#send(messages);
    this.#cancel = this.#told.size > 0 ? this.#schedule() : null;
  }

  // One round trip at a time; what comes meanwhile goes together into the next.
  #send(messages: readonly LiveMessage[]): void {
    for (const message of messages) this.#waiting.push(message);
    if (this.#sending || this.#waiting.length === 0) return;
    this.#sending = true;
    const batch = this.#waiting;
    this.#waiting = [];
    this.#options.live
      .publish(batch)
      .catch(() => {})
      .finally(() => {
        this.#sending = false;
        this.#send([]);
      });
  }
}

function saysMore(newest: ProgressUpdate, told: ProgressUpdate | null): boolean {
  return (
    told === null || newest.percent !== told.percent || newest.step !== told.step || newest.message !== told.message
  );
}
