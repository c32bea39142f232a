import { createHash } from "node:crypto";
import { sql } from "kysely";
import { WorkerProgressError } from "../../domain/errors.js";
import type { TableAddress } from "./read-catalog.js";
import type { Run } from "./run.js";
import { sqlText, tableName } from "./sql-text.js";

/** What is told: to those who watch jobs, and to those who work on them. */
export type Topic = "news" | "cancellations";

/** The channels of a job table. */
export type TableChannels = Readonly<Record<Topic, string>>;

const findTable = sqlText(sql`
  select s.nspname::text as schema, c.relname::text as name
  from pg_catalog.pg_class c join pg_catalog.pg_namespace s on s.oid = c.relnamespace
  where c.oid = pg_catalog.to_regclass($1)`);

/**
 * Names the channels of a job table by the table that is meant: the search path may differ between processes, and its oid
 * changes when it is replaced by another of its name.
 * @throws {SCHEMA_MISMATCH} when there is no such table (yet)
 */
export async function tableChannels(run: Run, { name, schema }: TableAddress): Promise<TableChannels> {
  const quoted = sqlText(sql`${tableName(name, schema)}`);
  const [found] = await run(findTable, [quoted]);
  if (found === undefined) throw new WorkerProgressError("SCHEMA_MISMATCH", `Table ${quoted} does not exist`);
  const hash = createHash("sha256")
    .update(JSON.stringify([found.schema, found.name]))
    .digest("hex")
    .slice(0, 16);
  return { news: `worker_progress_${hash}_news`, cancellations: `worker_progress_${hash}_cancellations` };
}
