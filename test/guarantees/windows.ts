import type pg from "pg";
import { expect } from "vitest";
import type { WorkerProcess } from "../support/child-process.js";
import { eventually } from "../support/eventually.js";
import { journaledChanges } from "./journal.js";
import type { TightLoopMessage } from "./workers/tight-loop.js";

/** How the writes of a job kept to their windows, in milliseconds. */
export interface WindowedWrites {
  /** From each write to the next, as the table saw them. */
  readonly gaps: readonly number[];
  /**
   * From the asking for a write's window to the next write: at least a window, however late the first of the two reached the
   * table. A gap is shorter by as much as that was late.
   */
  readonly windows: readonly number[];
  /** From the asking for the first window to the last write. */
  readonly spanMs: number;
}

/** Compares the journal of a job with what those who write it in tight loops told of their windows; each write has one. */
export async function windowedWrites(
  db: pg.Pool,
  loops: readonly WorkerProcess<TightLoopMessage>[],
): Promise<WindowedWrites> {
  const times = (await journaledChanges(db)).map(({ at }) => at.getTime());
  const lead = await leadOf(db);
  const asked = () => loops.flatMap(({ messages }) => messages.flatMap(({ askedAt }) => askedAt ?? []));
  const windowOf = (time: number) => Math.max(...asked().filter((askedAt) => askedAt + lead <= time)) + lead;
  await eventually(() => expect(new Set(times.map(windowOf)).size).toBe(times.length));
  const pairs = times.slice(1).map((time, i) => [times[i] as number, time] as const);
  return {
    gaps: pairs.map(([before, time]) => time - before),
    windows: pairs.map(([before, time]) => time - windowOf(before)),
    spanMs: (times.at(-1) as number) - windowOf(times[0] as number),
  };
}

/** How far the clock of the database is ahead of this one, at the least. */
async function leadOf(db: pg.Pool): Promise<number> {
  const { rows } = await db.query<{ now: Date }>("select clock_timestamp() as now");
  return (rows[0]?.now.getTime() ?? 0) - Date.now();
}
