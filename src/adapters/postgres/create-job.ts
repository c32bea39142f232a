import { type RawBuilder, sql } from "kysely";
import { WorkerProgressError } from "../../domain/errors.js";
import type { NewJob } from "../../ports/storage.js";
import { instant, instantText } from "./job-fields.js";
import type { MappedTable } from "./mapped-table.js";
import type { Run } from "./run.js";
import { sqlText } from "./sql-text.js";
import { spell } from "./status-spelling.js";
import type { ShapeColumn } from "./table-shape.js";

/** The statements of `create`: with an id of the caller's, or one that the table chooses. */
export interface CreateStatements {
  readonly withId: string;
  readonly withoutId: string;
}

/** Builds the statements that insert a job. */
export function createStatements(table: MappedTable): CreateStatements {
  const { shape } = table;
  const values: [ShapeColumn, RawBuilder<unknown>][] = [
    [shape.status, typed(shape.status, 1)],
    [shape.progress, sql`0`],
    [shape.attempts, sql`0`],
  ];
  if (shape.type !== undefined) values.push([shape.type, typed(shape.type, 2)]);
  if (shape.updatedAt !== undefined) values.push([shape.updatedAt, instant(shape.updatedAt)(sql`$3::text`, sql`null`)]);
  const insert = (columns: readonly [ShapeColumn, RawBuilder<unknown>][]) =>
    sqlText(sql`
      with given as (select $1::text, $2::text, $3::text)
      insert into ${table.name} (${sql.join(columns.map(([column]) => column.name))})
      select ${sql.join(columns.map(([, value]) => value))} from given
      returning ${shape.id.name}::text as id`);
  return {
    withId: insert([...values, [shape.id, sql`$4::text::${shape.id.castTo}`]]),
    withoutId: insert(values),
  };
}

/** Inserts a job and answers its id. */
export async function createJob(
  run: Run,
  table: MappedTable,
  statements: CreateStatements,
  job: NewJob,
): Promise<string> {
  const values = [spell(table.spelling, job.status), job.type, instantText(job.at)];
  const [row] = await run(...insertion(statements, job.id, values));
  const id = row?.id;
  if (typeof id === "string") return id;
  const message = "Cannot create the job: the table kept no row, look for a trigger or rule that swallows inserts";
  throw new WorkerProgressError("STORAGE_REJECTED", message);
}

function insertion(
  statements: CreateStatements,
  id: string | null,
  values: readonly unknown[],
): [text: string, parameters: readonly unknown[]] {
  return id === null ? [statements.withoutId, values] : [statements.withId, [...values, id]];
}

function typed(column: ShapeColumn, parameter: number): RawBuilder<unknown> {
  const text = sql.raw(`$${parameter}::text`);
  return column.labels === null ? text : sql`${text}::${column.castTo}`;
}
