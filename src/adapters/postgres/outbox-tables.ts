import type { RawBuilder } from "kysely";
import { leaseTable } from "./owned-tables.js";
import { tableName } from "./sql-text.js";

/** Where events wait, and where it says which relay may read them. */
export interface OutboxTables {
  readonly outbox: RawBuilder<unknown>;
  readonly lease: RawBuilder<unknown>;
  /** What the outbox's row in the lease table is called. */
  readonly key: string;
}

/** The tables of an outbox. */
export function outboxTables(outboxTable: string, schema: string | undefined): OutboxTables {
  return { outbox: tableName(outboxTable, schema), lease: tableName(leaseTable, schema), key: outboxTable };
}
