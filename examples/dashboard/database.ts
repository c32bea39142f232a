import type { PGlite } from "@electric-sql/pglite";
import pg from "pg";

/** What the dashboard needs of a database, whichever it is. */
export interface Database {
  readonly client: pg.Pool | PGlite;
  rows<Row extends object>(sql: string): Promise<Row[]>;
  close(): Promise<void>;
}

/** Opens the database of a URL, or an embedded one in memory. */
export async function openDatabase(url: string | undefined): Promise<Database> {
  if (!url) {
    const client = new (await import("@electric-sql/pglite")).PGlite();
    return { client, rows: async (sql) => (await client.query(sql)).rows as never, close: () => client.close() };
  }
  const client = new pg.Pool({ connectionString: url });
  // Else its restart would end the process: the pool hears of idle connections only.
  client.on("error", (error) => console.warn(`PostgreSQL: ${error.message}`));
  client.on("connect", (connection) => connection.on("error", () => {}));
  return { client, rows: async (sql) => (await client.query(sql)).rows, close: () => client.end() };
}
