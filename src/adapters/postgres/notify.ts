import { sql } from "kysely";
import type { Run } from "./run.js";
import { sqlText } from "./sql-text.js";

/** What is sent on one channel. */
export interface Notification {
  readonly channel: string;
  readonly payload: string;
}

// A statement of its own, after the commit it tells of: NOTIFY holds a lock of the whole server while its transaction
// commits. One that changes nothing does not wait for the disk meanwhile.
const statement = sqlText(sql`
  select pg_catalog.pg_notify(n.channel, n.payload) from unnest($1::text[], $2::text[]) as n(channel, payload)`);

/** Sends notifications, in order, in one statement. */
export async function notify(run: Run, notifications: readonly Notification[]): Promise<void> {
  await run(statement, [notifications.map(({ channel }) => channel), notifications.map(({ payload }) => payload)]);
}
