import type { Change, Command } from "../domain/command.js";
import { finishedReason } from "../domain/decide.js";
import { isRetryable, WorkerProgressError } from "../domain/errors.js";
import type { JobSnapshot } from "../domain/job-snapshot.js";
import { isTerminal } from "../domain/job-status.js";
import type { ProgressResult } from "../domain/progress-result.js";
import type { Clock } from "../ports/clock.js";
import { AttemptSignal } from "./attempt-signal.js";
import type { Flight } from "./flight.js";
import type { Gate } from "./gate.js";
import { cancelled, progressReport, refusal, refusalFrom } from "./refusal.js";
import { type ChangeResult, coalesced, deferred, isStart, type LaneItem, type Slot } from "./slot.js";
import type { Unwritten } from "./unwritten.js";

export interface LandingOptions {
  readonly unwritten: Unwritten;
  readonly gate: Gate;
  readonly clock: Clock;
}

/** What becomes of a job, and of those who wait for it, when its part of a batch has its result or has failed. */
export class Landing {
  readonly #options: LandingOptions;

  constructor(options: LandingOptions) {
    this.#options = options;
  }

  /** `failure` is why the batch failed, for what has no result. */
  land(flight: Flight, failure: unknown): void {
    const { slot, task, update } = flight;
    slot.inFlight = false;
    slot.carries = false;
    const { result, underway, postponed } = task;
    if (underway !== null) this.#progressStored(flight, underway);
    if (postponed !== null) this.#keep(flight, postponed);
    else if (result === null) this.putBack(flight, failure);
    else if (update === null) this.#settleChange(flight, result);
    // Others keep winning the row: one more round at once would lose as well.
    else if (result.kind === "refused" && isRetryable(result.error)) this.#putProgressBack(flight, result.error);
    else this.#settleProgress(flight, result);
  }

  /** Keeps what a storage that is away did not write, to be written as soon as it is back. */
  putBack(flight: Flight, failure: unknown): void {
    const { slot, update } = flight;
    this.#keep(flight, failure);
    if (update !== null) slot.owed = slot.windowRuns;
  }

  /** Keeps what could not be written for another try; a change whose deadline has passed is given up. */
  #keep(flight: Flight, failure: unknown): void {
    const { slot, update, item } = flight;
    if (update !== null) this.#putProgressBack(flight, refusalFrom(progressReport, slot.key, failure));
    else if (item?.kind === "change") {
      settle(flight, { outcome: "deferred", error: refusalFrom(progressReport, slot.key, failure) });
      if (this.#options.clock.monotonic() < item.deadline) slot.lane.unshift(item);
      else this.giveUp(slot, item, failure);
    }
  }

  /** Tells who waits for an item that it is not done. */
  giveUp(slot: Slot, item: LaneItem, failure: unknown): void {
    if (item.kind === "flush") {
      item.settle();
      return;
    }
    const { change, unwritten } = item.task.command;
    this.#options.unwritten.restore(slot, unwritten);
    settleChange(slot, item, { kind: "refused", error: refusalFrom(change, slot.key, failure) });
  }

  #putProgressBack(flight: Flight, error: WorkerProgressError): void {
    const { slot, update, item } = flight;
    this.#options.unwritten.restore(slot, update);
    slot.answer = deferred(error);
    settle(flight, { outcome: "deferred", error });
    if (item?.kind === "flush") item.settle();
    this.#postponeStart(slot, error);
  }

  /** A start whose turn comes after progress that could not be written waits for it no longer than its deadline. */
  #postponeStart(slot: Slot, failure: unknown): void {
    const next = slot.lane[0];
    if (next?.kind !== "change" || !isStart(next)) return;
    next.writesFirst = true;
    if (this.#options.clock.monotonic() < next.deadline) return;
    slot.lane.shift();
    this.giveUp(slot, next, failure);
  }

  #settleProgress(flight: Flight, result: ChangeResult): void {
    const { slot, item } = flight;
    if (result.kind === "stored") {
      this.#progressStored(flight, result.job);
      this.#stored(slot, result.job.progress);
      observe(slot);
    } else {
      this.#progressRefused(slot, result.error);
      settle(flight, { outcome: "rejected", error: result.error });
    }
    if (item?.kind === "flush") item.settle();
  }

  #progressStored(flight: Flight, { progress, attempt }: JobSnapshot): void {
    flight.slot.attempt ??= attempt;
    settle(flight, { outcome: "written", percent: progress, attempt });
  }

  #progressRefused(slot: Slot, error: WorkerProgressError): void {
    if (endsAttempt(error)) slot.signal?.abort(error);
    // The value is at fault, not the job: what was reported since may be stored.
    if (error.code === "PROGRESS_DECREASED" || error.code === "STORAGE_REJECTED") {
      this.#stored(slot, slot.known?.progress ?? 0);
      return;
    }
    slot.floor = 0;
    if (!slot.windowRuns) this.#options.gate.startWindow(slot);
    this.#refuseReports(slot, error);
  }

  #settleChange(flight: Flight, result: ChangeResult): void {
    const { slot, task, item } = flight;
    if (result.kind === "stored") {
      if (task.command.unwritten !== null) this.#progressStored(flight, result.job);
      this.#changeStored(slot, task.command, result.job);
    } else this.#changeRefused(flight, result.error);
    if (item?.kind === "change") settleChange(slot, item, result);
  }

  #changeStored(slot: Slot, command: Command, job: JobSnapshot): void {
    slot.refusal = null;
    if (command.change.kind === "start") this.#begun(slot, job.attempt);
    if (isTerminal(job.status)) this.#ended(slot, command, job);
    // A finished job refuses every percent: let the storage say so.
    this.#stored(slot, isTerminal(job.status) ? 0 : job.progress);
    observe(slot, command.change.kind === "requestCancel" ? command.change.reason : undefined);
  }

  #changeRefused({ slot, task, forced }: Flight, error: WorkerProgressError): void {
    const { unwritten, fence } = task.command;
    this.#options.unwritten.restore(slot, unwritten);
    if (unwritten !== null && forced !== null) slot.restoreForced(forced);
    if (!endsAttempt(error) || fence !== slot.signal?.attempt) return;
    slot.signal.abort(error);
    if (fence !== slot.attempt || slot.starts > 0) return;
    const reason = error.code === "STALE_ATTEMPT" ? `attempt ${fence} is stale` : "it has ended already";
    this.#refuseReports(slot, refusal(progressReport, slot.key, error.code, reason));
  }

  #begun(slot: Slot, attempt: number): void {
    begin(slot, attempt);
    // What the storage said of the attempt before is no floor of this one.
    slot.floor = slot.newest()?.percent ?? 0;
    if (!slot.dirty || slot.owner === null || slot.owner === attempt) return;
    const reason = `attempt ${slot.owner} is stale, current attempt is ${attempt}`;
    this.#letGo(slot, refusal(progressReport, slot.key, "STALE_ATTEMPT", reason));
  }

  #stored(slot: Slot, progress: number): void {
    slot.answer = coalesced;
    slot.floor = slot.dirty ? Math.max(slot.floor, progress) : progress;
    slot.lastWrite = this.#options.clock.monotonic();
    slot.lastActive = slot.lastWrite;
  }

  #ended(slot: Slot, { change, fence }: Command, job: JobSnapshot): void {
    if (!isByWorker(change)) endedByOthers(slot, job);
    else if (slot.signal === null) slot.attempt = null;
    else if (fence === slot.signal.attempt) slot.signal.end();
    if (slot.starts > 0) return;
    this.#refuseReports(slot, refusal(progressReport, slot.key, "JOB_FINISHED", finishedReason(job.status)));
  }

  /** Lets go what cannot be stored any more; for the rest of the window reports are refused without asking the storage. */
  #refuseReports(slot: Slot, error: WorkerProgressError): void {
    this.#letGo(slot, error);
    if (slot.windowRuns) slot.refusal = Promise.resolve({ outcome: "rejected", error });
  }

  #letGo(slot: Slot, error: WorkerProgressError): void {
    this.#options.unwritten.take(slot);
    slot.settleAll({ outcome: "rejected", error });
  }
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
  // What has fired for the attempt before a pause may have been taken back: what stands is told with the start.
  if (slot.signal?.attempt !== attempt || slot.signal.ended || slot.signal.reason !== null) {
    slot.signal = new AttemptSignal(attempt);
  }
  slot.attempt = attempt;
}

function settle({ first, forced }: Flight, result: ProgressResult): void {
  first?.(result);
  forced?.settle(result);
}

function settleChange(slot: Slot, item: Extract<LaneItem, { kind: "change" }>, result: ChangeResult): void {
  if (isStart(item)) slot.starts--;
  item.settle(result);
}

/** Tells the attempt's signal what the stored row said. */
function observe(slot: Slot, cancelReason?: string): void {
  if (slot.known?.cancelRequested) slot.signal?.abort(cancelled(slot.key), cancelReason);
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
