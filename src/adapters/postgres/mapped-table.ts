import type { RawBuilder } from "kysely";
import { WorkerProgressError } from "../../domain/errors.js";
import type { StorageTraits } from "../../ports/storage.js";
import { defaultJobTable, type JobTable } from "./job-table.js";
import { jobSchema, type StorageSettings } from "./options.js";
import { leaseTable } from "./owned-tables.js";
import { catalogColumns } from "./read-catalog.js";
import type { Run } from "./run.js";
import { tableName } from "./sql-text.js";
import { type StatusSpelling, statusSpelling } from "./status-spelling.js";
import { idType, percentDecimals, type TableShape, tableShape } from "./table-shape.js";

/** The job table as the mapping names it and the database has it. */
export interface MappedTable {
  readonly mapping: JobTable;
  readonly name: RawBuilder<unknown>;
  readonly shape: TableShape;
  readonly spelling: StatusSpelling;
  readonly traits: StorageTraits;
}

/**
 * Checks the mapping against the database in one round trip.
 * @throws {SCHEMA_MISMATCH} naming the table or column that is missing or of no use, and what to do
 */
export async function findMappedTable(run: Run, settings: StorageSettings): Promise<MappedTable> {
  const { table, schema, outboxTable } = settings;
  const owned = outboxTable === null ? [] : [outboxTable, leaseTable];
  const [jobColumns = [], ...ownedColumns] = await catalogColumns(run, [
    { name: table.name, schema: jobSchema(settings) },
    ...owned.map((name) => ({ name, schema })),
  ]);
  const remedy = table === defaultJobTable ? "run migrate()" : "fix the mapping or the table";
  const shape = tableShape(quoted(table.name, jobSchema(settings)), table.columns, jobColumns, remedy);
  for (const [index, name] of owned.entries()) {
    if (ownedColumns[index]?.length) continue;
    throw new WorkerProgressError("SCHEMA_MISMATCH", `Table ${quoted(name, schema)} does not exist: run migrate()`);
  }
  const spelling = statusSpelling(table, shape.status.labels);
  const traits = {
    idType: idType(shape),
    percentDecimals: percentDecimals(shape),
    statuses: new Set(spelling.spelled.keys()),
  };
  return { mapping: table, name: tableName(table.name, jobSchema(settings)), shape, spelling, traits };
}

function quoted(name: string, schema: string | undefined): string {
  return schema === undefined ? `"${name}"` : `"${schema}"."${name}"`;
}
