import type { PostgresPool, PostgresPoolClient } from "kysely";
import { WorkerProgressError } from "../../domain/errors.js";
import { urlsOfHosts } from "../../domain/urls-of-hosts.js";
import type { PGliteInstance, PgPool } from "./client-types.js";
import { hostsInTurn } from "./hosts-in-turn.js";
import { isReadOnly, isStatementTimeout } from "./postgres-errors.js";

const connectTimeoutMs = 5_000;
const maxConnections = 5;

/**
 * Opens a pool that survives lost connections and never waits without bound.
 * @throws {MISSING_DEPENDENCY} when pg is not installed
 */
export async function openPool(url: string, statementTimeoutMs: number): Promise<PostgresPool> {
  const { default: pg } = await importClient("pg", () => import("pg"));
  const urls = urlsOfHosts(url);
  const pool = new pg.Pool({
    ...(urls.length > 1 ? hostsInTurn(pg.Client, urls) : { connectionString: url }),
    application_name: "worker-progress",
    max: maxConnections,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: statementTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    allowExitOnIdle: true,
  });
  surviveLostConnections(pool);
  return discardUseless(pool, urls.length);
}

/**
 * Opens an embedded PostgreSQL.
 * @throws {MISSING_DEPENDENCY} when @electric-sql/pglite is not installed
 */
export async function openPGlite(url: string): Promise<PGliteInstance> {
  const { PGlite } = await importClient("@electric-sql/pglite", () => import("@electric-sql/pglite"));
  return PGlite.create(url);
}

/**
 * Loads an optional client.
 * @throws {MISSING_DEPENDENCY} when it is not installed
 */
export async function importClient<Module>(name: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    const code = (cause as { code?: unknown } | null)?.code;
    if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") throw cause;
    const message = `Cannot open the database: package "${name}" is not installed, run npm install ${name}`;
    throw new WorkerProgressError("MISSING_DEPENDENCY", message, { cause });
  }
}

/** A connection that drops is reported by the statement it drops under; unheard, its event would end the process too. */
function surviveLostConnections(pool: PgPool): void {
  const heard = () => {};
  pool.on("error", heard);
  pool.on("connect", (client: { on(event: "error", listener: () => void): unknown }) => client.on("error", heard));
}

/**
 * After a timeout the answer may still be under way on a connection, and one that was opened to a standby stays there, whoever
 * is the primary by now: neither may go back to the pool.
 */
function discardUseless(pool: PgPool, hosts: number): PostgresPool {
  return {
    options: pool.options,
    end: () => pool.end(),
    connect: async () => discardingClient(await connectInTurn(pool, hosts)),
  };
}

/** Tries each host once. */
async function connectInTurn(pool: PgPool, hosts: number): Promise<PostgresPoolClient> {
  for (let left = hosts; ; left--) {
    try {
      return await pool.connect();
    } catch (error) {
      if (left <= 1) throw error;
    }
  }
}

function discardingClient(client: PostgresPoolClient): PostgresPoolClient {
  let useless = false;
  const query = async (text: string, parameters: readonly unknown[]) => {
    try {
      return await client.query(text, parameters);
    } catch (error) {
      useless ||= isStatementTimeout(error) || isReadOnly(error);
      throw error;
    }
  };
  return {
    query: query as PostgresPoolClient["query"],
    release: (destroy) => client.release(destroy || useless),
  };
}
