import type { JobStatus } from "../../domain/job-status.js";

/** A column name, or null where the table has none: what it would hold is then not stored. */
export type OptionalColumn = string | null;

/** A column name, a key inside the `metrics` JSON, or null where the table has none. */
export type ColumnOrMetricsKey = OptionalColumn | { readonly metricsKey: string };

/** Which column holds what. A key left out is the same as null. */
export interface JobColumns {
  /** integer, smallint, bigint, uuid, text, varchar or char. */
  readonly id: string;
  /** text, varchar, char or an enum. */
  readonly status: string;
  /** Percent, 0–100: an integer type floors fractions, numeric, real and double precision keep them. */
  readonly progress: string;
  /** An integer type. Required: without it a worker of an earlier attempt could not be told from the current one. */
  readonly attempts: string;
  /** Text or an enum. Read, and set by `createJob`. */
  readonly type?: OptionalColumn;
  readonly step?: ColumnOrMetricsKey;
  readonly message?: ColumnOrMetricsKey;
  /** When progress was last written. A timestamp column, or ISO 8601 text inside the metrics. */
  readonly progressAt?: ColumnOrMetricsKey;
  /** Points per second, an estimate. real, double precision or numeric, or a number inside the metrics. */
  readonly rate?: ColumnOrMetricsKey;
  /** json or jsonb. */
  readonly metrics?: OptionalColumn;
  /** json or jsonb. */
  readonly output?: OptionalColumn;
  readonly errorCode?: OptionalColumn;
  readonly errorMessage?: OptionalColumn;
  /** boolean. */
  readonly cancelRequested?: OptionalColumn;
  /** timestamptz or timestamp; a timestamp without time zone is written and read as UTC. */
  readonly startedAt?: OptionalColumn;
  readonly finishedAt?: OptionalColumn;
  readonly updatedAt?: OptionalColumn;
  /** json or jsonb, an array. Only read. */
  readonly artefacts?: OptionalColumn;
  /** An integer type. Only read. */
  readonly queuePosition?: OptionalColumn;
}

/** How a job table is named and spelled. */
export interface JobTable {
  readonly name: string;
  /** @default the storage's `schema`, else the search path */
  readonly schema?: string;
  readonly columns: JobColumns;
  /** How statuses are spelled in the table; null for one it cannot hold. @default each spelled as it is named */
  readonly statuses?: Readonly<Partial<Record<JobStatus, string | null>>>;
}

/** The library's own table, which `migrate()` creates. */
export const defaultJobTable: JobTable = Object.freeze({
  name: "worker_progress_jobs",
  columns: Object.freeze({
    id: "id",
    type: "type",
    status: "status",
    progress: "progress",
    attempts: "attempts",
    step: "step",
    message: "message",
    progressAt: "progress_at",
    rate: "progress_rate",
    metrics: "metrics",
    output: "output",
    errorCode: "error_code",
    errorMessage: "error_message",
    cancelRequested: "cancel_requested",
    startedAt: "started_at",
    finishedAt: "finished_at",
    updatedAt: "updated_at",
  }),
});

/** The `jobs` table of the older Python workers, which keeps step, message and the last update inside `metrics`. */
export const legacyJobTable: JobTable = Object.freeze({
  name: "jobs",
  columns: Object.freeze({
    id: "id",
    type: "type",
    status: "status",
    progress: "progress",
    attempts: "attempts",
    step: Object.freeze({ metricsKey: "progress_step" }),
    message: Object.freeze({ metricsKey: "progress_message" }),
    progressAt: Object.freeze({ metricsKey: "last_progress_update" }),
    rate: Object.freeze({ metricsKey: "progress_rate" }),
    metrics: "metrics",
    output: "output_data",
    errorCode: "error_code",
    errorMessage: "error_message",
    cancelRequested: "cancel_requested",
    startedAt: "started_at",
    finishedAt: "finished_at",
    updatedAt: "updated_at",
  }),
});
