import { urlsOfHosts } from "../../domain/urls-of-hosts.js";
import type { ListeningClient, ListeningClientConstructor } from "./client-types.js";
import { importClient } from "./open-client.js";
import type { ClassifiedSource } from "./postgres-source.js";

/** Connections of their own to listen on: no slot of a pool is taken for good. */
export interface ListeningClients {
  /** How many hosts there are to try: each client is made for the next. */
  readonly hosts: number;
  /** Makes a client that is not connected yet. */
  make(): Promise<ListeningClient>;
  /** Whether the caller has ended what the connections are made like. */
  isOver(): boolean;
}

const own = {
  application_name: "worker-progress-listener",
  connectionTimeoutMillis: 5_000,
  keepAlive: true,
  keepAliveInitialDelayMillis: 10_000,
};

/** How to listen on a source; null where it cannot be: a Kysely shows no connection, a PGlite has one process. */
export function listeningClients(source: ClassifiedSource): ListeningClients | null {
  if (source.kind === "postgres-url") {
    const urls = urlsOfHosts(source.url);
    let turn = 0;
    const make = async () => {
      const { default: pg } = await importClient("pg", () => import("pg"));
      return new pg.Client({ connectionString: urls[turn++ % urls.length], ...own });
    };
    return { hosts: urls.length, make, isOver: () => false };
  }
  if (source.kind !== "pool" || source.pool.Client === undefined) return null;
  const { pool } = source;
  const Client = pool.Client as unknown as ListeningClientConstructor;
  // pg keeps the password where a spread does not see it.
  const { password } = pool.options as { readonly password?: unknown };
  return {
    hosts: 1,
    make: async () => new Client({ ...pool.options, password, ...own }),
    isOver: () => pool.ending === true,
  };
}
