import type { JobIdType } from "../../domain/job-id.js";
import { longestDelayMs } from "../../domain/longest-delay.js";
import { checkJobTable } from "./check-job-table.js";
import { checkIdentifier } from "./identifier.js";
import { defaultJobTable, type JobTable } from "./job-table.js";

/** Options of `postgresStorage`. */
export interface PostgresStorageOptions {
  /** How your job table is named and spelled. @default defaultJobTable, which `migrate()` creates */
  readonly table?: JobTable;
  /** The schema of the tables, unless `table.schema` names another for the jobs. @default the search path */
  readonly schema?: string;
  /** What the ids of the library's own job table are, when `migrate()` creates it. @default "bigint" */
  readonly idType?: JobIdType;
  /** Whether events are kept. Without it the library needs no table of its own beside the jobs. @default true */
  readonly outbox?: boolean;
  /** @default "worker_progress_outbox" */
  readonly outboxTable?: string;
  /**
   * Milliseconds a statement may take before its connection is given up, 1 or more. Only on pools opened from a URL: set
   * `query_timeout` on a pool of your own. @default 10000
   */
  readonly statementTimeoutMs?: number;
  /** Milliseconds a commit waits for a row that another transaction holds, 1 or more. @default 2000 */
  readonly lockTimeoutMs?: number;
  /**
   * Whether processes tell each other by LISTEN/NOTIFY what they have stored, so that `watch` need not poll, where no Redis does
   * it: one more connection for a process that watches or works. A `Kysely` tells and does not hear. @default true
   */
  readonly notify?: boolean;
}

/** The names of the tables, and the waits, once checked. */
export interface StorageSettings {
  readonly table: JobTable;
  readonly schema: string | undefined;
  readonly idType: JobIdType;
  /** Null when events are not kept. */
  readonly outboxTable: string | null;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly notify: boolean;
}

const idTypes: readonly JobIdType[] = ["bigint", "integer", "uuid", "text"];
const optionKeys = [
  "table",
  "schema",
  "idType",
  "outbox",
  "outboxTable",
  "statementTimeoutMs",
  "lockTimeoutMs",
  "notify",
];

/**
 * Checks the options and fills in the defaults.
 * @throws TypeError or RangeError naming the option and what is wrong with it
 */
export function storageSettings(options: PostgresStorageOptions = {}): StorageSettings {
  const unknown = Object.keys(options).find((key) => !optionKeys.includes(key));
  if (unknown !== undefined) throw new TypeError(`Unknown option "${unknown}", known are ${optionKeys.join(", ")}`);
  const { outbox = true, outboxTable = "worker_progress_outbox", schema, idType = "bigint", notify = true } = options;
  if (!idTypes.includes(idType)) throw new TypeError(`Option idType must be one of ${idTypes.join(", ")}`);
  if (typeof outbox !== "boolean") throw new TypeError("Option outbox must be true or false");
  if (typeof notify !== "boolean") throw new TypeError("Option notify must be true or false");
  if (schema !== undefined) checkIdentifier("Option schema", schema);
  checkIdentifier("Option outboxTable", outboxTable);
  return Object.freeze({
    table: checkJobTable(options.table ?? defaultJobTable),
    schema,
    idType,
    outboxTable: outbox ? outboxTable : null,
    statementTimeoutMs: milliseconds("statementTimeoutMs", options.statementTimeoutMs ?? 10_000),
    lockTimeoutMs: milliseconds("lockTimeoutMs", options.lockTimeoutMs ?? 2_000),
    notify,
  });
}

/** The schema of the job table: its own, else the storage's. */
export function jobSchema(settings: StorageSettings): string | undefined {
  return settings.table.schema ?? settings.schema;
}

function milliseconds(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= longestDelayMs) return value;
  throw new RangeError(`Option ${option} must be a whole number of milliseconds from 1 to ${longestDelayMs}`);
}
