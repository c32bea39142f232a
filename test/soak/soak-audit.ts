import type pg from "pg";
import { canTransition, type JobStatus } from "../../src/domain/job-status.js";
import { type Faults, faultsIn } from "../guarantees/journal.js";
import type { Ended, Newest } from "./workers/soak-messages.js";

/** What a soak left behind, held against what the database itself wrote down. Every count but the first two must be 0. */
export interface SoakAudit extends Faults {
  readonly changes: number;
  readonly events: number;
  readonly illegal_transitions: number;
  readonly waiting_events: number;
  readonly lost_effects: number;
  readonly doubled_effects: number;
  /** Effects of events that were never stored. */
  readonly invented_effects: number;
  readonly effects_out_of_order: number;
  /** Lifecycle calls that resolved without their change being stored. */
  readonly untrue_endings: number;
  /** Jobs whose newest accepted progress is not stored. */
  readonly lost_newest: number;
}

/** Compares the table's history, the outbox, what the consumer did and what the workers were told. */
export async function auditSoak(
  db: pg.Pool,
  told: { readonly ended: readonly Ended[]; readonly newest: readonly Newest[] },
): Promise<SoakAudit> {
  return {
    ...(await counts(db)),
    ...(await faultsIn(db)),
    illegal_transitions: await illegalTransitions(db),
    ...(await effectFaults(db)),
    untrue_endings: await untrueEndings(db, told.ended),
    lost_newest: await lostNewest(db, told.newest),
  };
}

/** The names of what must be 0 and is not, with how often. */
export function violations({ changes: _, events: __, ...faults }: SoakAudit): readonly string[] {
  return Object.entries(faults).flatMap(([name, count]) => (count > 0 ? [`${name}: ${count}`] : []));
}

async function counts(db: pg.Pool): Promise<Pick<SoakAudit, "changes" | "events" | "waiting_events">> {
  const { rows } = await db.query(`select
    (select count(*)::int from job_journal) as changes,
    (select count(*)::int from event_journal) as events,
    (select count(*)::int from worker_progress_outbox) as waiting_events`);
  return rows[0];
}

async function illegalTransitions(db: pg.Pool): Promise<number> {
  const { rows } = await db.query<{ from: JobStatus; to: JobStatus; same_attempt: boolean; times: number }>(`
    select old_status as from, new_status as to, old_attempts = new_attempts as same_attempt, count(*)::int as times
    from job_journal group by 1, 2, 3`);
  const illegal = rows.filter(({ from, to, same_attempt }) =>
    same_attempt ? from !== to && !canTransition(from, to) : to !== "running",
  );
  return illegal.reduce((sum, { times }) => sum + times, 0);
}

type EffectFaults = Pick<SoakAudit, "lost_effects" | "doubled_effects" | "invented_effects" | "effects_out_of_order">;

async function effectFaults(db: pg.Pool): Promise<EffectFaults> {
  const { rows } = await db.query<EffectFaults>(`
    with effect as (
      select event_id, count(*) as times, min(seq) as first from effects group by event_id
    ), event as (
      select event_journal.seq, event_journal.job_id, effect.first, effect.times,
        lag(effect.first) over (partition by event_journal.job_id order by event_journal.seq) as first_before
      from event_journal left join effect using (event_id)
    )
    select
      count(*) filter (where times is null)::int as lost_effects,
      count(*) filter (where times > 1)::int as doubled_effects,
      (select count(*)::int from effect where not exists (
        select from event_journal where event_journal.event_id = effect.event_id)) as invented_effects,
      count(*) filter (where first < first_before)::int as effects_out_of_order
    from event`);
  return rows[0] as EffectFaults;
}

async function untrueEndings(db: pg.Pool, ended: readonly Ended[]): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `select count(*)::int from unnest($1::text[], $2::int[], $3::text[]) as told (job_id, attempt, status)
    where not exists (select from job_journal as change
      where change.job_id = told.job_id and new_attempts = told.attempt and new_status = told.status)`,
    [ended.map(({ jobId }) => jobId), ended.map(({ attempt }) => attempt), ended.map(({ status }) => status)],
  );
  return rows[0]?.count ?? 0;
}

/** A job that somebody else has begun or ended since owes its earlier worker nothing. */
async function lostNewest(db: pg.Pool, newest: readonly Newest[]): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `select count(*)::int from unnest($1::text[], $2::int[], $3::int[]) as told (job_id, attempt, percent)
    join worker_progress_jobs as job on job.id::text = told.job_id
    where job.status = 'running' and job.attempts = told.attempt and job.progress < told.percent`,
    [
      newest.map(({ jobId }) => jobId),
      newest.map(({ attempt }) => attempt),
      newest.map(({ percent }) => Math.floor(percent)),
    ],
  );
  return rows[0]?.count ?? 0;
}
