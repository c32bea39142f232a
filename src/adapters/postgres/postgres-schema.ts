import { sql } from "kysely";
import type { SchemaAdapter } from "../../ports/storage.js";
import type { Database, Db } from "./database.js";
import { defaultJobTable } from "./job-table.js";
import { jobSchema, type StorageSettings } from "./options.js";
import { jobTableDefinition, leaseDefinition, outboxDefinition, type TableDefinition } from "./owned-tables.js";
import { storageError } from "./postgres-errors.js";
import { catalogColumns } from "./read-catalog.js";
import { runOn } from "./run-statement.js";
import { sqlText } from "./sql-text.js";

/**
 * The tables the library owns. A job table of the caller's is never touched.
 *
 * Whoever migrates waits for the others at an advisory lock that ends with its transaction: unlike a session's it is safe
 * behind PgBouncer, and it needs no table. Only what is missing is created, so that a user without the right to create
 * tables can call `migrate()` where they exist.
 */
export function postgresSchema(database: Database, settings: StorageSettings): SchemaAdapter {
  const owned = ownedTables(settings);
  return Object.freeze({
    async migrate() {
      try {
        const db = await database.open();
        if ((await missingTables(db, owned)).length > 0) await createMissing(db, owned);
      } catch (error) {
        throw storageError(error);
      }
    },
    sql: () => printed(owned),
  } satisfies SchemaAdapter);
}

function ownedTables(settings: StorageSettings): readonly TableDefinition[] {
  const { table, schema, outboxTable, idType } = settings;
  const jobs = table === defaultJobTable ? [jobTableDefinition(jobSchema(settings), idType)] : [];
  const events = outboxTable === null ? [] : [outboxDefinition(outboxTable, schema), leaseDefinition(schema)];
  return [...jobs, ...events];
}

async function createMissing(db: Db, owned: readonly TableDefinition[]): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    const key = sql.lit("worker-progress migrate");
    await sql`select pg_advisory_xact_lock(hashtextextended(${key}, 0))::text`.execute(transaction);
    const missing = await missingTables(transaction, owned);
    for (const schema of await missingSchemas(transaction, missing)) await createSchema(schema).execute(transaction);
    for (const table of missing) await table.create.execute(transaction);
  });
}

async function missingTables(db: Db, owned: readonly TableDefinition[]): Promise<readonly TableDefinition[]> {
  const found = await catalogColumns(runOn(db), owned);
  return owned.filter((_, index) => !found[index]?.length);
}

/** Asked for rather than left to IF NOT EXISTS, which wants the right to create schemas even where there is nothing to do. */
async function missingSchemas(db: Db, tables: readonly TableDefinition[]): Promise<readonly string[]> {
  const wanted = schemasOf(tables);
  const { rows } = await sql<{ name: string }>`
    select nspname::text as name from pg_catalog.pg_namespace where nspname = any(${wanted}::text[])`.execute(db);
  return wanted.filter((schema) => !rows.some((row) => row.name === schema));
}

function schemasOf(tables: readonly TableDefinition[]): string[] {
  return [...new Set(tables.map((table) => table.schema).filter((schema) => schema !== undefined))];
}

function createSchema(schema: string) {
  return sql`create schema if not exists ${sql.id(schema)}`;
}

function printed(owned: readonly TableDefinition[]): string {
  const statements = [...schemasOf(owned).map(createSchema), ...owned.map((table) => table.create)];
  return statements.map((statement) => `${sqlText(statement)};\n`).join("\n");
}
