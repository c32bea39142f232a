import { Kysely, PGliteDialect, PostgresDialect, type PostgresPool } from "kysely";
import { WorkerProgressError } from "../../domain/errors.js";
import type { PGliteInstance } from "./client-types.js";
import { openPGlite, openPool } from "./open-client.js";
import type { ClassifiedSource } from "./postgres-source.js";

/** The database behind a storage, without the caller's plugins. Tables and rows are known to the SQL text only. */
export type Db = Kysely<unknown>;

interface OpenedDatabase {
  readonly db: Db;
  /** Null for what the caller passed in. */
  readonly close: (() => Promise<void>) | null;
}

/** Opens a source at the first use, once, and again after it failed. */
export class Database {
  readonly #source: ClassifiedSource;
  readonly #statementTimeoutMs: number;
  #opened: Promise<OpenedDatabase> | null = null;
  #closing: Promise<void> | null = null;

  constructor(source: ClassifiedSource, statementTimeoutMs: number) {
    this.#source = source;
    this.#statementTimeoutMs = statementTimeoutMs;
  }

  /** @throws {REPORTER_CLOSED} after `close()` */
  async open(): Promise<Db> {
    if (this.#closing !== null) {
      throw new WorkerProgressError("REPORTER_CLOSED", "Cannot use the storage: it is closed");
    }
    this.#opened ??= openSource(this.#source, this.#statementTimeoutMs).catch((error) => {
      this.#opened = null;
      throw error;
    });
    return (await this.#opened).db;
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeOpened();
    return this.#closing;
  }

  async #closeOpened(): Promise<void> {
    const opened = await this.#opened?.catch(() => null);
    await opened?.close?.();
  }
}

async function openSource(source: ClassifiedSource, statementTimeoutMs: number): Promise<OpenedDatabase> {
  switch (source.kind) {
    case "kysely":
      return { db: source.db.withoutPlugins() as Db, close: null };
    case "pool":
      return { db: onPool(source.pool), close: null };
    case "pglite":
      return { db: onPGlite(source.pglite), close: null };
    case "postgres-url": {
      const pool = await openPool(source.url, statementTimeoutMs);
      return { db: onPool(pool), close: () => pool.end() };
    }
    case "pglite-url": {
      const pglite = await openPGlite(source.url);
      return { db: onPGlite(pglite), close: () => pglite.close() };
    }
  }
}

function onPool(pool: PostgresPool): Db {
  return new Kysely({ dialect: new PostgresDialect({ pool }) });
}

function onPGlite(pglite: PGliteInstance): Db {
  return new Kysely({ dialect: new PGliteDialect({ pglite }) });
}
