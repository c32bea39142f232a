import type { Change } from "../domain/command.js";
import type { WorkerProgressError } from "../domain/errors.js";
import type { JobSnapshot } from "../domain/job-snapshot.js";
import { checkJsonObject, mergeJson } from "../domain/json.js";
import type { Limits } from "../domain/limits.js";
import { checkPercent } from "../domain/percent.js";
import type { ProgressResult } from "../domain/progress-result.js";
import type { ProgressUpdate } from "../domain/progress-update.js";
import type { Clock } from "../ports/clock.js";
import type { CallerTransaction } from "../ports/storage.js";
import type { AttemptSignal } from "./attempt-signal.js";
import type { Batcher } from "./batcher.js";
import { bounded, settledBy } from "./bounded.js";
import type { Cancellations } from "./cancellations.js";
import { type Committer, commitTask } from "./committer.js";
import type { EventDelivery } from "./event-delivery.js";
import type { Heartbeat } from "./heartbeat.js";
import type { LiveFeed } from "./live-feed.js";
import { progressReport, refusal, refusalFrom } from "./refusal.js";
import type { ChangeResult, Slot } from "./slot.js";
import type { Slots } from "./slots.js";

export interface EngineOptions {
  readonly slots: Slots;
  readonly batcher: Batcher;
  readonly committer: Committer;
  readonly delivery: EventDelivery;
  readonly feed: LiveFeed;
  readonly cancellations: Cancellations;
  /** Null when running jobs give no signs of life by themselves. */
  readonly heartbeat: Heartbeat | null;
  readonly clock: Clock;
  readonly limits: Limits;
  /** How long a change is tried while the storage is away, in milliseconds. */
  readonly changeTimeoutMs: number;
  /** Most jobs whose progress is kept while the storage is away. */
  readonly maxDeferredJobs: number;
}

/** Progress as a caller passes it: unchecked. */
export interface Report {
  readonly percent: unknown;
  readonly step: unknown;
  readonly message: unknown;
  readonly metrics: unknown;
}

/** What a change is bound to. */
export interface ChangeContext {
  /** The attempt of the handle that asks; null for whichever this process belongs to. */
  readonly bound: AttemptSignal | null;
  /** The caller's own transaction; undefined lets the engine commit. */
  readonly transaction?: CallerTransaction | undefined;
}

/** A stored change. */
export interface Stored {
  readonly previous: JobSnapshot;
  readonly job: JobSnapshot;
  readonly signal: AttemptSignal | null;
}

/** What was still open at a deadline. */
export interface Unfinished {
  /** Jobs whose newest progress is not stored. */
  readonly unwritten: readonly { readonly jobId: string; readonly percent: number }[];
  /** Whether events may still wait for the publisher. */
  readonly unpublished: boolean;
}

const forcing = { force: true } as const;
const throttling = { force: false } as const;

/** Takes reports and changes of all jobs of this process and sees them into the storage. */
export class ProgressEngine {
  readonly #options: EngineOptions;
  #closing = false;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** How many jobs are remembered, and how many of them have unwritten progress. */
  get jobs(): { readonly remembered: number; readonly unwritten: number } {
    return { remembered: this.#options.slots.size, unwritten: this.#options.batcher.unwritten };
  }

  /** Why the storage is away; null while it is not known to be. */
  get outage(): WorkerProgressError | null {
    return this.#options.batcher.outage;
  }

  /** Reports progress: at most one write per window, the newest. Never rejects. */
  progress(
    key: string,
    bound: AttemptSignal | null,
    percent: unknown,
    step: unknown,
    message: unknown,
    metrics: unknown,
  ): Promise<ProgressResult> {
    const slot = this.#options.slots.get(key);
    if (slot !== undefined && !this.#closing && (bound === null || isOwn(slot, bound))) {
      const kept = slot.keep(percent, step, message, metrics);
      if (kept !== null) return kept;
    }
    return this.#report(key, bound, { percent, step, message, metrics }, throttling);
  }

  /** Reports progress and writes it now, whatever the window says. Never rejects. */
  force(key: string, bound: AttemptSignal | null, report: Report): Promise<ProgressResult> {
    return this.#report(key, bound, report, forcing);
  }

  /** Changes the status of a job. @throws what `decide` refuses, and `STORAGE_UNAVAILABLE` after `changeTimeoutMs`. */
  async change(key: string, change: Change, context: ChangeContext): Promise<Stored> {
    const { slots, clock, delivery } = this.#options;
    if (this.#closing) throw refusal(change, key, "REPORTER_CLOSED", closedReason);
    const slot = slots.open(key);
    if (context.bound !== null) joins(slot, context.bound);
    const result =
      context.transaction === undefined
        ? await this.#submit(slot, change, context.bound)
        : await this.#changeWithin(slot, change, context.bound, context.transaction);
    slot.lastActive = clock.monotonic();
    if (result.kind === "refused") throw result.error;
    if (context.transaction !== undefined) delivery.expected();
    this.#followUp(change, result.job);
    return { previous: result.previous, job: result.job, signal: slot.signal };
  }

  /** Writes all unwritten progress now, without waiting for windows, and says what could not be written. */
  async flush(): Promise<Unfinished["unwritten"]> {
    const { slots, batcher } = this.#options;
    const writes: Promise<void>[] = [];
    for (const slot of slots.values()) {
      if (slot.dirty || slot.inFlight || slot.lane.length > 0) writes.push(batcher.flush(slot));
    }
    await Promise.all(writes);
    return this.#unwritten();
  }

  /** Refuses what comes from now on, writes and publishes what is open until `deadline` (monotonic milliseconds). */
  async close(deadline: number): Promise<Unfinished> {
    const { slots, batcher, delivery, clock, feed, cancellations, heartbeat } = this.#options;
    this.#closing = true;
    await settledBy(clock, deadline, () => {
      return batcher.unwritten > 0 || this.#hasOpenChanges() ? this.flush() : null;
    });
    const published = await delivery.drain(deadline);
    slots.stop();
    heartbeat?.stop();
    cancellations.stop();
    const told = feed.stop();
    batcher.stop(slots.values());
    const left = Math.max(0, deadline - clock.monotonic());
    await bounded(clock, told, left, () => new Error("late")).catch(() => {});
    return { unwritten: this.#unwritten(), unpublished: !published };
  }

  #followUp(change: Change, job: JobSnapshot): void {
    const { cancellations, heartbeat, feed } = this.#options;
    if (change.kind === "start") {
      cancellations.listen();
      heartbeat?.start();
    }
    // Also when it is cancelled already: a worker may be waiting to try again.
    if (change.kind === "requestCancel") feed.cancellation(job.id, change.reason === undefined ? null : job.message);
  }

  #hasOpenChanges(): boolean {
    for (const slot of this.#options.slots.values()) if (slot.lane.length > 0 || slot.inFlight) return true;
    return false;
  }

  #unwritten(): Unfinished["unwritten"] {
    const open = [];
    for (const slot of this.#options.slots.values()) {
      const newest = slot.newest();
      if (newest !== null) open.push({ jobId: slot.key, percent: newest.percent });
    }
    return open;
  }

  #report(
    key: string,
    bound: AttemptSignal | null,
    report: Report,
    mode: { readonly force: boolean },
  ): Promise<ProgressResult> {
    const checked = this.#check(report);
    if (!checked.ok) return rejected(key, "INVALID_ARGUMENT", checked.problem);
    if (this.#closing) return rejected(key, "REPORTER_CLOSED", closedReason);
    const { slots, batcher, maxDeferredJobs } = this.#options;
    const isFull = batcher.outage !== null && batcher.unwritten >= maxDeferredJobs;
    // What is refused must not be remembered either, else an outage fills the memory with slots.
    if (isFull && slots.get(key) === undefined) return overCapacity(key, maxDeferredJobs);
    const slot = slots.open(key);
    if (bound !== null && !joins(slot, bound)) return stale(key, bound, slot);
    if (bound !== null && awaitsAnother(slot)) {
      return rejected(key, "STALE_ATTEMPT", `attempt ${bound.attempt} is stale, another has been asked for`);
    }
    if (slot.refusal !== null && !mode.force) return slot.refusal;
    const { percent } = checked.update;
    if (percent < slot.floor) {
      return rejected(key, "PROGRESS_DECREASED", `${percent} % is less than the ${slot.floor} % reported before`);
    }
    if (isFull && !slot.dirty) return overCapacity(key, maxDeferredJobs);
    const excess = this.#excessOf(slot, checked.update);
    if (excess !== null) return rejected(key, "INVALID_ARGUMENT", excess);
    const answer = batcher.offer(slot, checked.update, bound?.attempt ?? null);
    return mode.force && batcher.outage === null ? batcher.force(slot) : answer;
  }

  /** What is wrong with metrics that are within the limit themselves but not together with those that wait to be written. */
  #excessOf(slot: Slot, { metrics }: ProgressUpdate): string | null {
    const waiting = slot.newest()?.metrics;
    if (metrics === undefined || waiting === undefined) return null;
    const name = "metrics, together with those that wait to be written,";
    const together = checkJsonObject(mergeJson(waiting, metrics), this.#options.limits.metricsBytes, name);
    return together.ok ? null : together.problem;
  }

  #check(report: Report): CheckedUpdate {
    const { percent, step, message, metrics } = report;
    const checked = checkPercent(percent);
    if (!checked.ok) return checked;
    if (!isTextOrAbsent(step)) return { ok: false, problem: `step must be a string, got ${typeof step}` };
    if (!isTextOrAbsent(message)) return { ok: false, problem: `message must be a string, got ${typeof message}` };
    const texts = { step: step ?? undefined, message: message ?? undefined };
    if (metrics === undefined || metrics === null) return { ok: true, update: { percent: checked.percent, ...texts } };
    const json = checkJsonObject(metrics, this.#options.limits.metricsBytes, "metrics");
    if (!json.ok) return json;
    return { ok: true, update: { percent: checked.percent, ...texts, metrics: json.value } };
  }

  #submit(slot: Slot, change: Change, bound: AttemptSignal | null): Promise<ChangeResult> {
    const { clock, batcher, changeTimeoutMs } = this.#options;
    const task = commitTask(slot, { change, fence: null, unwritten: null, at: slot.instant(clock.wall()) });
    // A new attempt counts from its own zero; what the one before reported last is written first.
    if (change.kind === "start" && !slot.dirty) slot.floor = 0;
    const deadline = clock.monotonic() + changeTimeoutMs;
    const attempt = bound?.attempt ?? ownAttempt(slot);
    return new Promise((settle) => {
      const writesFirst = change.kind === "start" && slot.dirty;
      batcher.submit(slot, { kind: "change", task, bound: attempt, deadline, writesFirst, settle });
    });
  }

  // Unwritten progress goes along but stays in the slot: the caller may still roll back.
  async #changeWithin(
    slot: Slot,
    change: Change,
    bound: AttemptSignal | null,
    transaction: CallerTransaction,
  ): Promise<ChangeResult> {
    const { clock, committer, delivery } = this.#options;
    if (!delivery.viaOutbox) {
      const reason = 'a transaction needs the outbox, but delivery is "direct"';
      return { kind: "refused", error: refusal(change, slot.key, "INVALID_ARGUMENT", reason) };
    }
    const fence = bound?.attempt ?? slot.attempt;
    const task = commitTask(slot, { change, fence, unwritten: slot.newest(), at: slot.instant(clock.wall()) });
    try {
      await committer.run([task], transaction);
    } catch (error) {
      return { kind: "refused", error: refusalFrom(change, slot.key, error) };
    }
    return task.result ?? { kind: "refused", error: refusalFrom(change, slot.key, task.postponed) };
  }
}

type CheckedUpdate =
  | { readonly ok: true; readonly update: ProgressUpdate }
  | { readonly ok: false; readonly problem: string };

const closedReason = "the reporter is closed; create another one";

/** Whether the slot is at the handle's attempt. A slot that was forgotten meanwhile takes the attempt of the handle. */
function joins(slot: Slot, bound: AttemptSignal): boolean {
  slot.attempt ??= bound.attempt;
  if (slot.attempt !== bound.attempt) return false;
  slot.signal ??= bound;
  return true;
}

/** The attempt that a call without a handle belongs to; null for the one that is beginning, or none. */
function ownAttempt(slot: Slot): number | null {
  return slot.starts > 0 ? null : slot.attempt;
}

/** Whether what is unwritten belongs to the handle's attempt. */
function isOwn(slot: Slot, bound: AttemptSignal): boolean {
  return slot.signal === bound && slot.owner === bound.attempt;
}

/** Whether what is unwritten was reported for an attempt that is only beginning: the one before must not add to it. */
function awaitsAnother(slot: Slot): boolean {
  return slot.dirty && slot.owner === null && slot.starts > 0;
}

function stale(key: string, bound: AttemptSignal, slot: Slot): Promise<ProgressResult> {
  return rejected(key, "STALE_ATTEMPT", `attempt ${bound.attempt} is stale, current attempt is ${slot.attempt}`);
}

function overCapacity(key: string, maxDeferredJobs: number): Promise<ProgressResult> {
  const kept = `progress of ${maxDeferredJobs} jobs is kept already while the storage is away`;
  return rejected(key, "CAPACITY_EXCEEDED", kept);
}

function rejected(
  key: string,
  code: "INVALID_ARGUMENT" | "REPORTER_CLOSED" | "PROGRESS_DECREASED" | "CAPACITY_EXCEEDED" | "STALE_ATTEMPT",
  reason: string,
): Promise<ProgressResult> {
  return Promise.resolve({ outcome: "rejected", error: refusal(progressReport, key, code, reason) });
}

function isTextOrAbsent(value: unknown): value is string | undefined | null {
  return value === undefined || value === null || typeof value === "string";
}
