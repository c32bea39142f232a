import type { WorkerProgressError } from "../domain/errors.js";
import type { JobSnapshot } from "../domain/job-snapshot.js";
import type { JsonObject } from "../domain/json.js";
import type { ProgressResult } from "../domain/progress-result.js";
import { coalesce, type ProgressUpdate } from "../domain/progress-update.js";
import type { AttemptSignal } from "./attempt-signal.js";
import type { CommitTask } from "./committer.js";

/** The shared answer of every throttled call: no allocation per call. */
export const coalesced: Promise<ProgressResult> = Promise.resolve(Object.freeze({ outcome: "coalesced" as const }));

/** The answer while the storage is away: the newest is kept. */
export function deferred(error: WorkerProgressError): Promise<ProgressResult> {
  return Promise.resolve({ outcome: "deferred", error });
}

/** What became of a change. */
export type ChangeResult =
  | { readonly kind: "stored"; readonly previous: JobSnapshot; readonly job: JobSnapshot }
  | { readonly kind: "refused"; readonly error: WorkerProgressError };

/** The one answer of all calls that force the same write. */
export interface Forced {
  readonly answer: Promise<ProgressResult>;
  readonly settle: (result: ProgressResult) => void;
}

/** Work that does not wait for a window. */
export type LaneItem =
  | { readonly kind: "flush"; readonly done: Promise<void>; readonly settle: () => void }
  | {
      readonly kind: "change";
      readonly task: CommitTask;
      /** The attempt the caller belongs to; null for the one the slot belongs to when its turn comes. */
      readonly bound: number | null;
      /** Monotonic milliseconds after which the caller is told that the storage is away. */
      readonly deadline: number;
      /** Whether progress that was kept before this start is still to be written. */
      writesFirst: boolean;
      readonly settle: (result: ChangeResult) => void;
    };

export function isStart(item: LaneItem): boolean {
  return item.kind === "change" && item.task.command.change.kind === "start";
}

const maxAheadMs = 1_000;

/** All that a process keeps of one job: its newest unwritten progress, what it knows to be stored, and who waits. */
export class Slot {
  /** The id as the caller wrote it. */
  readonly key: string;
  /** The canonical id, once the type of the id column is known. */
  id: string | null = null;
  /** The stored job as last seen, without metrics and output; null when it has to be loaded. */
  known: JobSnapshot | null = null;

  /** The attempt this process began or first reported on; null when it belongs to none yet. */
  attempt: number | null = null;
  /** That of `attempt`; set when this process began it by `startJob`; stays until the next. */
  signal: AttemptSignal | null = null;

  /** Whether a report is only kept: its window runs, or a write is on its way. */
  closed = false;
  /** What a kept report is answered with. */
  answer: Promise<ProgressResult> = coalesced;
  /** Set while every report is refused, for the rest of a window. */
  refusal: Promise<ProgressResult> | null = null;
  /** The least percent that is not a decrease, as far as this process knows. */
  floor = 0;
  dirty = false;
  /** Whether a sign of life is due though progress stands still. */
  touching = false;
  /** The attempt that the unwritten progress belongs to; null for whichever this process has when it is written. */
  owner: number | null = null;
  /** How many starts are on their way. */
  starts = 0;

  windowRuns = false;
  inFlight = false;
  /** Whether progress is in that flight. */
  carries = false;
  /** Where it stands in the line: "due" asks the throttle first, "ready" may write. */
  queued: "no" | "due" | "ready" = "no";
  /** Whether its window is acquired but a change was in flight when its turn came. */
  owed = false;
  urgent = false;
  readonly lane: LaneItem[] = [];
  /** Answers the call that opened the window. */
  first: ((result: ProgressResult) => void) | null = null;
  /** Set while unwritten progress is to be written whatever the window says. */
  forced: Forced | null = null;
  /** Monotonic milliseconds of the last call or write that was not throttled. */
  lastActive = 0;
  /** Monotonic milliseconds of the last write. */
  lastWrite = 0;

  #percent = 0;
  #step: string | undefined;
  #message: string | undefined;
  #metrics: JsonObject | undefined;
  #instant = 0;

  constructor(key: string) {
    this.key = key;
  }

  /**
   * The throttled call: keeps the newest and answers with the shared promise. Null when there is more to do than that.
   * Nothing here reads a clock, starts a timer or allocates.
   */
  keep(percent: unknown, step: unknown, message: unknown, metrics: unknown): Promise<ProgressResult> | null {
    if (
      !this.dirty ||
      !this.closed ||
      typeof percent !== "number" ||
      !(percent >= this.floor && percent <= 100) ||
      metrics !== undefined ||
      (step !== undefined && typeof step !== "string") ||
      (message !== undefined && typeof message !== "string")
    ) {
      return null;
    }
    this.#percent = percent;
    this.floor = percent;
    if (step !== undefined) this.#step = step;
    if (message !== undefined) this.#message = message;
    return this.answer;
  }

  /** Takes a checked update in as the newest. */
  offer(update: ProgressUpdate): void {
    const newest = coalesce(this.newest(), update);
    this.#percent = newest.percent;
    this.#step = newest.step;
    this.#message = newest.message;
    this.#metrics = newest.metrics;
    this.floor = newest.percent;
    this.dirty = true;
  }

  /** Puts an update back that could not be written, behind what came since. */
  restore(update: ProgressUpdate): void {
    const since = this.newest();
    if (since !== null) this.clear();
    this.offer(update);
    if (since !== null) this.offer(since);
  }

  /** The newest unwritten progress; null when all is written. */
  newest(): ProgressUpdate | null {
    return this.dirty
      ? { percent: this.#percent, step: this.#step, message: this.#message, metrics: this.#metrics }
      : null;
  }

  /** Answers the call that opened the window, unless it has its answer. */
  settleFirst(result: ProgressResult): void {
    this.first?.(result);
    this.first = null;
  }

  /** Those who wait for the write that takes their progress along. */
  takeForced(): Forced | null {
    const { forced } = this;
    this.forced = null;
    return forced;
  }

  /** Has calls wait again whose write came to nothing. */
  restoreForced(forced: Forced): void {
    if (this.forced === null) this.forced = forced;
    else void this.forced.answer.then(forced.settle);
  }

  /** What is known grows old: once no window runs and nothing is unwritten the storage says what a decrease is. */
  forgetOldFloor(): void {
    if (!this.windowRuns && !this.dirty && !this.carries) this.floor = 0;
  }

  /**
   * The instant that a change carries, in milliseconds since the epoch: `wall`, or just after the change before, so that no
   * two are taken for each other when an answer was lost. A clock that was set back is followed.
   */
  instant(wall: number): number {
    const isNext = wall > this.#instant || wall < this.#instant - maxAheadMs;
    this.#instant = isNext ? wall : this.#instant + 1;
    return this.#instant;
  }

  /** Answers everybody who waits for the unwritten progress. */
  settleAll(result: ProgressResult): void {
    this.settleFirst(result);
    this.takeForced()?.settle(result);
  }

  clear(): void {
    this.dirty = false;
    this.#step = undefined;
    this.#message = undefined;
    this.#metrics = undefined;
  }
}
