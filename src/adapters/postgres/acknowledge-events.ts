import { sql } from "kysely";
import type { OutboxTables } from "./outbox-tables.js";
import type { Run } from "./run.js";
import { sqlText } from "./sql-text.js";

/** Builds the statement that removes published events. */
export function acknowledgeStatement({ outbox }: OutboxTables): string {
  return sqlText(sql`delete from ${outbox} where position = any($1::text[]::bigint[])`);
}

/** Removes published events; one that is gone already is no error. */
export async function acknowledgeEvents(run: Run, statement: string, positions: readonly string[]): Promise<void> {
  if (positions.length > 0) await run(statement, [positions]);
}
