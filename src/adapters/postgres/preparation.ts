import { WorkerProgressError } from "../../domain/errors.js";
import { type CommitStatement, commitStatement } from "./commit-statement.js";
import { type CreateStatements, createStatements } from "./create-job.js";
import { findSilentStatement } from "./find-silent-jobs.js";
import { loadStatement } from "./load-jobs.js";
import { findMappedTable, type MappedTable } from "./mapped-table.js";
import type { StorageSettings } from "./options.js";
import type { Run } from "./run.js";
import { tableName } from "./sql-text.js";

/** The job table as found, and its statements, built once. */
export interface Prepared {
  readonly table: MappedTable;
  readonly load: string;
  readonly findSilent: string;
  readonly commit: CommitStatement;
  readonly create: CreateStatements;
}

/** Finds the job table once, again after it failed, and again after a statement found the table changed. */
export class Preparation {
  readonly #settings: StorageSettings;
  #running: Promise<Prepared> | null = null;
  #done: Prepared | null = null;

  constructor(settings: StorageSettings) {
    this.#settings = settings;
  }

  /** Concurrent calls share one look at the database. */
  async shared(run: Run): Promise<Prepared> {
    if (this.#done !== null) return this.#done;
    this.#running ??= this.#prepare(run).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Waits for nobody else's look: on a single connection theirs waits for the transaction that this one runs in. */
  async inside(run: Run): Promise<Prepared> {
    return this.#done ?? (await this.#prepare(run));
  }

  /** Looks again next time when an error says that the table is not what it was. */
  reconsider(error: unknown): void {
    if (error instanceof WorkerProgressError && error.code === "SCHEMA_MISMATCH") this.#done = null;
  }

  async #prepare(run: Run): Promise<Prepared> {
    const { outboxTable, schema } = this.#settings;
    const table = await findMappedTable(run, this.#settings);
    const outbox = outboxTable === null ? null : tableName(outboxTable, schema);
    const prepared: Prepared = {
      table,
      load: loadStatement(table),
      findSilent: findSilentStatement(table),
      commit: commitStatement(table, outbox),
      create: createStatements(table),
    };
    this.#done = prepared;
    return prepared;
  }
}
