import { type RawBuilder, sql } from "kysely";
import type { JobSnapshot } from "../../domain/job-snapshot.js";
import { readJobRow } from "./job-row.js";
import type { MappedTable } from "./mapped-table.js";
import type { Run } from "./run.js";
import { sqlText } from "./sql-text.js";
import type { ShapeColumn } from "./table-shape.js";

/** Builds the statement that reads jobs by their ids. */
export function loadStatement(table: MappedTable): string {
  const { id } = table.shape;
  return sqlText(sql`${selectJobs(table)} where ${id.name} = any($1::text[]::${id.castTo}[])`);
}

/** Selects what a snapshot holds, all as text: the caller's type parsers must not change it. */
export function selectJobs({ name, shape }: MappedTable): RawBuilder<unknown> {
  const { id } = shape;
  return sql`
    select ${id.name}::text as id, ${asText(shape.type)} as type, ${shape.status.name}::text as status,
      ${shape.progress.name}::text as progress, ${shape.attempts.name}::text as attempts,
      ${asText(shape.step)} as step, ${asText(shape.message)} as message, ${asText(shape.metrics)} as metrics,
      ${asText(shape.output)} as output, ${asText(shape.errorCode)} as error_code,
      ${asText(shape.errorMessage)} as error_message, ${asText(shape.cancelRequested)} as cancel_requested,
      ${asMilliseconds(shape.progressAt)} as progress_at, ${asMilliseconds(shape.startedAt)} as started_at,
      ${asMilliseconds(shape.finishedAt)} as finished_at, ${asMilliseconds(shape.updatedAt)} as updated_at,
      ${asText(shape.rate)} as rate, ${asText(shape.artefacts)} as artefacts,
      ${asText(shape.queuePosition)} as queue_position
    from ${name}`;
}

/** Reads jobs by their ids in one statement. */
export async function loadJobs(
  run: Run,
  table: MappedTable,
  statement: string,
  ids: readonly string[],
): Promise<readonly JobSnapshot[]> {
  if (ids.length === 0) return [];
  const rows = await run(statement, [ids]);
  return rows.map((row) => readJobRow(table, row));
}

function asText(column: ShapeColumn | undefined): RawBuilder<unknown> {
  return column === undefined ? sql`null::text` : sql`${column.name}::text`;
}

/** The epoch of a timestamp without time zone is that of the same reading in UTC, whatever the session's time zone. */
function asMilliseconds(column: ShapeColumn | undefined): RawBuilder<unknown> {
  return column === undefined ? sql`null::text` : sql`${milliseconds(column.name)}::text`;
}

/** Milliseconds since the epoch of a timestamp, with or without time zone. */
export function milliseconds(timestamp: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`floor(extract(epoch from ${timestamp}) * 1000)`;
}
