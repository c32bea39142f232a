import { type RawBuilder, sql } from "kysely";
import type { CommitOutcome, JobWrite } from "../../ports/storage.js";
import { commitInputs, fieldInput } from "./commit-inputs.js";
import { heardAt } from "./find-silent-jobs.js";
import { type JobField, jobFields } from "./job-fields.js";
import type { MappedTable } from "./mapped-table.js";
import type { Run } from "./run.js";
import { sqlText } from "./sql-text.js";

/** The statement of `commit` and the parameters it takes, built once for a table. */
export interface CommitStatement {
  readonly text: string;
  readonly parameters: (writes: readonly JobWrite[], lockTimeoutMs: number | null) => readonly unknown[];
}

/**
 * Builds the one statement that compares and sets many jobs and stores their events.
 *
 * `held` takes the row locks, always in the order of the ids, so that batches wait for each other instead of deadlocking.
 * It locks only rows whose expected version holds, and PostgreSQL checks that again on the version it has locked (READ
 * COMMITTED's recheck), so that `changed` updates what was decided on. FOR NO KEY UPDATE lets foreign keys of other tables
 * refer to the job meanwhile. The inputs travel through `held`: joined a second time, a generic plan would compare every
 * input with every row. Event positions are drawn under the row locks, hence in commit order per job.
 */
export function commitStatement(table: MappedTable, outbox: RawBuilder<unknown> | null): CommitStatement {
  const { shape } = table;
  const fields = jobFields(table.mapping, shape);
  const inputs = commitInputs(table.spelling, fields, outbox !== null);
  const arrays = sql.raw(inputs.names.map((_, index) => `$${index + 2}::text[]`).join(", "));
  const names = sql.raw([...inputs.names, "n"].join(", "));
  const cancelRequested = shape.cancelRequested ? sql`job.${shape.cancelRequested.name}` : sql`false`;
  const text = sqlText(sql`
    with held as materialized (
      select job.${shape.id.name} as held_id, input.*
      from (select set_config('lock_timeout', coalesce($1::text, current_setting('lock_timeout')), true)) as bounded
      cross join unnest(${arrays}) with ordinality as input(${names})
      join ${table.name} as job on job.${shape.id.name} = input.id::${shape.id.castTo}
      where job.${shape.status.name}::text = input.expected_status
        and coalesce(job.${shape.progress.name}, 0) = input.expected_progress::${shape.progress.castTo}
        and coalesce(job.${shape.attempts.name}, 0) = input.expected_attempt::${shape.attempts.castTo}
        and (input.silent_since is null or ${heardAt(table, (column) => sql`job.${column}`)} <= input.silent_since::numeric)
      order by job.${shape.id.name}
      for no key update of job
    ), changed as (
      update ${table.name} as job
      set ${sql.join([...versionAssignments(table), ...fields.map(fieldAssignment)])}
      from held where job.${shape.id.name} = held.held_id
      returning held.*, coalesce(${cancelRequested}, false) as cancelled
    )${outbox === null ? sql`` : storeEvents(outbox)}
    select n::text as n, cancelled::text as cancelled from changed`);
  const parameters: CommitStatement["parameters"] = (writes, lockTimeoutMs) => [
    lockTimeoutMs === null ? null : `${lockTimeoutMs}ms`,
    ...inputs.arrays(writes),
  ];
  return { text, parameters };
}

/** Applies writes in one statement, answering in their order. `lockTimeoutMs` null leaves the caller's own bound. */
export async function commitWrites(
  run: Run,
  statement: CommitStatement,
  writes: readonly JobWrite[],
  lockTimeoutMs: number | null,
): Promise<readonly CommitOutcome[]> {
  if (writes.length === 0) return [];
  const rows = await run(statement.text, statement.parameters(writes, lockTimeoutMs));
  const outcomes: CommitOutcome[] = writes.map(() => ({ kind: "conflict" }));
  for (const row of rows) {
    outcomes[Number(row.n) - 1] = { kind: "committed", cancelRequested: row.cancelled === "true" };
  }
  return outcomes;
}

function versionAssignments({ shape }: MappedTable): readonly RawBuilder<unknown>[] {
  const { status, progress, attempts } = shape;
  const nextStatus = status.labels === null ? sql`held.next_status` : sql`held.next_status::${status.castTo}`;
  return [
    sql`${status.name} = ${nextStatus}`,
    sql`${progress.name} = held.next_progress::${progress.castTo}`,
    sql`${attempts.name} = held.next_attempt::${attempts.castTo}`,
  ];
}

function fieldAssignment({ column, assign }: JobField, index: number): RawBuilder<unknown> {
  const stored = sql`job.${column.name}`;
  const value = assign(sql.raw(`held.${fieldInput(index)}`), stored);
  return sql`${column.name} = case when held.present::int & ${sql.lit(1 << index)} <> 0 then ${value} else ${stored} end`;
}

function storeEvents(outbox: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`, stored as (
      insert into ${outbox} (event_id, job_id, payload)
      select event_id::uuid, event_job_id, event_payload::json from changed where event_id is not null order by n
    )`;
}
