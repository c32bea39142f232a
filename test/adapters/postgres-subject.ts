import { CamelCasePlugin, Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import {
  type PostgresSource,
  type PostgresStorageOptions,
  postgresStorage,
} from "../../src/adapters/postgres/index.js";
import type { StorageUnderTest } from "../../src/conformance/storage-under-test.js";
import { type TestDatabase, testDatabase } from "../support/servers.js";

/** The Python workers' table, as their migrations made it. */
export const legacyTableSql = `create table jobs (
  id bigserial primary key,
  type varchar(50),
  status varchar(20) not null default 'pending',
  progress integer default 0,
  attempts integer default 0,
  metrics jsonb,
  started_at timestamp,
  finished_at timestamp,
  updated_at timestamp default now(),
  error_code varchar(50),
  error_message text,
  output_data jsonb,
  cancel_requested boolean default false
)`;

/** A database with two pools on it; empty again after each `reset`. */
export interface ServerDatabase extends TestDatabase {
  readonly pool: pg.Pool;
  readonly otherPool: pg.Pool;
  /** A `Kysely` as many users have theirs. */
  readonly camelCase: Kysely<Record<string, never>>;
  reset(setup?: string): Promise<void>;
}

export async function serverDatabase(settings: pg.PoolConfig = {}): Promise<ServerDatabase> {
  const database = await testDatabase();
  const pool = quietPool({ connectionString: database.url, max: 20, ...settings });
  const otherPool = quietPool({ connectionString: database.url, ...settings });
  const plugins = [new CamelCasePlugin({ maintainNestedObjectKeys: false })];
  return {
    url: database.url,
    pool,
    otherPool,
    camelCase: new Kysely({ dialect: new PostgresDialect({ pool }), plugins }),
    async reset(setup = "") {
      const { rows } = await pool.query(
        "select quote_ident(nspname)::text as name from pg_namespace where nspname not like 'pg\\_%' and nspname <> 'information_schema'",
      );
      const drops = rows.map(({ name }) => `drop schema ${name} cascade;`);
      await pool.query(`set client_min_messages = warning; ${drops.join(" ")} create schema public; ${setup}`);
    },
    async drop() {
      await Promise.all([pool.end(), otherPool.end()]);
      await database.drop();
    },
  };
}

/** A pool whose lost connections do not end the process. */
export function quietPool(options: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool(options);
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

/** A storage on an empty database, made ready for the conformance cases. */
export async function migratedSubject(
  database: ServerDatabase,
  sources: readonly [PostgresSource, PostgresSource],
  options: PostgresStorageOptions,
  newId: () => string | null,
): Promise<StorageUnderTest> {
  const [storage, peer] = sources.map((source) => postgresStorage(source, options)) as [
    ReturnType<typeof postgresStorage>,
    ReturnType<typeof postgresStorage>,
  ];
  await storage.schema.migrate();
  return {
    storage,
    peer,
    newId,
    inTransaction: (body) => database.camelCase.transaction().execute(body),
    async dispose() {
      await Promise.all([storage.close(), peer.close()]);
    },
  };
}
