import type { ProgressUpdate } from "../domain/progress-update.js";
import type { Slot } from "./slot.js";

export interface UnwrittenOptions {
  /** Told when a job has progress that is not written yet. */
  readonly onNews: (slot: Slot) => void;
  /** Told of every change of `jobs`. */
  readonly onCount: (jobs: number) => void;
}

/** The newest progress of each job that is not stored yet. */
export class Unwritten {
  readonly #options: UnwrittenOptions;
  #jobs = 0;

  constructor(options: UnwrittenOptions) {
    this.#options = options;
  }

  /** How many jobs have progress that is not stored yet. */
  get jobs(): number {
    return this.#jobs;
  }

  /** Keeps an update as the newest of its job; `bound` is the attempt of the handle that reported it. */
  keep(slot: Slot, update: ProgressUpdate, bound: number | null): void {
    if (!slot.dirty) {
      this.#count(1);
      slot.owner = bound ?? (slot.starts > 0 ? null : slot.attempt);
    } else slot.owner ??= bound;
    slot.offer(update);
    this.#options.onNews(slot);
  }

  /** Puts back what could not be written, behind what came since. */
  restore(slot: Slot, update: ProgressUpdate | null): void {
    if (update === null) return;
    if (!slot.dirty) this.#count(1);
    slot.restore(update);
    this.#options.onNews(slot);
  }

  /** Takes the newest out, to be written or let go. */
  take(slot: Slot): ProgressUpdate | null {
    const update = slot.newest();
    if (update !== null) {
      slot.clear();
      this.#count(-1);
    }
    return update;
  }

  #count(change: 1 | -1): void {
    this.#jobs += change;
    this.#options.onCount(this.#jobs);
  }
}
