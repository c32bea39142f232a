import { CompiledQuery, type DatabaseConnection, type QueryExecutor } from "kysely";
import type { CallerTransaction } from "../../ports/storage.js";
import type { Database, Db } from "./database.js";
import { storageError } from "./postgres-errors.js";
import type { Run, TextRow } from "./run.js";

/** Runs each statement on a connection of the database, unnamed, as PgBouncer's transaction mode needs it. */
export function runOn(db: Db): Run {
  return async (text, parameters) => {
    try {
      const { rows } = await db.executeQuery<TextRow>(CompiledQuery.raw(text, [...parameters]));
      return rows;
    } catch (error) {
      throw storageError(error);
    }
  };
}

/** Runs each statement on a database that the first of them opens. */
export function runOnFirstUse(database: Database): Run {
  return async (text, parameters) => runOn(await opened(database))(text, parameters);
}

async function opened(database: Database): Promise<Db> {
  try {
    return await database.open();
  } catch (error) {
    throw storageError(error);
  }
}

/**
 * Runs each statement in the caller's transaction, past its plugins and inside a savepoint, so that a statement that fails
 * does not poison the transaction. The connection is held from the savepoint to its release: nothing else of the caller's
 * can come between and be rolled back with it.
 * @throws TypeError when the value is no Kysely transaction
 */
export function runInside(transaction: CallerTransaction): Run {
  const executor = executorOf(transaction);
  return async (text, parameters) => {
    try {
      return await executor.provideConnection((connection) => insideSavepoint(connection, text, parameters));
    } catch (error) {
      throw storageError(error);
    }
  };
}

async function insideSavepoint(
  connection: DatabaseConnection,
  text: string,
  parameters: readonly unknown[],
): Promise<readonly TextRow[]> {
  const execute = (statement: string, values: readonly unknown[] = []) =>
    connection.executeQuery<TextRow>(CompiledQuery.raw(statement, [...values]));
  await execute("savepoint worker_progress");
  try {
    const { rows } = await execute(text, parameters);
    await execute("release savepoint worker_progress");
    return rows;
  } catch (error) {
    // Where even this fails the connection is lost: the first error says more.
    await execute("rollback to savepoint worker_progress").then(
      () => execute("release savepoint worker_progress"),
      () => {},
    );
    throw error;
  }
}

function executorOf(transaction: CallerTransaction): QueryExecutor {
  const candidate = transaction as { isTransaction?: unknown; getExecutor?: () => QueryExecutor } | null;
  if (candidate?.isTransaction !== true || typeof candidate.getExecutor !== "function") {
    throw new TypeError("Option trx must be a Kysely Transaction");
  }
  return candidate.getExecutor();
}
