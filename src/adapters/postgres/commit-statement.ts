import { type RawBuilder, sql } from "kysely";
import type { JobWrite } from "../../ports/storage.js";
import {
  type BatchShape,
  batchShape,
  type CommitInput,
  commitInputs,
  fieldIndexes,
  fieldInput,
  fieldTexts,
} from "./commit-inputs.js";
import { heardAt } from "./find-silent-jobs.js";
import { type JobField, jobFields } from "./job-fields.js";
import type { MappedTable } from "./mapped-table.js";
import { sqlText } from "./sql-text.js";

/**
 * The statement for a batch, and its parameters. `lockTimeoutMs` null leaves the bound that is in force; rows that another
 * transaction holds are waited for or left out.
 */
export type CommitStatement = (
  writes: readonly JobWrite[],
  lockTimeoutMs: number | null,
  heldRows: "wait" | "skip",
) => readonly [text: string, parameters: readonly unknown[]];

/**
 * Builds the statement of `commit`: once for every set of columns that batches set, of which an engine uses a handful.
 * What no write of a batch sets is left out, as parsing and planning are most of what a small batch costs.
 */
export function commitStatement(table: MappedTable, outbox: RawBuilder<unknown> | null): CommitStatement {
  const fields = jobFields(table.mapping, table.shape);
  const built = new Map<string, { text: string; inputs: readonly CommitInput[] }>();
  return (writes, lockTimeoutMs, heldRows) => {
    const texts = fieldTexts(fields, writes);
    const shape = batchShape(writes, texts);
    const key = `${shape.fields} ${shape.events} ${shape.silence} ${heldRows}`;
    const { text, inputs } = built.get(key) ?? build(table, fields, shape, outbox, heldRows);
    built.set(key, { text, inputs });
    const arrays = inputs.map((input) => writes.map((write, index) => input.text(write, texts[index] ?? [])));
    return [text, [lockTimeoutMs === null ? null : `${lockTimeoutMs}ms`, ...arrays]];
  };
}

/**
 * `held` takes the row locks, always in the order of the ids, so that batches wait for each other instead of deadlocking.
 * It locks only rows whose expected version holds, and PostgreSQL checks that again on the version it has locked (READ
 * COMMITTED's recheck), so that `changed` updates what was decided on. FOR NO KEY UPDATE lets foreign keys of other tables
 * refer to the job meanwhile. The inputs travel through `held`: joined a second time, a generic plan would compare every
 * input with every row. Event positions are drawn under the row locks, hence in commit order per job.
 */
function build(
  table: MappedTable,
  fields: readonly JobField[],
  batch: BatchShape,
  outbox: RawBuilder<unknown> | null,
  heldRows: "wait" | "skip",
): { text: string; inputs: readonly CommitInput[] } {
  const { shape } = table;
  const inputs = commitInputs(table.spelling, batch);
  const arrays = sql.raw(inputs.map((_, index) => `$${index + 2}::text[]`).join(", "));
  const names = sql.raw([...inputs.map((input) => input.name), "n"].join(", "));
  const assignments = fieldIndexes(batch).flatMap((index) => fieldAssignment(fields[index], index));
  const cancelRequested = shape.cancelRequested ? sql`job.${shape.cancelRequested.name}` : sql`false`;
  const event = batch.events ? sql`, held.event_id, held.event_job_id, held.event_payload` : sql``;
  const text = sqlText(sql`
    with held as materialized (
      select job.${shape.id.name} as held_id, input.*
      from unnest(${arrays}) with ordinality as input(${names})
      join ${table.name} as job on job.${shape.id.name} = input.id::${shape.id.castTo}
      where (select set_config('lock_timeout', coalesce($1::text, current_setting('lock_timeout')), true)) is not null
        and job.${shape.status.name}::text = input.expected_status
        and coalesce(job.${shape.progress.name}, 0) = input.expected_progress::${shape.progress.castTo}
        and coalesce(job.${shape.attempts.name}, 0) = input.expected_attempt::${shape.attempts.castTo}
        ${batch.silence ? stillSilent(table) : sql``}
      order by job.${shape.id.name}
      for no key update of job ${heldRows === "skip" ? sql`skip locked` : sql``}
    ), changed as (
      update ${table.name} as job set ${sql.join([...versionAssignments(table), ...assignments])}
      from held where job.${shape.id.name} = held.held_id
      returning held.n, coalesce(${cancelRequested}, false) as cancelled${event}
    )${batch.events && outbox !== null ? storeEvents(outbox) : sql``}
    select string_agg(n::text, ',') as committed, string_agg(n::text, ',') filter (where cancelled) as cancelled from changed`);
  return { text, inputs };
}

function stillSilent(table: MappedTable): RawBuilder<unknown> {
  const heard = heardAt(table, (column) => sql`job.${column}`);
  return sql`and (input.silent_since is null or ${heard} <= input.silent_since::numeric)`;
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

function fieldAssignment(field: JobField | undefined, index: number): readonly RawBuilder<unknown>[] {
  if (field === undefined) return [];
  const { column, assign } = field;
  const stored = sql`job.${column.name}`;
  const value = assign(sql.raw(`held.${fieldInput(index)}`), stored);
  return [
    sql`${column.name} = case when held.present::int & ${sql.lit(1 << index)} <> 0 then ${value} else ${stored} end`,
  ];
}

function storeEvents(outbox: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`, stored as (
      insert into ${outbox} (event_id, job_id, payload)
      select event_id::uuid, event_job_id, event_payload::json from changed where event_id is not null order by n
    )`;
}
