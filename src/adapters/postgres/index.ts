export type { KyselyInstance, PGliteInstance, PgPool } from "./client-types.js";
export {
  type ColumnOrMetricsKey,
  defaultJobTable,
  type JobColumns,
  type JobTable,
  legacyJobTable,
  type OptionalColumn,
} from "./job-table.js";
export type { PostgresStorageOptions } from "./options.js";
export { isPostgresSource, type PostgresSource } from "./postgres-source.js";
export { postgresStorage } from "./postgres-storage.js";
