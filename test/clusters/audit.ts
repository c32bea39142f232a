import type pg from "pg";
import { expect } from "vitest";
import { faultsIn, journaledChanges, journaledEvents, noFaults } from "../guarantees/journal.js";
import type { Listener } from "../guarantees/listener.js";
import { eventually } from "../support/eventually.js";
import type { Acknowledged, LoadReport } from "./workers/load-messages.js";

/** For what takes as long as many changes take: how many come about in a second is up to the machine. */
export const patience = { timeoutMs: 30_000, everyMs: 50 } as const;

/** Waits until the last report of every job is stored. */
export async function untilLastIsStored(db: pg.Pool, jobIds: readonly string[]): Promise<void> {
  await eventually(async () => {
    const { rows } = await db.query(
      "select id::text, status, progress, step from worker_progress_jobs where id = any ($1::bigint[]) order by worker_progress_jobs.id",
      [jobIds],
    );
    expect(rows).toEqual(jobIds.map((id) => ({ id, status: "running", progress: 97, step: "last" })));
  }, patience);
}

/** The events that were ever stored, per job, in the order of their commits. */
export async function storedEvents(db: pg.Pool): Promise<ReadonlyMap<string, readonly string[]>> {
  const byJob = new Map<string, string[]>();
  for (const { job_id, event_id } of await journaledEvents(db)) {
    byJob.set(job_id, [...(byJob.get(job_id) ?? []), event_id]);
  }
  return byJob;
}

/** One event per change, no decrease, and the consumer gets all in order; of arrivals only those that are `known` count. */
export async function expectConsistent(
  db: pg.Pool,
  listener: Listener,
  known: (eventId: string) => boolean = () => true,
): Promise<void> {
  await eventually(async () => {
    const arrivals = [...listener.firstArrivals()].map(([jobId, ids]) => [jobId, ids.filter(known)] as const);
    expect(new Map(arrivals)).toEqual(await storedEvents(db));
  }, patience);
  expect(await faultsIn(db)).toEqual(noFaults);
}

/** No call of a healthy or a broken time waited for a server. */
export function expectCallsReturnedAtOnce(report: LoadReport): void {
  for (const { longestOwnMs } of [report.healthy, report.fault]) expect(longestOwnMs).toBeLessThan(20);
  expect(report.fault.calls).toBeGreaterThan(0);
}

/** What was acknowledged and is not in the history of the database; what was done again since does not make up for it. */
export async function lostChanges(
  db: pg.Pool,
  acknowledged: readonly Acknowledged[],
): Promise<readonly Acknowledged[]> {
  const kept = new Map<string, number>();
  for (const { job_id, new_attempts, new_status, at } of (await journaledChanges(db)).toReversed()) {
    kept.set(`${job_id} ${new_attempts} ${new_status}`, at.getTime());
  }
  return acknowledged.filter(({ jobId, attempt, change, at }) => {
    const storedAt = kept.get(`${jobId} ${attempt} ${change === "started" ? "running" : "completed"}`);
    return storedAt === undefined || storedAt > at;
  });
}

/** Waits until jobs are completed again after a fault; answers the longest time in which nothing was stored, in milliseconds. */
export async function untilWorkGoesOn(db: pg.Pool, since: number): Promise<number> {
  return eventually(async () => {
    const later = (await journaledChanges(db)).filter(({ at }) => at.getTime() >= since);
    expect(later.filter(({ new_status }) => new_status === "completed").length).toBeGreaterThan(10);
    return longestPause([since, ...later.map(({ at }) => at.getTime())]);
  }, patience);
}

/** The longest time between two of them, in milliseconds. */
export function longestPause(times: readonly number[]): number {
  return Math.max(...times.slice(1).map((time, i) => time - (times[i] as number)));
}
