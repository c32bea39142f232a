import { sql } from "kysely";
import type { OutboxBacklog } from "../../ports/outbox.js";
import type { OutboxTables } from "./outbox-tables.js";
import type { Run } from "./run.js";
import { sqlText } from "./sql-text.js";

/** Builds the statement that tells how much waits. */
export function backlogStatement({ outbox }: OutboxTables): string {
  return sqlText(sql`
    select (select count(*) from ${outbox})::text as waiting, (
      select floor(extract(epoch from created_at) * 1000) from ${outbox} order by position limit 1
    )::text as oldest_at`);
}

/** Tells how many events wait and since when. */
export async function measureBacklog(run: Run, statement: string): Promise<OutboxBacklog> {
  const [row] = await run(statement, []);
  const oldest = row?.oldest_at ?? null;
  return { waiting: Number(row?.waiting ?? 0), oldestAt: oldest === null ? null : Number(oldest) };
}
