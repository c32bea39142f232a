import { type BackoffPolicy, backoffMs } from "../domain/backoff.js";
import type { Change, Command } from "../domain/command.js";
import { finishedReason } from "../domain/decide.js";
import { isRetryable, WorkerProgressError } from "../domain/errors.js";
import { canonicalJobId, type JobIdType } from "../domain/job-id.js";
import type { JobSnapshot } from "../domain/job-snapshot.js";
import { isTerminal } from "../domain/job-status.js";
import type { ProgressResult } from "../domain/progress-result.js";
import { coalesce, type ProgressUpdate } from "../domain/progress-update.js";
import type { CancelTimer, Clock } from "../ports/clock.js";
import type { Log } from "../ports/log.js";
import type { ThrottleAdapter } from "../ports/throttle.js";
import { AttemptSignal } from "./attempt-signal.js";
import { held } from "./bounded.js";
import { type CommitTask, type Committer, commitTask } from "./committer.js";
import { Fifo } from "./fifo.js";
import { cancelled, progressReport, refusal, refusalFrom } from "./refusal.js";
import { type ChangeResult, coalesced, type LaneItem, type Slot } from "./slot.js";
import { WindowTimer } from "./window-timer.js";

export interface BatcherOptions {
  readonly committer: Committer;
  readonly throttle: ThrottleAdapter;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly windowMs: number;
  /** Most jobs in one statement. */
  readonly batchSize: number;
  /** Most statements at a time. */
  readonly concurrency: number;
  readonly backoff: BackoffPolicy;
  /** Told when a job has progress that is not written yet. */
  readonly onNews: (slot: Slot) => void;
}

/** One job's part of a batch. */
interface Flight {
  readonly slot: Slot;
  readonly task: CommitTask;
  /** What to put back when the batch fails; null for a change. */
  readonly update: ProgressUpdate | null;
  readonly item: LaneItem | null;
  readonly first: ((result: ProgressResult) => void) | null;
}

const maxGate = 1_000;

/**
 * Group commit: all that is due while a batch is in flight goes into the next one. Changes go first, then progress in
 * the order its windows ended. While the storage is away nothing is lost: newest values stay in their slots, and one
 * retry after the other is made with backoff.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #timer: WindowTimer;
  readonly #urgent = new Fifo<Slot>();
  readonly #ready = new Fifo<Slot>();
  readonly #due = new Fifo<Slot>();
  #unwritten = 0;
  readonly #flying = new Set<Flight>();
  #inFlight = 0;
  #gating = false;
  #stopped = false;
  #cancelRetry: CancelTimer | null = null;
  #pumpQueued = false;
  #paused = false;
  #failures = 0;
  #outage: WorkerProgressError | null = null;

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#timer = new WindowTimer(options.clock, (slots) => this.#windowsEnded(slots));
  }

  /** Why the storage is away; null while it is not known to be. */
  get outage(): WorkerProgressError | null {
    return this.#outage;
  }

  /** How many jobs have progress that is not stored yet. */
  get unwritten(): number {
    return this.#unwritten;
  }

  /** Keeps an update as the newest of its job and says what becomes of it. */
  offer(slot: Slot, update: ProgressUpdate, bound: number | null): Promise<ProgressResult> {
    this.#keep(slot, update, bound);
    if (slot.closed) return slot.answer;
    slot.closed = true;
    this.#line(slot, "due");
    if (this.#outage !== null) {
      slot.answer = deferred(this.#outage);
      return slot.answer;
    }
    slot.answer = coalesced;
    return new Promise((resolve) => {
      slot.first = resolve;
    });
  }

  /** Does an item without waiting for the window, after those of the same job that came before. */
  submit(slot: Slot, item: LaneItem): void {
    slot.closed = true;
    if (isStart(item)) slot.starts++;
    slot.lane.push(item);
    this.#next(slot);
  }

  /** Writes a sign of life when the job's window is open; progress that comes meanwhile is one. */
  touch(slot: Slot): void {
    if (slot.windowRuns || slot.inFlight || slot.dirty || slot.lane.length > 0) return;
    slot.closed = true;
    slot.touching = true;
    this.#line(slot, "due");
  }

  /** Ends all work on these slots: who waits is told, what is not known to be stored is unwritten again. */
  stop(slots: Iterable<Slot>): void {
    this.#stopped = true;
    this.#timer.stop();
    this.#cancelRetry?.();
    const late = new WorkerProgressError(
      "STORAGE_UNAVAILABLE",
      "The storage did not answer before the reporter closed",
    );
    for (const flight of this.#flying) this.#putBack(flight, late);
    for (const slot of slots) {
      settleFirst(slot, { outcome: "deferred", error: late });
      for (const item of slot.lane.splice(0)) this.#giveUp(slot, item, late);
    }
  }

  #keep(slot: Slot, update: ProgressUpdate, bound: number | null): void {
    if (!slot.dirty) {
      this.#count(1);
      slot.owner = bound ?? (slot.starts > 0 ? null : slot.attempt);
    }
    slot.offer(update);
    this.#options.onNews(slot);
  }

  #restore(slot: Slot, update: ProgressUpdate | null): void {
    if (update === null) return;
    if (!slot.dirty) this.#count(1);
    slot.restore(update);
    this.#options.onNews(slot);
  }

  #take(slot: Slot): ProgressUpdate | null {
    const update = slot.newest();
    if (update !== null) {
      slot.clear();
      this.#count(-1);
    }
    return update;
  }

  #count(change: 1 | -1): void {
    this.#unwritten += change;
    this.#timer.hold(this.#unwritten > 0);
  }

  #line(slot: Slot, queue: "due" | "ready"): void {
    if (slot.queued === queue) return;
    slot.queued = queue;
    (queue === "due" ? this.#due : this.#ready).push(slot);
    this.#pumpSoon();
  }

  // A burst of calls in one turn of the event loop becomes one batch.
  #pumpSoon(): void {
    if (this.#pumpQueued) return;
    this.#pumpQueued = true;
    queueMicrotask(() => {
      this.#pumpQueued = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#paused || this.#stopped) return;
    if (!this.#gating && this.#due.length > 0) void this.#gate();
    while (this.#inFlight < this.#options.concurrency) {
      const flights = this.#nextBatch();
      if (flights.length === 0) return;
      void this.#fly(flights);
    }
  }

  async #gate(): Promise<void> {
    this.#gating = true;
    const idType = await this.#idType();
    const slots = new Map<string, Slot>();
    while (slots.size < maxGate) {
      const slot = this.#due.shift();
      if (slot === undefined) break;
      if (slot.queued !== "due") continue;
      slot.queued = "no";
      if (slot.windowRuns || slot.inFlight || !(slot.dirty || slot.touching)) continue;
      const key = identify(slot, idType);
      if (!slots.has(key)) slots.set(key, slot);
      else {
        this.#startWindow(slot, this.#options.windowMs);
        settleFirst(slot, { outcome: "coalesced" });
      }
    }
    await this.#acquire(slots);
    this.#gating = false;
    this.#pumpSoon();
  }

  // While the storage is away ids go as they were written: the commit meets the same error and answers for it.
  async #idType(): Promise<JobIdType | null> {
    return this.#options.committer.traits().then(
      (traits) => traits.idType,
      () => null,
    );
  }

  async #acquire(slots: ReadonlyMap<string, Slot>): Promise<void> {
    if (slots.size === 0) return;
    const { throttle, clock, windowMs } = this.#options;
    const waits = await held(clock, throttle.acquire([...slots.keys()], windowMs)).catch(() => []);
    let i = 0;
    for (const slot of slots.values()) {
      const wait = waits[i++] ?? 0;
      this.#startWindow(slot, wait === 0 ? windowMs : wait);
      if (wait === 0) this.#allow(slot);
      else settleFirst(slot, { outcome: "coalesced" });
    }
  }

  #allow(slot: Slot): void {
    if (slot.inFlight) slot.owed = true;
    else if (slot.dirty || slot.touching) this.#line(slot, "ready");
  }

  #startWindow(slot: Slot, forMs: number): void {
    if (this.#stopped) return;
    slot.windowRuns = true;
    this.#timer.add(slot, this.#options.clock.monotonic() + forMs);
  }

  #windowsEnded(slots: readonly Slot[]): void {
    for (const slot of slots) {
      slot.windowRuns = false;
      slot.refusal = null;
      this.#next(slot);
    }
  }

  /** What follows for a slot after anything happened to it. */
  #next(slot: Slot): void {
    if (slot.inFlight) return;
    if (slot.lane.length > 0) {
      if (!slot.urgent) {
        slot.urgent = true;
        this.#urgent.push(slot);
        this.#pumpSoon();
      }
      return;
    }
    if (!slot.dirty) {
      slot.owed = false;
      if (!slot.windowRuns) slot.closed = false;
    } else if (!slot.windowRuns) {
      slot.owed = false;
      this.#line(slot, "due");
    } else if (slot.owed) {
      slot.owed = false;
      this.#line(slot, "ready");
    }
  }

  #nextBatch(): Flight[] {
    const flights: Flight[] = [];
    const { batchSize } = this.#options;
    for (let slot = this.#urgent.shift(); slot !== undefined; slot = this.#urgent.shift()) {
      slot.urgent = false;
      const flight = slot.inFlight ? null : this.#fromLane(slot);
      if (flight !== null) flights.push(flight);
      if (flights.length >= batchSize) return flights;
    }
    for (let slot = this.#ready.shift(); slot !== undefined; slot = this.#ready.shift()) {
      if (slot.queued !== "ready") continue;
      slot.queued = "no";
      if (slot.inFlight) slot.owed = true;
      // The window that was acquired has ended while the storage was away: it has to be acquired again.
      else if (!slot.windowRuns) this.#next(slot);
      else if (slot.dirty) flights.push(this.#progressFlight(slot, null));
      else if (slot.touching) flights.push(this.#touchFlight(slot));
      if (flights.length >= batchSize) return flights;
    }
    return flights;
  }

  #fromLane(slot: Slot): Flight | null {
    const item = slot.lane[0];
    if (item === undefined) return null;
    if (item.kind === "change") {
      if (item.writesFirst && slot.dirty) {
        item.writesFirst = false;
        return this.#progressFlight(slot, null);
      }
      slot.lane.shift();
      return this.#changeFlight(slot, item);
    }
    slot.lane.shift();
    if (slot.dirty) return this.#progressFlight(slot, item);
    item.settle({ outcome: "coalesced" });
    this.#next(slot);
    return null;
  }

  #changeFlight(slot: Slot, item: Extract<LaneItem, { kind: "change" }>): Flight {
    const { task } = item;
    const newest = task.command.change.kind === "status" ? this.#take(slot) : null;
    const unwritten = newest === null ? task.command.unwritten : coalesce(task.command.unwritten, newest);
    task.command = { ...task.command, fence: item.bound ?? slot.attempt, unwritten };
    slot.inFlight = true;
    if (newest !== null) settleFirst(slot, { outcome: "coalesced" });
    return { slot, task, update: null, item, first: null };
  }

  #progressFlight(slot: Slot, item: LaneItem | null): Flight {
    const update = this.#take(slot) as ProgressUpdate;
    const change = { kind: "progress" as const, update };
    const at = this.#options.clock.wall();
    const task = commitTask(slot, { change, fence: slot.attempt, unwritten: null, at });
    const { first } = slot;
    slot.first = null;
    slot.inFlight = true;
    slot.touching = false;
    return { slot, task, update, item, first };
  }

  #touchFlight(slot: Slot): Flight {
    const at = this.#options.clock.wall();
    const task = commitTask(slot, { change: { kind: "touch" }, fence: slot.attempt, unwritten: null, at });
    slot.inFlight = true;
    slot.touching = false;
    return { slot, task, update: null, item: null, first: null };
  }

  async #fly(flights: readonly Flight[]): Promise<void> {
    this.#inFlight++;
    for (const flight of flights) this.#flying.add(flight);
    let failure: unknown = null;
    try {
      await this.#options.committer.run(flights.map((flight) => flight.task));
      this.#recovered();
    } catch (error) {
      failure = error;
      this.#failed(error);
    }
    this.#inFlight--;
    if (this.#stopped) return;
    for (const flight of flights) {
      this.#flying.delete(flight);
      this.#land(flight, failure);
    }
    this.#pumpSoon();
  }

  #land(flight: Flight, failure: unknown): void {
    const { slot, task, update } = flight;
    slot.inFlight = false;
    const { result } = task;
    if (result === null || (result.kind === "refused" && update !== null && isRetryable(result.error))) {
      this.#putBack(flight, result === null ? failure : result.error);
    } else if (update !== null) this.#settleProgress(flight, result);
    else this.#settleChange(flight, result);
    this.#next(slot);
  }

  #putBack({ slot, task, update, item, first }: Flight, failure: unknown): void {
    const error = refusalFrom(task.command.change, slot.key, failure);
    if (update !== null) {
      this.#restore(slot, update);
      slot.owed = slot.windowRuns;
      slot.answer = deferred(error);
      first?.({ outcome: "deferred", error });
      if (item?.kind === "flush") item.settle({ outcome: "deferred", error });
      this.#postpone(slot, failure);
      return;
    }
    if (item?.kind !== "change") return;
    if (this.#options.clock.monotonic() < item.deadline && !this.#stopped) slot.lane.unshift(item);
    else this.#giveUp(slot, item, failure);
  }

  #giveUp(slot: Slot, item: LaneItem, failure: unknown): void {
    if (item.kind === "flush") {
      item.settle({ outcome: "deferred", error: refusalFrom(progressReport, slot.key, failure) });
      return;
    }
    const { change, unwritten } = item.task.command;
    this.#restore(slot, unwritten);
    settleChange(slot, item, { kind: "refused", error: refusalFrom(change, slot.key, failure) });
  }

  /** A start whose turn comes after progress that could not be written waits for it no longer than its deadline. */
  #postpone(slot: Slot, failure: unknown): void {
    const next = slot.lane[0];
    if (next?.kind !== "change" || !isStart(next)) return;
    next.writesFirst = true;
    if (this.#options.clock.monotonic() < next.deadline) return;
    slot.lane.shift();
    this.#giveUp(slot, next, failure);
  }

  #settleProgress({ slot, item, first }: Flight, result: ChangeResult): void {
    const answer: ProgressResult =
      result.kind === "stored"
        ? { outcome: "written", percent: result.job.progress, attempt: result.job.attempt }
        : { outcome: "rejected", error: result.error };
    if (result.kind === "stored") {
      slot.attempt ??= result.job.attempt;
      this.#stored(slot, result.job.progress);
      observe(slot);
    } else this.#refused(slot, result.error);
    first?.(answer);
    if (item?.kind === "flush") item.settle(answer);
  }

  #settleChange({ slot, task, item }: Flight, result: ChangeResult): void {
    if (result.kind === "stored") {
      const { job } = result;
      slot.refusal = null;
      if (task.command.change.kind === "start") this.#begun(slot, job.attempt);
      if (isTerminal(job.status)) this.#ended(slot, task.command, job);
      // A finished job refuses every percent: let the storage say so.
      this.#stored(slot, isTerminal(job.status) ? 0 : job.progress);
      observe(slot);
    } else {
      this.#restore(slot, task.command.unwritten);
      if (endsAttempt(result.error) && task.command.fence === slot.signal?.attempt) slot.signal?.abort(result.error);
    }
    if (item?.kind === "change") settleChange(slot, item, result);
  }

  #begun(slot: Slot, attempt: number): void {
    if (slot.owner !== null && slot.owner !== attempt) this.#take(slot);
    begin(slot, attempt);
  }

  #stored(slot: Slot, progress: number): void {
    slot.answer = coalesced;
    slot.floor = slot.dirty ? Math.max(slot.floor, progress) : progress;
    slot.lastWrite = this.#options.clock.monotonic();
    slot.lastActive = slot.lastWrite;
  }

  #ended(slot: Slot, { change, fence }: Command, job: JobSnapshot): void {
    if (slot.signal === null) slot.attempt = null;
    else if (!isByWorker(change)) endedByOthers(slot, job);
    else if (fence === slot.signal.attempt) slot.signal.end();
    if (slot.starts === 0) this.#refuseAfterEnd(slot, job);
  }

  /** What is reported after the end cannot be stored; while the window runs it is refused without asking the storage. */
  #refuseAfterEnd(slot: Slot, { status }: JobSnapshot): void {
    const error = refusal(progressReport, slot.key, "JOB_FINISHED", finishedReason(status));
    this.#take(slot);
    settleFirst(slot, { outcome: "rejected", error });
    if (slot.windowRuns) slot.refusal = Promise.resolve({ outcome: "rejected", error });
  }

  #refused(slot: Slot, error: WorkerProgressError): void {
    if (slot.attempt !== null && slot.attempt === slot.signal?.attempt && endsAttempt(error)) slot.signal.abort(error);
    // The value is at fault, not the job: what was reported since may be stored.
    if (error.code === "PROGRESS_DECREASED" || error.code === "STORAGE_REJECTED") {
      this.#stored(slot, slot.known?.progress ?? 0);
      return;
    }
    this.#take(slot);
    settleFirst(slot, { outcome: "rejected", error });
    if (error.code === "JOB_FINISHED" && slot.signal === null) slot.attempt = null;
    slot.floor = 0;
    slot.refusal = Promise.resolve({ outcome: "rejected", error });
    if (!slot.windowRuns) this.#startWindow(slot, this.#options.windowMs);
  }

  #failed(error: unknown): void {
    const { log, clock, backoff, random } = this.#options;
    const outage =
      error instanceof WorkerProgressError
        ? error
        : new WorkerProgressError("STORAGE_UNAVAILABLE", "The storage failed", { cause: error });
    if (this.#outage === null) {
      log.warn("The storage is away: progress is kept in memory and tried again", {
        code: outage.code,
        reason: outage.message,
      });
    }
    // Nobody waits for a storage that is away.
    if (this.#outage === null) for (const slot of [...this.#ready.values(), ...this.#due.values()]) defer(slot, outage);
    this.#outage = outage;
    this.#failures++;
    if (this.#paused || this.#stopped) return;
    this.#paused = true;
    this.#cancelRetry = clock.schedule(backoffMs(this.#failures, backoff, random()), () => this.#resume(), true);
  }

  #resume(): void {
    this.#paused = false;
    this.#pump();
  }

  #recovered(): void {
    if (this.#outage !== null) this.#options.log.warn("The storage is back: what was kept is being written");
    this.#outage = null;
    this.#failures = 0;
  }
}

function identify(slot: Slot, idType: JobIdType | null): string {
  if (slot.id === null && idType !== null) {
    const canonical = canonicalJobId(slot.key, idType);
    if (canonical.ok) slot.id = canonical.id;
  }
  return slot.id ?? slot.key;
}

function begin(slot: Slot, attempt: number): void {
  if (slot.signal !== null && slot.signal.attempt !== attempt) {
    slot.signal.abort(
      new WorkerProgressError(
        "STALE_ATTEMPT",
        `Attempt ${slot.signal.attempt} of job "${slot.key}" is fenced off: attempt ${attempt} has begun`,
        { jobId: slot.key },
      ),
    );
  }
  if (slot.signal?.attempt !== attempt || slot.signal.ended) slot.signal = new AttemptSignal(attempt);
  slot.attempt = attempt;
}

function isStart(item: LaneItem): boolean {
  return item.kind === "change" && item.task.command.change.kind === "start";
}

function settleChange(slot: Slot, item: Extract<LaneItem, { kind: "change" }>, result: ChangeResult): void {
  if (isStart(item)) slot.starts--;
  item.settle(result);
}

/** Tells the attempt's signal what the stored row said. */
function observe(slot: Slot): void {
  if (slot.known?.cancelRequested && slot.attempt === slot.signal?.attempt) slot.signal?.abort(cancelled(slot.key));
}

function isByWorker({ kind }: Change): boolean {
  return kind !== "requestCancel" && kind !== "expire";
}

/** Tells a worker of this process that somebody else ended its job, as its next write would. */
function endedByOthers(slot: Slot, { status, attempt }: JobSnapshot): void {
  if (slot.signal?.attempt !== attempt) return;
  const message = `Job "${slot.key}" is ${status} already: somebody else ended it`;
  slot.signal.abort(new WorkerProgressError("JOB_FINISHED", message, { jobId: slot.key }));
}

function endsAttempt(error: WorkerProgressError): boolean {
  return error.code === "STALE_ATTEMPT" || error.code === "JOB_FINISHED";
}

function settleFirst(slot: Slot, result: ProgressResult): void {
  slot.first?.(result);
  slot.first = null;
}

function defer(slot: Slot, error: WorkerProgressError): void {
  if (slot.first === null) return;
  slot.answer = deferred(error);
  settleFirst(slot, { outcome: "deferred", error });
}

function deferred(error: WorkerProgressError): Promise<ProgressResult> {
  return Promise.resolve({ outcome: "deferred", error });
}
