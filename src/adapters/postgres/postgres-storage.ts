import type { CallerTransaction, StorageAdapter } from "../../ports/storage.js";
import { commitWrites } from "./commit-writes.js";
import { createJob } from "./create-job.js";
import { Database } from "./database.js";
import { findSilentJobs } from "./find-silent-jobs.js";
import { loadJobs } from "./load-jobs.js";
import { type PostgresStorageOptions, type StorageSettings, storageSettings } from "./options.js";
import { outboxTables } from "./outbox-tables.js";
import { postgresOutbox } from "./postgres-outbox.js";
import { postgresSchema } from "./postgres-schema.js";
import { type PostgresSource, postgresSourceOf } from "./postgres-source.js";
import { Preparation, type Prepared } from "./preparation.js";
import type { Run } from "./run.js";
import { runInside, runOnFirstUse } from "./run-statement.js";

/**
 * Stores jobs and their events in PostgreSQL 15 or later, or in PGlite. Opens nothing until it is first used; what the caller
 * passes in the caller closes, what is opened from a URL `close()` closes.
 * @throws TypeError or RangeError when the source is none or an option is wrong
 * @example
 * const storage = postgresStorage(new Pool(), { table: legacyJobTable });
 */
export function postgresStorage(source: PostgresSource, options?: PostgresStorageOptions): StorageAdapter {
  const settings = storageSettings(options);
  return storageOn(new Database(postgresSourceOf(source), settings.statementTimeoutMs), settings);
}

/** The storage on a database, which its `close()` closes. */
export function storageOn(database: Database, settings: StorageSettings): StorageAdapter {
  const { outboxTable, schema, lockTimeoutMs } = settings;
  const preparation = new Preparation(settings);
  const run = runOnFirstUse(database);
  const operate = async <T>(
    transaction: CallerTransaction | undefined,
    operation: (run: Run, prepared: Prepared) => Promise<T>,
  ): Promise<T> => {
    try {
      if (transaction === undefined) return await operation(run, await preparation.shared(run));
      const inside = runInside(transaction);
      return await operation(inside, await preparation.inside(inside));
    } catch (error) {
      preparation.reconsider(error);
      throw error;
    }
  };
  return Object.freeze({
    outbox: outboxTable === null ? null : postgresOutbox(outboxTables(outboxTable, schema), run),
    schema: postgresSchema(database, settings),
    prepare: () => operate(undefined, async (_, { table }) => table.traits),
    load: (ids, transaction) => operate(transaction, (on, { table, load }) => loadJobs(on, table, load, ids)),
    commit: (writes, transaction) =>
      operate(transaction, (on, { commit }) =>
        commitWrites(on, commit, writes, transaction === undefined ? lockTimeoutMs : null),
      ),
    findSilent: (silentSince, limit) =>
      operate(undefined, (on, { table, findSilent }) => findSilentJobs(on, table, findSilent, silentSince, limit)),
    create: (job) => operate(undefined, (on, { table, create }) => createJob(on, table, create, job)),
    close: () => database.close(),
  } satisfies StorageAdapter);
}
