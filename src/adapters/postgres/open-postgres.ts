import type { LiveAdapter } from "../../ports/live.js";
import type { Log } from "../../ports/log.js";
import type { StorageAdapter } from "../../ports/storage.js";
import { Database } from "./database.js";
import { listeningClients } from "./listening-client.js";
import { defaultWaits, type ListeningWaits } from "./listening-waits.js";
import { jobSchema, type PostgresStorageOptions, storageSettings } from "./options.js";
import { postgresLive } from "./postgres-live.js";
import { type ClassifiedSource, type PostgresSource, postgresSourceOf } from "./postgres-source.js";
import { storageOn } from "./postgres-storage.js";
import { runOnFirstUse } from "./run-statement.js";

/** The adapters of a reporter on one source, which share its connections. */
export interface OpenedPostgres {
  readonly storage: StorageAdapter;
  /**
   * Live updates to other processes, too, where notifications reach them; else those within this process alone. They are to
   * be closed before the storage.
   */
  live(inProcess: LiveAdapter, log: Log, waits?: ListeningWaits): LiveAdapter;
}

/**
 * Makes the adapters of a source. Opens nothing until they are used.
 * @throws TypeError or RangeError when the source is none or an option is wrong
 */
export function openPostgres(source: PostgresSource, options?: PostgresStorageOptions): OpenedPostgres {
  const classified = postgresSourceOf(source);
  const settings = storageSettings(options);
  const database = new Database(classified, settings.statementTimeoutMs);
  return {
    storage: storageOn(database, settings),
    live(inProcess, log, waits = defaultWaits) {
      if (!settings.notify || hasOneProcess(classified)) return inProcess;
      const table = { name: settings.table.name, schema: jobSchema(settings) };
      return postgresLive({
        run: runOnFirstUse(database),
        clients: listeningClients(classified),
        table,
        inProcess,
        log,
        waits,
      });
    },
  };
}

function hasOneProcess({ kind }: ClassifiedSource): boolean {
  return kind === "pglite" || kind === "pglite-url";
}
