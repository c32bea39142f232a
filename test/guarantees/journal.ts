import type pg from "pg";

/** One committed change of a job, as a trigger on the table saw it. */
export interface JournaledChange {
  readonly job_id: string;
  readonly at: Date;
  readonly old_status: string;
  readonly new_status: string;
  readonly old_progress: number;
  readonly new_progress: number;
  readonly old_attempts: number;
  readonly new_attempts: number;
}

/** One row that ever entered the outbox, as a trigger on it saw it. */
export interface JournaledEvent {
  readonly job_id: string;
  readonly event_id: string;
  readonly payload: { readonly status: string; readonly progress: number; readonly attempt: number };
}

/** How many events wait to be published, or for the confirm of what was. */
export async function eventsWaiting(db: pg.Pool): Promise<number> {
  const { rows } = await db.query<{ waiting: number }>("select count(*)::int as waiting from worker_progress_outbox");
  return rows[0]?.waiting ?? 0;
}

/**
 * Lets the database itself write down every change of a job and every event, in the order of their commits per job: the
 * triggers run while the job's row is locked.
 */
export async function keepJournal(db: pg.Pool): Promise<void> {
  await db.query(`
    create table job_journal (
      seq bigint generated always as identity primary key,
      transaction xid8 not null default pg_current_xact_id(),
      at timestamptz not null default clock_timestamp(),
      job_id text, old_status text, new_status text, old_progress int, new_progress int,
      old_attempts int, new_attempts int, first_written boolean
    );
    create table event_journal (
      seq bigint generated always as identity primary key,
      transaction xid8 not null default pg_current_xact_id(),
      job_id text, event_id uuid, payload json
    );
    create function journal_job() returns trigger language plpgsql as $$ begin
      insert into job_journal (job_id, old_status, new_status, old_progress, new_progress, old_attempts, new_attempts, first_written)
      values (new.id::text, old.status, new.status, old.progress, new.progress, old.attempts, new.attempts, old.progress_at is null);
      return null;
    end $$;
    create function journal_event() returns trigger language plpgsql as $$ begin
      insert into event_journal (job_id, event_id, payload) values (new.job_id, new.event_id, new.payload);
      return null;
    end $$;
    create trigger journal after update on worker_progress_jobs for each row execute function journal_job();
    create trigger journal after insert on worker_progress_outbox for each row execute function journal_event();
  `);
}

/** All changes, or those of one job, oldest first. */
export async function journaledChanges(db: pg.Pool, jobId: string | null = null): Promise<JournaledChange[]> {
  const select = "select * from job_journal where $1::text is null or job_id = $1 order by seq";
  return (await db.query<JournaledChange>(select, [jobId])).rows;
}

/** All events that were ever stored, or those of one job, oldest first. */
export async function journaledEvents(db: pg.Pool, jobId: string | null = null): Promise<JournaledEvent[]> {
  const select = "select * from event_journal where $1::text is null or job_id = $1 order by seq";
  return (await db.query<JournaledEvent>(select, [jobId])).rows;
}

/** How often the journal shows what must never be. */
export interface Faults {
  readonly decreases: number;
  readonly attempts_going_back: number;
  /** A change that does not begin where the one before it ended. */
  readonly broken_chains: number;
  readonly events_without_change: number;
  /** A change that is to be told and has no event in its transaction. */
  readonly changes_without_event: number;
  /** An event of a change that is not to be told. */
  readonly needless_events: number;
  /** An event that tells something else than its change. */
  readonly untrue_events: number;
  readonly doubled_event_ids: number;
}

export const noFaults: Faults = {
  decreases: 0,
  attempts_going_back: 0,
  broken_chains: 0,
  events_without_change: 0,
  changes_without_event: 0,
  needless_events: 0,
  untrue_events: 0,
  doubled_event_ids: 0,
};

/** Looks through the whole journal. A change and its event are known to belong together by their transaction. */
export async function faultsIn(db: pg.Pool): Promise<Faults> {
  const { rows } = await db.query<Faults>(`
    with change as (
      select *,
        lag(row(new_status, new_progress, new_attempts)) over of_job as before,
        new_status <> old_status or new_attempts <> old_attempts
          or new_progress - old_progress >= 10
          or exists (
            select from unnest(array[0, 25, 50, 75, 100]) as milestone
            where (case when first_written then -1 else old_progress end) < milestone and milestone <= new_progress
          ) as is_to_be_told
      from job_journal window of_job as (partition by job_id order by seq)
    ), told as (
      select change.seq as change, event.seq as event, change.*, event.payload
      from change full join event_journal as event using (transaction, job_id)
    )
    select
      count(*) filter (where new_attempts = old_attempts and new_progress < old_progress)::int as decreases,
      count(*) filter (where new_attempts < old_attempts)::int as attempts_going_back,
      count(*) filter (where before <> row(old_status, old_progress, old_attempts))::int as broken_chains,
      count(*) filter (where change is null)::int as events_without_change,
      count(*) filter (where event is null and is_to_be_told)::int as changes_without_event,
      count(*) filter (where event is not null and not is_to_be_told)::int as needless_events,
      count(*) filter (where change is not null and event is not null and row(
        payload->>'previous_status', payload->>'status', (payload->>'previous_progress')::int,
        (payload->>'progress')::int, (payload->>'attempt')::int
      ) is distinct from row(old_status, new_status, old_progress, new_progress, new_attempts))::int as untrue_events,
      (select count(*) - count(distinct event_id) from event_journal)::int as doubled_event_ids
    from told`);
  return rows[0] as Faults;
}
