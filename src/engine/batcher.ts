import type { BackoffPolicy } from "../domain/backoff.js";
import { WorkerProgressError } from "../domain/errors.js";
import type { ProgressResult } from "../domain/progress-result.js";
import type { ProgressUpdate } from "../domain/progress-update.js";
import type { Clock } from "../ports/clock.js";
import type { Log } from "../ports/log.js";
import type { ThrottleAdapter } from "../ports/throttle.js";
import type { Committer } from "./committer.js";
import { Fifo } from "./fifo.js";
import { changeFlight, type Flight, progressFlight, touchFlight } from "./flight.js";
import { Gate } from "./gate.js";
import { Landing } from "./landing.js";
import { coalesced, deferred, isStart, type LaneItem, type Slot } from "./slot.js";
import { StorageOutage } from "./storage-outage.js";
import { Unwritten } from "./unwritten.js";
import { WaitingCallers } from "./waiting-callers.js";

export interface BatcherOptions {
  readonly committer: Committer;
  readonly throttle: ThrottleAdapter;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly windowMs: number;
  /** How long a report may wait for its write before it is answered, in milliseconds. */
  readonly patienceMs: number;
  /** Most jobs in one statement. */
  readonly batchSize: number;
  /** Most statements at a time. */
  readonly concurrency: number;
  readonly backoff: BackoffPolicy;
  /** Told when a job has progress that is not written yet. */
  readonly onNews: (slot: Slot) => void;
}

/**
 * Group commit: all that is due while a batch is in flight goes into the next one. Changes go first, then progress in
 * the order its windows ended. While the storage is away nothing is lost: newest values stay in their slots, and one
 * retry after the other is made with backoff.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #unwritten: Unwritten;
  readonly #gate: Gate;
  readonly #landing: Landing;
  readonly #outage: StorageOutage;
  readonly #callers: WaitingCallers;
  readonly #urgent = new Fifo<Slot>();
  readonly #ready = new Fifo<Slot>();
  readonly #flying = new Set<Flight>();
  #inFlight = 0;
  #pumpQueued = false;
  #stopped = false;

  constructor(options: BatcherOptions) {
    const { committer, throttle, clock, log, random, windowMs, patienceMs, backoff, onNews } = options;
    this.#options = options;
    const gate = new Gate({
      committer,
      throttle,
      clock,
      windowMs,
      onAllowed: (slot) => this.#allow(slot),
      onWindowEnded: (slot) => this.#next(slot),
      onAnswered: () => this.#pumpSoon(),
    });
    // The process waits for windows only while something is unwritten.
    const unwritten = new Unwritten({ onNews, onCount: (jobs) => gate.hold(jobs > 0) });
    this.#gate = gate;
    this.#unwritten = unwritten;
    this.#landing = new Landing({ unwritten, gate, clock });
    this.#callers = new WaitingCallers(clock, patienceMs);
    this.#outage = new StorageOutage({
      clock,
      log,
      random,
      backoff,
      onBegin: (error) => this.#deferWaiting(error),
      onRetry: () => this.#pump(),
    });
  }

  /** Why the storage is away; null while it is not known to be. */
  get outage(): WorkerProgressError | null {
    return this.#outage.error;
  }

  /** How many jobs have progress that is not stored yet. */
  get unwritten(): number {
    return this.#unwritten.jobs;
  }

  /** Keeps an update as the newest of its job and says what becomes of it. */
  offer(slot: Slot, update: ProgressUpdate, bound: number | null): Promise<ProgressResult> {
    this.#unwritten.keep(slot, update, bound);
    if (slot.closed) return slot.answer;
    slot.closed = true;
    slot.answer = coalesced;
    this.#line(slot, "due");
    if (this.#outage.error !== null) return slot.answer;
    return this.#callers.wait((settle) => {
      slot.first = settle;
    });
  }

  /** Writes the newest progress without waiting for the window and says what became of it. */
  force(slot: Slot): Promise<ProgressResult> {
    if (slot.forced === null) {
      const { promise: answer, resolve: settle } = Promise.withResolvers<ProgressResult>();
      slot.forced = { answer, settle };
      void this.flush(slot);
    }
    return slot.forced.answer;
  }

  /** Writes the newest progress without waiting for the window. */
  flush(slot: Slot): Promise<void> {
    const last = slot.lane.at(-1);
    // It will take along what was reported since.
    if (last?.kind === "flush") return last.done;
    const { promise: done, resolve: settle } = Promise.withResolvers<void>();
    this.submit(slot, { kind: "flush", done, settle });
    return done;
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
    this.#gate.stop();
    this.#outage.stop();
    this.#callers.stop();
    const late = new WorkerProgressError(
      "STORAGE_UNAVAILABLE",
      "The storage did not answer before the reporter closed",
    );
    for (const flight of this.#flying) this.#landing.putBack(flight, late);
    for (const slot of slots) {
      slot.settleAll({ outcome: "deferred", error: late });
      for (const item of slot.lane.splice(0)) this.#landing.giveUp(slot, item, late);
    }
  }

  #line(slot: Slot, queue: "due" | "ready"): void {
    if (slot.queued === queue) return;
    slot.queued = queue;
    // Its turn may not come before the storage is back.
    if (this.#outage.error !== null) slot.answer = deferred(this.#outage.error);
    if (queue === "due") this.#gate.line(slot);
    else this.#ready.push(slot);
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
    if (this.#outage.paused || this.#stopped) return;
    this.#gate.open();
    while (this.#inFlight < this.#options.concurrency) {
      const flights = this.#nextBatch();
      if (flights.length === 0) return;
      void this.#fly(flights);
    }
  }

  #allow(slot: Slot): void {
    if (slot.inFlight) slot.owed = true;
    else if (slot.dirty || slot.touching) this.#line(slot, "ready");
  }

  /** What follows for a slot after anything happened to it. */
  #next(slot: Slot): void {
    slot.forgetOldFloor();
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

  #nextLater(slot: Slot): void {
    const { clock, backoff } = this.#options;
    clock.schedule(backoff.firstMs, () => this.#next(slot), true);
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
      const flight = this.#fromReady(slot);
      if (flight !== null) flights.push(flight);
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
      return changeFlight(slot, item, this.#unwritten);
    }
    slot.lane.shift();
    if (slot.dirty) return this.#progressFlight(slot, item);
    item.settle();
    this.#next(slot);
    return null;
  }

  #fromReady(slot: Slot): Flight | null {
    slot.queued = "no";
    if (slot.inFlight) slot.owed = true;
    // The window that was acquired has ended while the storage was away: it has to be acquired again.
    else if (!slot.windowRuns) this.#next(slot);
    else if (slot.dirty) return this.#progressFlight(slot, null);
    else if (slot.touching) return touchFlight(slot, this.#options.clock.wall());
    return null;
  }

  #progressFlight(slot: Slot, item: LaneItem | null): Flight {
    return progressFlight(slot, item, this.#unwritten, this.#options.clock.wall());
  }

  async #fly(flights: readonly Flight[]): Promise<void> {
    this.#inFlight++;
    for (const flight of flights) this.#flying.add(flight);
    let failure: unknown = null;
    try {
      await this.#options.committer.run(flights.map((flight) => flight.task));
      this.#outage.recovered();
    } catch (error) {
      failure = error;
      this.#outage.failed(error);
    }
    this.#inFlight--;
    if (this.#stopped) return;
    for (const flight of flights) {
      this.#flying.delete(flight);
      this.#landing.land(flight, failure);
      if (flight.task.postponed === null) this.#next(flight.slot);
      else this.#nextLater(flight.slot);
    }
    this.#pumpSoon();
  }

  /** Nobody waits for a storage that is away. */
  #deferWaiting(error: WorkerProgressError): void {
    for (const slot of [...this.#ready.values(), ...this.#gate.due]) {
      if (slot.first === null) continue;
      slot.answer = deferred(error);
      slot.settleFirst({ outcome: "deferred", error });
    }
  }
}
