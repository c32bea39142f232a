import { type Faults, faultsIn, journaledChanges, journaledEvents } from "../guarantees/journal.js";
import type { Scene } from "./scene.js";

/** What is in the database at the end, by what its triggers wrote down. */
export interface Stored {
  readonly faults: Faults;
  readonly changes: number;
  readonly events: number;
  /** Jobs that were begun and are not ended. */
  readonly unended: readonly string[];
}

/** What the consumer got, compared with the events that were ever stored. */
export interface Consumed {
  readonly events: number;
  readonly deliveries: number;
  /** Stored and not delivered. */
  readonly missing: number;
  /** Delivered and never stored. */
  readonly invented: number;
  /** Jobs whose events did not first arrive in the order of their commits. */
  readonly outOfOrder: readonly string[];
  /** Redeliveries that say something else than the first, or under another id. */
  readonly altered: number;
  /** Events of an attempt that first arrived behind its terminal one. */
  readonly afterTheEnd: number;
}

const terminal: ReadonlySet<string> = new Set(["completed", "failed", "cancelled", "timeout"]);

/** Reads the journal. */
export async function auditStored({ stage }: Scene): Promise<Stored> {
  const { rows } = await stage.db.query<{ id: string }>(
    "select id::text from worker_progress_jobs where attempts > 0 and finished_at is null",
  );
  return {
    faults: await faultsIn(stage.db),
    changes: (await journaledChanges(stage.db)).length,
    events: (await journaledEvents(stage.db)).length,
    unended: rows.map(({ id }) => id),
  };
}

/** How often the steady job that was written most was written, and how many windows lie between its first and its last write. */
export interface Writes {
  readonly most: number;
  readonly windows: number;
}

/** Counts writes of progress, whoever made them. */
export async function countWrites({ stage, steadyJobIds }: Scene, windowMs: number): Promise<Writes> {
  const changes = (await journaledChanges(stage.db)).filter((change) => {
    return (
      change.old_status === "running" && change.new_status === "running" && change.new_attempts === change.old_attempts
    );
  });
  const ofJobs = steadyJobIds.map((jobId) => {
    const times = changes.filter(({ job_id }) => job_id === jobId).map(({ at }) => at.getTime());
    return { most: times.length, windows: ((times.at(-1) ?? 0) - (times[0] ?? 0)) / windowMs };
  });
  return ofJobs.reduce((busiest, each) => (each.most > busiest.most ? each : busiest));
}

/** Compares what the consumer got so far with what was stored. */
export async function auditConsumed({ stage, outside }: Scene): Promise<Consumed> {
  const stored = new Map<string, string[]>();
  for (const { job_id, event_id } of await journaledEvents(stage.db)) {
    stored.set(job_id, [...(stored.get(job_id) ?? []), event_id]);
  }
  const { deliveries } = outside;
  const arrived = outside.firstArrivals();
  const first = new Map<string, string>();
  let altered = 0;
  let afterTheEnd = 0;
  const ended = new Set<string>();
  for (const { payload, messageId } of deliveries) {
    const text = JSON.stringify(payload);
    const known = first.get(payload.event_id);
    if (messageId !== payload.event_id || (known ?? text) !== text) altered++;
    if (known !== undefined) continue;
    first.set(payload.event_id, text);
    const attempt = `${payload.job_id} ${payload.attempt}`;
    if (ended.has(attempt)) afterTheEnd++;
    if (terminal.has(payload.status)) ended.add(attempt);
  }
  const ids = new Set([...stored.values()].flat());
  return {
    events: ids.size,
    deliveries: deliveries.length,
    missing: [...ids].filter((id) => !first.has(id)).length,
    invented: [...first.keys()].filter((id) => !ids.has(id)).length,
    outOfOrder: [...stored].flatMap(([jobId, inOrder]) => (sameOrder(inOrder, arrived.get(jobId)) ? [] : jobId)),
    altered,
    afterTheEnd,
  };
}

/** Whether all that arrived came in the order it was stored in. */
function sameOrder(stored: readonly string[], arrived: readonly string[] = []): boolean {
  const places = arrived.map((id) => stored.indexOf(id));
  return places.every((place, i) => i === 0 || place > (places[i - 1] as number));
}
