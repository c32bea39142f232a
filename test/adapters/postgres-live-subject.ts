import { memoryLive } from "../../src/adapters/memory/index.js";
import type { PostgresSource, PostgresStorageOptions } from "../../src/adapters/postgres/index.js";
import type { ListeningWaits } from "../../src/adapters/postgres/listening-waits.js";
import { openPostgres } from "../../src/adapters/postgres/open-postgres.js";
import type { LiveAdapter } from "../../src/ports/live.js";
import type { Log } from "../../src/ports/log.js";
import type { ServerDatabase } from "./postgres-subject.js";

/** Live updates as a process has them that was given a source, and what it has to close. */
export interface LiveProcess {
  readonly live: LiveAdapter;
  close(): Promise<void>;
}

/** Patience enough for a busy machine, and signs of life often enough for a test. */
export const testWaits: ListeningWaits = {
  answerMs: 10_000,
  echoMs: 10_000,
  readyMs: 10_000,
  lifeMs: 300,
  backoff: { firstMs: 50, maxMs: 200 },
};

export function liveProcess(
  source: PostgresSource,
  log: Log,
  options: PostgresStorageOptions = {},
  waits = testWaits,
): LiveProcess {
  const { storage, live } = openPostgres(source, options);
  const adapter = live(memoryLive({ log }), log, waits);
  return {
    live: adapter,
    async close() {
      await adapter.close();
      await storage.close();
    },
  };
}

/** How many connections of a database listen, as PostgreSQL counts them. */
export async function listeners({ otherPool }: ServerDatabase): Promise<number> {
  const { rows } = await otherPool.query<{ count: number }>(
    "select count(*)::int as count from pg_stat_activity where application_name = 'worker-progress-listener' and datname = current_database()",
  );
  return rows[0]?.count ?? 0;
}
