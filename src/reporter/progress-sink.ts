import type { JsonObject } from "../domain/json.js";
import type { ProgressResult } from "../domain/progress-result.js";

/** Where a piece of work reports its progress: a job's handle, or a range of it. */
export interface ProgressSink {
  /**
   * Reports progress. Written at once when the window is open, else kept as the newest and written when it ends: there is
   * no need to call again or to await. Never throws and never rejects.
   *
   * @param percent 0–100, clamped; NaN, infinities and non-numbers are rejected
   * @param step a short name of what is being done; absent keeps the last one
   * @param message a sentence for people; absent keeps the last one
   * @param metrics JSON, merged key by key into what is stored
   */
  progress(percent: number, step?: string, message?: string, metrics?: JsonObject): Promise<ProgressResult>;
  /** The same, written now, whatever the window says. Never throws and never rejects. */
  forceProgress(percent: number, step?: string, message?: string, metrics?: JsonObject): Promise<ProgressResult>;
}

/** A sink that can be divided. */
export interface DivisibleSink extends ProgressSink {
  /**
   * A sink whose 0–100 is `from`–`to` of this one. Ranges can be divided again.
   *
   * @throws RangeError unless 0 ≤ from ≤ to ≤ 100
   */
  range(from: number, to: number): DivisibleSink;
  /**
   * Yields the items and reports how many are done, before each next one. Gives the event loop its turn on the way, and
   * throws the signal's reason when the job is to be cancelled or its attempt is fenced off.
   *
   * @throws TypeError when `total` is absent and the items have neither length nor size
   */
  track<T>(items: Iterable<T> | AsyncIterable<T>, options?: TrackOptions): AsyncIterableIterator<T>;
}

/** Options of `track`. */
export interface TrackOptions {
  /** How many items there are. @default the length or size of the items */
  readonly total?: number;
  /** The step to report. */
  readonly step?: string;
}
