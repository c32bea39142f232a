import type { PGlite, PostgresPool } from "kysely";

/*
 * What the adapter needs of the clients it may be given, as structural subsets. The real types would make pg and PGlite
 * dependencies of everybody who compiles against this package, although each user installs at most one of them.
 */

/**
 * The subset of a pg `Pool`: what Kysely needs and what tells a pool from a single client.
 * https://node-postgres.com/apis/pool
 */
export interface PgPool extends PostgresPool {
  readonly totalCount: number;
  readonly ending?: boolean;
  on(event: "error" | "connect", listener: (...values: never[]) => void): unknown;
}

/** The subset of a PGlite instance, as Kysely declares it. https://pglite.dev/docs/api */
export type PGliteInstance = PGlite;

/**
 * The subset of a `Kysely` instance, whatever its database type and its copy of the package.
 * https://kysely-org.github.io/kysely-apidoc/classes/Kysely.html
 */
export interface KyselyInstance {
  readonly isTransaction: boolean;
  withoutPlugins(): unknown;
  getExecutor(): unknown;
}

/**
 * The subset of a pg `Client` that listens to notifications. https://node-postgres.com/apis/client
 */
export interface ListeningClient {
  connect(): Promise<unknown>;
  query(text: string): Promise<unknown>;
  end(): Promise<void>;
  on(event: "notification", listener: (notification: ReceivedNotification) => void): unknown;
  on(event: "error" | "end", listener: (cause?: unknown) => void): unknown;
  unref?(): void;
}

/** A notification as pg hands it over. */
export interface ReceivedNotification {
  readonly channel: string;
  readonly payload?: string | undefined;
}

/** The constructor of such clients, as a pg `Pool` has it. */
export type ListeningClientConstructor = new (options: object) => ListeningClient;
