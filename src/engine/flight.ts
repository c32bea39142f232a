import type { ProgressResult } from "../domain/progress-result.js";
import { coalesce, type ProgressUpdate } from "../domain/progress-update.js";
import { type CommitTask, commitTask } from "./committer.js";
import type { Forced, LaneItem, Slot } from "./slot.js";
import type { Unwritten } from "./unwritten.js";

/** One job's part of a batch. */
export interface Flight {
  readonly slot: Slot;
  readonly task: CommitTask;
  /** What to put back when the batch fails; null for a change. */
  readonly update: ProgressUpdate | null;
  readonly item: LaneItem | null;
  readonly first: ((result: ProgressResult) => void) | null;
  readonly forced: Forced | null;
}

/** Takes the newest progress of a job along; `item` is the flush that asked for it. */
export function progressFlight(slot: Slot, item: LaneItem | null, unwritten: Unwritten, at: number): Flight {
  const update = unwritten.take(slot) as ProgressUpdate;
  const task = commitTask(slot, { change: { kind: "progress", update }, fence: slot.attempt, unwritten: null, at });
  const { first } = slot;
  slot.first = null;
  slot.inFlight = true;
  slot.carries = true;
  slot.touching = false;
  return { slot, task, update, item, first, forced: slot.takeForced() };
}

/** Takes a change along, and with a change of status the newest progress. */
export function changeFlight(
  slot: Slot,
  item: Extract<LaneItem, { readonly kind: "change" }>,
  unwritten: Unwritten,
): Flight {
  const { task } = item;
  // What may have landed without it must not take it along.
  const newest = task.command.change.kind === "status" && !task.ambiguous ? unwritten.take(slot) : null;
  const together = newest === null ? task.command.unwritten : coalesce(task.command.unwritten, newest);
  task.command = { ...task.command, fence: item.bound ?? slot.attempt, unwritten: together };
  slot.inFlight = true;
  slot.carries = together !== null;
  if (newest !== null) slot.settleFirst({ outcome: "coalesced" });
  return { slot, task, update: null, item, first: null, forced: newest === null ? null : slot.takeForced() };
}

/** Takes a sign of life along. */
export function touchFlight(slot: Slot, at: number): Flight {
  const task = commitTask(slot, { change: { kind: "touch" }, fence: slot.attempt, unwritten: null, at });
  slot.inFlight = true;
  slot.touching = false;
  return { slot, task, update: null, item: null, first: null, forced: null };
}
