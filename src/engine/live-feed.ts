import type { JobSnapshot } from "../domain/job-snapshot.js";
import type { Limits } from "../domain/limits.js";
import type { ProgressUpdate } from "../domain/progress-update.js";
import { cleanText } from "../domain/text.js";
import type { CancelTimer, Clock } from "../ports/clock.js";
import type { LiveAdapter, LiveMessage, LiveProgress, LiveStored } from "../ports/live.js";
import type { Slot } from "./slot.js";

export interface LiveFeedOptions {
  readonly live: LiveAdapter;
  readonly clock: Clock;
  /** Least time between two messages of a job's progress, in milliseconds. */
  readonly intervalMs: number;
  readonly limits: Limits;
}

/** What there may be to tell of a job. */
interface News {
  /** The unwritten progress that was told last. */
  readonly told: ProgressUpdate | null;
  /** What was stored since the last round. */
  readonly stored: JobSnapshot | null;
}

// Beyond it a round takes the jobs in turn: watching must not cost what throttling saves.
const maxPerRound = 2_000;
const nothing: News = { told: null, stored: null };

/**
 * Tells watchers of the newest progress, written or not: every job at most once in an interval, all jobs in one round of
 * messages. A change of status and a new attempt do not wait for the round.
 */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #news = new Map<Slot, News>();
  #cancel: CancelTimer | null = null;
  /** Monotonic milliseconds; what changes after an idle interval is told at once. */
  #nextRoundAt = Number.NEGATIVE_INFINITY;
  #sending = false;
  #stopped = false;
  #sent: Promise<void> = Promise.resolve();
  readonly #waiting: LiveMessage[] = [];

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  /** The slot has unwritten progress. */
  changed(slot: Slot): void {
    if (!this.#news.has(slot)) this.#expect(slot, nothing);
  }

  /** The storage holds this now. */
  stored(slot: Slot, previous: JobSnapshot, job: JobSnapshot): void {
    if (isTransition(previous, job)) {
      const news = this.#news.get(slot);
      if (news !== undefined) this.#news.set(slot, { ...news, stored: null });
      this.#send([this.#storedMessage(job)]);
    } else this.#expect(slot, { told: null, stored: job });
  }

  cancellation(jobId: string, reason: string | null): void {
    this.#send([{ kind: "cancellation", jobId, reason }]);
  }

  /** Tells what is left and nothing after it. Resolves when it is sent: who closes the connection waits for that. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    this.#send(this.#nextMessages(this.#news.size));
    return this.#sent;
  }

  #expect(slot: Slot, news: News): void {
    if (this.#stopped) return;
    this.#news.set(slot, news);
    this.#cancel ??= this.#schedule();
  }

  #schedule(): CancelTimer {
    const { clock } = this.#options;
    return clock.schedule(Math.max(0, this.#nextRoundAt - clock.monotonic()), () => this.#round(), false);
  }

  #round(): void {
    this.#nextRoundAt = this.#options.clock.monotonic() + this.#options.intervalMs;
    // What was told last is still on its way: a newer value replaces what would only wait behind it.
    if (!this.#sending) this.#send(this.#nextMessages(maxPerRound));
    this.#cancel = this.#news.size > 0 ? this.#schedule() : null;
  }

  #nextMessages(most: number): readonly LiveMessage[] {
    const messages: LiveMessage[] = [];
    for (const [slot, news] of [...this.#news]) {
      if (messages.length >= most) break;
      // Deleted and set, a job goes behind those whose turn did not come.
      this.#news.delete(slot);
      const newest = slot.newest();
      const progress = newest === null ? null : this.#progressMessage(slot, newest);
      if (newest !== null) this.#news.set(slot, { told: progress === null ? null : newest, stored: null });
      if (news.stored !== null) messages.push(this.#storedMessage(news.stored, progress));
      else if (newest !== null && progress !== null && saysMore(newest, news.told)) messages.push(progress);
    }
    return messages;
  }

  #progressMessage(slot: Slot, { percent: progress, step, message }: ProgressUpdate): LiveProgress | null {
    const { id: jobId, starts } = slot;
    const attempt = slot.owner ?? slot.attempt;
    // While an attempt begins it is not known which one the progress belongs to.
    if (jobId === null || attempt === null || starts > 0) return null;
    const { clock, limits } = this.#options;
    return {
      kind: "progress",
      jobId,
      attempt,
      progress,
      step: textOf(step, limits.labelLength),
      message: textOf(message, limits.messageLength),
      at: clock.wall(),
    };
  }

  // What was reported while the write was on its way has been told already: the message must not fall behind it.
  #storedMessage(job: JobSnapshot, unwritten: LiveProgress | null = null): LiveStored {
    const { id: jobId, status, attempt, progress, step, message, rate } = job;
    // A sign of life is no progress: what was reported keeps its own time.
    const at = job.progressAt ?? job.updatedAt ?? this.#options.clock.wall();
    const stored: LiveStored = { kind: "stored", jobId, status, attempt, progress, step, message, rate, at };
    if (unwritten === null || unwritten.attempt !== attempt || unwritten.progress < progress) return stored;
    return {
      ...stored,
      progress: unwritten.progress,
      step: unwritten.step ?? step,
      message: unwritten.message ?? message,
      at: unwritten.at,
    };
  }

  // One round trip at a time; what comes meanwhile goes together into the next.
  #send(messages: readonly LiveMessage[]): void {
    for (const message of messages) this.#waiting.push(message);
    if (!this.#sending && this.#waiting.length > 0) this.#sent = this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#sending = true;
    while (this.#waiting.length > 0) await this.#options.live.publish(this.#waiting.splice(0)).catch(() => {});
    this.#sending = false;
  }
}

function isTransition(previous: JobSnapshot, job: JobSnapshot): boolean {
  return previous.status !== job.status || previous.attempt !== job.attempt;
}

/** A text as it will be stored. */
function textOf(text: string | undefined, maxLength: number): string | null {
  return text === undefined ? null : cleanText(text, maxLength);
}

function saysMore(newest: ProgressUpdate, told: ProgressUpdate | null): boolean {
  return (
    told === null || newest.percent !== told.percent || newest.step !== told.step || newest.message !== told.message
  );
}
