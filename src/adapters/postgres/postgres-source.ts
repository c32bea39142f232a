import type { KyselyInstance, PGliteInstance, PgPool } from "./client-types.js";

/**
 * Where the tables are: a pg `Pool`, a `Kysely` on PostgreSQL, a PGlite, or a URL: `postgres://` and `postgresql://` open a pool,
 * `memory://` and `file://directory` an embedded PGlite.
 */
export type PostgresSource = PgPool | KyselyInstance | PGliteInstance | string;

/** A source told apart by what it is. */
export type ClassifiedSource =
  | { readonly kind: "pool"; readonly pool: PgPool }
  | { readonly kind: "kysely"; readonly db: KyselyInstance }
  | { readonly kind: "pglite"; readonly pglite: PGliteInstance }
  | { readonly kind: "postgres-url"; readonly url: string }
  | { readonly kind: "pglite-url"; readonly url: string };

/** Tells what a value is as a source, or null when it is none. Opens nothing. */
export function classifyPostgresSource(value: unknown): ClassifiedSource | null {
  if (typeof value === "string") return classifyUrl(value);
  if (hasMethods<KyselyInstance>(value, "withoutPlugins", "getExecutor")) {
    return value.isTransaction ? null : { kind: "kysely", db: value };
  }
  if (hasMethods<PGliteInstance>(value, "query", "transaction") && "waitReady" in value) {
    return { kind: "pglite", pglite: value };
  }
  if (hasMethods<PgPool>(value, "connect", "end", "on") && "totalCount" in value) return { kind: "pool", pool: value };
  return null;
}

/**
 * Tells what a source is. Opens nothing.
 * @throws TypeError when it is none
 */
export function postgresSourceOf(value: unknown): ClassifiedSource {
  const classified = classifyPostgresSource(value);
  if (classified !== null) return classified;
  throw new TypeError(
    "The database must be a pg Pool, a Kysely that is no transaction, a PGlite, or a postgres://, memory:// or file:// URL",
  );
}

/** Whether `postgresStorage` can use a value. Opens nothing. */
export function isPostgresSource(value: unknown): value is PostgresSource {
  return classifyPostgresSource(value) !== null;
}

function classifyUrl(url: string): ClassifiedSource | null {
  if (/^postgres(ql)?:\/\//i.test(url)) return { kind: "postgres-url", url };
  if (/^(memory|file):\/\//i.test(url)) return { kind: "pglite-url", url };
  return null;
}

function hasMethods<T extends object>(value: unknown, ...names: readonly (keyof T & string)[]): value is T {
  if (typeof value !== "object" || value === null) return false;
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === "function");
}
