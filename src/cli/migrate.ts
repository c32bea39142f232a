import { legacyJobTable, type PostgresStorageOptions, postgresStorage } from "../adapters/postgres/index.js";
import type { MigrateCommand } from "./command.js";
import { present } from "./present.js";
import type { Screen } from "./screen.js";
import { serverAddress } from "./server-address.js";

/** Makes the library's own tables, or prints the SQL that makes them without connecting. */
export async function migrate(command: MigrateCommand, screen: Screen): Promise<void> {
  const { database, schema, outboxTable, jobs } = command;
  // Any mapping but the default says that the job table is somebody else's.
  const table = jobs ? undefined : legacyJobTable;
  const options: PostgresStorageOptions = present({ schema, outboxTable, table });
  if (database === undefined) {
    const sql = postgresStorage("memory://", options).schema.sql();
    screen.print(
      sql
        .trimEnd()
        .split("\n")
        .map((line) => [line]),
    );
    return;
  }
  const storage = postgresStorage(database, options);
  try {
    await storage.schema.migrate();
  } finally {
    await storage.close();
  }
  const place = schema === undefined ? "" : ` in schema "${schema}"`;
  screen.print([[["green", "✓"], ` The tables of worker-progress are in place${place} at ${serverAddress(database)}`]]);
}
