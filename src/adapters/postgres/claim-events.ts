import { sql } from "kysely";
import type { Claim, ClaimRequest, OutboxRow } from "../../ports/outbox.js";
import type { OutboxTables } from "./outbox-tables.js";
import type { Run, TextRow } from "./run.js";
import { sqlText } from "./sql-text.js";

/**
 * Builds the statement that takes or renews the lease and reads events behind it.
 *
 * A position is taken when an event is inserted and seen when its transaction commits, so an event may turn up in front of
 * what was read before. A later event of its job is only ever seen together with it: hence the positions in front come along.
 *
 * The lease's time is the wall clock, not `now()`: a statement that waited for the lease row would judge by an old one. The
 * events are those of the statement's start, so a relay that waited may read some that the last holder has just removed:
 * they are sent again with the same ids, which delivery allows.
 */
export function claimStatement({ outbox, lease }: OutboxTables): string {
  return sqlText(sql`
    with held as (
      insert into ${lease} as lease (outbox, owner, expires_at)
      values ($1::text, $2::text, clock_timestamp() + $3::text::float8 * interval '1 millisecond')
      on conflict (outbox) do update
        set owner = excluded.owner, expires_at = clock_timestamp() + $3::text::float8 * interval '1 millisecond'
        where lease.owner = excluded.owner or lease.expires_at <= clock_timestamp()
      returning 1
    )
    select event.position::text as position, event.event_id, event.job_id, event.payload
    from held left join (
      (
        select position, event_id::text, job_id, payload::text
        from ${outbox} where position > coalesce($4::text::bigint, 0) order by position limit $5::text::int
      )
      union all
      select position, null, null, null from ${outbox} where position <= $4::text::bigint
    ) as event on true
    order by event.position`);
}

/** Takes or renews the lease and reads events in order of position. */
export async function claimEvents(
  run: Run,
  tables: OutboxTables,
  statement: string,
  { owner, leaseMs, after, limit }: ClaimRequest,
): Promise<Claim> {
  const rows = await run(statement, [tables.key, owner, String(leaseMs), after, String(limit)]);
  if (rows.length === 0) return { held: false };
  const before = rows.flatMap(({ position, event_id }) => (event_id === null ? (position ?? []) : []));
  return { held: true, rows: rows.filter((row) => row.event_id !== null).map(outboxRow), before };
}

function outboxRow(row: TextRow): OutboxRow {
  const { position, event_id: id, job_id: jobId, payload } = row as Record<string, string>;
  return { position: position ?? "", event: { id: id ?? "", jobId: jobId ?? "", payload: JSON.parse(payload ?? "") } };
}
