import { WorkerProgressError } from "../../domain/errors.js";
import type { JobSnapshot } from "../../domain/job-snapshot.js";
import type { JobStatus } from "../../domain/job-status.js";
import type { JsonObject, JsonValue } from "../../domain/json.js";
import { metricsKey, reservedMetricsKeys } from "./job-fields.js";
import type { JobColumns } from "./job-table.js";
import type { MappedTable } from "./mapped-table.js";
import type { TextRow } from "./run.js";

/**
 * Reads a row of the load statement.
 * @throws {UNKNOWN_STATUS} when the mapping has no meaning for the stored status
 */
export function readJobRow({ mapping, spelling }: MappedTable, row: TextRow): JobSnapshot {
  const { columns } = mapping;
  const id = row.id ?? "";
  const stored = jsonObject(row.metrics);
  return {
    id,
    type: row.type ?? null,
    status: meaning(spelling.meant, id, row.status ?? null),
    progress: Number(row.progress),
    attempt: Number(row.attempts),
    step: metricsText(stored, metricsKey(columns, "step")) ?? row.step ?? null,
    message: metricsText(stored, metricsKey(columns, "message")) ?? row.message ?? null,
    metrics: stored && ownMetrics(columns, stored),
    output: json(row.output),
    errorCode: row.error_code ?? null,
    errorMessage: row.error_message ?? null,
    cancelRequested: row.cancel_requested === "true",
    rate: number(metricsValue(stored, metricsKey(columns, "rate"))) ?? number(row.rate),
    artefacts: jsonArray(row.artefacts),
    queuePosition: number(row.queue_position),
    progressAt: isoInstant(metricsText(stored, metricsKey(columns, "progressAt"))) ?? number(row.progress_at),
    startedAt: number(row.started_at),
    finishedAt: number(row.finished_at),
    updatedAt: number(row.updated_at),
  };
}

function meaning(meant: ReadonlyMap<string, JobStatus>, jobId: string, spelling: string | null): JobStatus {
  const status = spelling === null ? undefined : meant.get(spelling);
  if (status !== undefined) return status;
  const stored = spelling === null ? "no status" : `status "${spelling}"`;
  const message = `Cannot read job "${jobId}": the table holds ${stored}, which the mapping has no meaning for, add it to table.statuses`;
  throw new WorkerProgressError("UNKNOWN_STATUS", message, { jobId });
}

function ownMetrics(columns: JobColumns, stored: JsonObject): JsonObject {
  const reserved = reservedMetricsKeys(columns);
  return reserved.size === 0
    ? stored
    : Object.fromEntries(Object.entries(stored).filter(([key]) => !reserved.has(key)));
}

function metricsValue(stored: JsonObject | null, key: string | null): JsonValue | undefined {
  return stored === null || key === null ? null : stored[key];
}

function metricsText(stored: JsonObject | null, key: string | null): string | null {
  const value = metricsValue(stored, key);
  return typeof value === "string" ? value : null;
}

function jsonArray(text: string | null | undefined): readonly JsonValue[] {
  const value = json(text);
  return Array.isArray(value) ? value : [];
}

function number(value: JsonValue | undefined): number | null {
  const parsed = typeof value === "string" ? Number(value) : value;
  return typeof parsed === "number" && Number.isFinite(parsed) ? parsed : null;
}

function jsonObject(text: string | null | undefined): JsonObject | null {
  const value = json(text);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

function json(text: string | null | undefined): JsonValue | null {
  return text === null || text === undefined ? null : JSON.parse(text);
}

/** Python's `utcnow().isoformat()` writes no offset and means UTC; JavaScript would read it as local time. */
function isoInstant(text: string | null): number | null {
  if (text === null) return null;
  const value = Date.parse(/(Z|[+-]\d{2}:?\d{2})$/i.test(text) ? text : `${text}Z`);
  return Number.isNaN(value) ? null : value;
}
