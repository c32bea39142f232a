import { connect } from "amqplib";
import { Redis } from "ioredis";
import pg from "pg";
import type { ServerName } from "./server-plan.js";

const timeoutMs = 2_000;

/** Null when a server answers at the URL and tests can use it, else what is wrong. Never names the password. */
export async function problemOf(name: ServerName, url: string): Promise<string | null> {
  try {
    return await probes[name](url);
  } catch (error) {
    return error instanceof Error ? error.message || error.name : String(error);
  }
}

const probes: Record<ServerName, (url: string) => Promise<string | null>> = {
  async PostgreSQL(url) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: timeoutMs });
    client.on("error", () => {});
    try {
      await client.connect();
      const { rows } = await client.query(
        "select rolsuper or rolcreatedb as creates from pg_roles where rolname = current_user",
      );
      return rows[0]?.creates === true ? null : "its user cannot create databases";
    } finally {
      await client.end().catch(() => {});
    }
  },
  async Redis(url) {
    const client = new Redis(url, {
      lazyConnect: true,
      connectTimeout: timeoutMs,
      commandTimeout: timeoutMs,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    });
    let last: Error | undefined;
    client.on("error", (error) => {
      last = error;
    });
    try {
      await client.connect();
      await client.ping();
      return null;
    } catch (error) {
      throw last ?? error;
    } finally {
      client.disconnect();
    }
  },
  async RabbitMQ(url) {
    const connection = await connect(url, { timeout: timeoutMs });
    connection.on("error", () => {});
    await connection.close();
    return null;
  },
};
