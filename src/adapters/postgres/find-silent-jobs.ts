import { type RawBuilder, sql } from "kysely";
import { WorkerProgressError } from "../../domain/errors.js";
import type { JobSnapshot } from "../../domain/job-snapshot.js";
import { readJobRow } from "./job-row.js";
import { milliseconds, selectJobs } from "./load-jobs.js";
import type { MappedTable } from "./mapped-table.js";
import type { Run } from "./run.js";
import { sqlText } from "./sql-text.js";

/** When something was last heard of a job, in milliseconds since the epoch; null where the table keeps no such time. */
export function heardAt(
  { shape }: MappedTable,
  qualified: (column: RawBuilder<unknown>) => RawBuilder<unknown> = (column) => column,
): RawBuilder<unknown> {
  const column = shape.updatedAt ?? shape.progressAt;
  return column === undefined ? sql`null::numeric` : milliseconds(qualified(column.name));
}

/** Builds the statement that reads running jobs that nothing was heard of since. It reads the table: call it rarely. */
export function findSilentStatement(table: MappedTable): string {
  const { status } = table.shape;
  return sqlText(sql`${selectJobs(table)}
    where ${status.name}::text = $1::text and ${heardAt(table)} <= $2::text::numeric
    order by ${heardAt(table)} limit $3::text::int`);
}

/** Reads running jobs of which nothing was heard since, longest silent first. @throws {SCHEMA_MISMATCH} */
export async function findSilentJobs(
  run: Run,
  table: MappedTable,
  statement: string,
  silentSince: number,
  limit: number,
): Promise<readonly JobSnapshot[]> {
  const { shape, spelling, mapping } = table;
  if (shape.updatedAt === undefined && shape.progressAt === undefined) {
    const problem = `Table "${mapping.name}" keeps no time of updates, so silence cannot be told: map updatedAt or progressAt to a column`;
    throw new WorkerProgressError("SCHEMA_MISMATCH", problem);
  }
  const running = spelling.spelled.get("running");
  if (running === undefined) return [];
  const rows = await run(statement, [running, String(silentSince), String(limit)]);
  return rows.map((row) => readJobRow(table, row));
}
