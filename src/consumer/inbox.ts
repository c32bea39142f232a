import { type Kysely, sql, type Transaction } from "kysely";
import type { EventDedupe } from "./event-dedupe.js";

/** What a handler behind an inbox gets. */
export interface InboxExtra<DB> {
  /** The transaction that keeps the event's row: write the effect through it, and both are stored or neither. */
  readonly trx: Transaction<DB>;
}

/** Options of `inbox`. */
export interface InboxOptions {
  /** @default "worker_progress_inbox" */
  readonly table?: string;
  /** @default the search path */
  readonly schema?: string;
}

/** An inbox: a row per handled event, stored with the event's effect. */
export interface Inbox<DB> extends EventDedupe<InboxExtra<DB>> {
  /** Creates the table. Idempotent. */
  migrate(): Promise<void>;
  /** The same as SQL text, for people who run their own migrations. */
  sql(): string;
  /**
   * Removes the rows of events handled longer ago than this, in milliseconds, and answers how many. An event that comes
   * again after that is handled again.
   */
  forget(olderThanMs: number): Promise<number>;
}

/**
 * Stores in your own database which events were handled, in one transaction with what the handler writes through `trx`: the
 * effect happens exactly once, whatever crashes. PostgreSQL only. Two consumers of one event wait for each other's row.
 */
export function inbox<DB>(db: Kysely<DB>, options: InboxOptions = {}): Inbox<DB> {
  const { table = "worker_progress_inbox", schema } = options;
  const name = sql.id(...(schema === undefined ? [table] : [schema, table]));
  const create = sql`create table if not exists ${name} (
  queue text not null,
  event_id uuid not null,
  handled_at timestamptz not null default clock_timestamp(),
  primary key (event_id, queue)
)`;
  // Plugins of the caller's may rename columns of answers.
  const plain = () => db.withoutPlugins();
  return Object.freeze({
    once: ({ queue, eventId }, effect) =>
      db.transaction().execute(async (trx) => {
        const { rows } = await sql`
          insert into ${name} (queue, event_id) values (${queue}, ${eventId}::uuid)
          on conflict do nothing returning 1`.execute(trx.withoutPlugins());
        if (rows.length === 0) return "known";
        await effect({ trx });
        // A COMMIT of a transaction that failed, or that the handler ended, undoes the effect and is no error to PostgreSQL.
        const kept = await sql`
          select 1 from ${name} where queue = ${queue} and event_id = ${eventId}::uuid`.execute(trx.withoutPlugins());
        if (kept.rows.length === 0) throw new Error("The handler rolled its transaction back");
        return "done";
      }),
    async migrate() {
      await plain()
        .transaction()
        .execute(async (trx) => {
          // Two processes that create the same table at once may both find it missing.
          await sql`select pg_advisory_xact_lock(hashtextextended('worker-progress inbox', 0))::text`.execute(trx);
          await create.execute(trx);
        });
    },
    sql: () => `${create.compile(plain()).sql};\n`,
    async forget(olderThanMs) {
      if (!(olderThanMs >= 0)) throw new RangeError("The age of events to forget must be 0 milliseconds or more");
      const { rows } = await sql`
        delete from ${name} where handled_at < clock_timestamp() - ${olderThanMs}::float8 * interval '1 millisecond'
        returning 1`.execute(plain());
      return rows.length;
    },
  } satisfies Inbox<DB>);
}
