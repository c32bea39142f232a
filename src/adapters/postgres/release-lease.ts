import { sql } from "kysely";
import type { OutboxTables } from "./outbox-tables.js";
import type { Run } from "./run.js";
import { sqlText } from "./sql-text.js";

/** Builds the statement that gives the lease up. */
export function releaseStatement({ lease }: OutboxTables): string {
  return sqlText(sql`delete from ${lease} where outbox = $1::text and owner = $2::text`);
}

/** Gives the lease up if `owner` holds it. */
export async function releaseLease(run: Run, { key }: OutboxTables, statement: string, owner: string): Promise<void> {
  await run(statement, [key, owner]);
}
