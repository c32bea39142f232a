import { type RawBuilder, sql } from "kysely";
import type { JobPatch } from "../../domain/job-snapshot.js";
import type { JsonObject, JsonValue } from "../../domain/json.js";
import type { JobColumns, JobTable } from "./job-table.js";
import type { ShapeColumn, TableShape } from "./table-shape.js";

/** One column that a patch can set. */
export interface JobField {
  readonly column: ShapeColumn;
  /** The text to set; null empties the column, undefined leaves it as it is. */
  readonly value: (patch: JobPatch) => string | null | undefined;
  /** The new value in SQL, from the text and from what is stored. */
  readonly assign: (text: RawBuilder<unknown>, stored: RawBuilder<unknown>) => RawBuilder<unknown>;
}

const placesInMetrics = ["step", "message", "progressAt", "rate"] as const;

/** The columns besides the version that a mapping lets a patch set. */
export function jobFields(table: JobTable, shape: TableShape): readonly JobField[] {
  const { columns } = table;
  const field = (column: ShapeColumn | undefined, value: JobField["value"], assign = cast): JobField[] =>
    column === undefined ? [] : [{ column, value, assign: assign(column) }];
  return [
    ...field(shape.step, (patch) => patch.step),
    ...field(shape.message, (patch) => patch.message),
    ...field(shape.rate, (patch) => (typeof patch.rate === "number" ? String(patch.rate) : patch.rate), capped),
    ...field(shape.metrics, (patch) => json(metricsPatch(columns, patch)), merge),
    ...field(shape.output, (patch) => json(patch.output)),
    ...field(shape.errorCode, (patch) => patch.errorCode),
    ...field(shape.errorMessage, (patch) => patch.errorMessage),
    ...field(shape.cancelRequested, (patch) => patch.cancelRequested?.toString()),
    ...field(shape.progressAt, (patch) => instantText(patch.progressAt), instant),
    ...field(shape.startedAt, (patch) => instantText(patch.startedAt), firstInstant),
    ...field(shape.finishedAt, (patch) => instantText(patch.finishedAt), instant),
    ...field(shape.updatedAt, (patch) => instantText(patch.updatedAt), instant),
  ];
}

/** The metrics keys that a mapping keeps for itself. */
export function reservedMetricsKeys(columns: JobColumns): ReadonlySet<string> {
  const keys = placesInMetrics.map((role) => metricsKey(columns, role));
  return new Set(keys.filter((key) => key !== null));
}

/** Where inside the metrics a mapping keeps something; null when it does not. */
export function metricsKey(columns: JobColumns, role: (typeof placesInMetrics)[number]): string | null {
  const place = columns[role];
  return typeof place === "object" && place !== null ? place.metricsKey : null;
}

/** An instant as text that PostgreSQL and the metrics of other writers both read; milliseconds since the epoch in. */
export function instantText(instant: number | null | undefined): string | null | undefined {
  return typeof instant === "number" ? new Date(instant).toISOString() : instant;
}

/** An instant as SQL for a column: the same moment in a timestamptz, UTC in a timestamp. */
export function instant(column: ShapeColumn): JobField["assign"] {
  return column.type === "timestamp"
    ? (text) => sql`(${text}::timestamptz at time zone 'UTC')`
    : (text) => sql`${text}::timestamptz`;
}

/** An instant that stays once it is stored. */
function firstInstant(column: ShapeColumn): JobField["assign"] {
  return (text, stored) => sql`coalesce(${stored}, ${instant(column)(text, stored)})`;
}

function metricsPatch(columns: JobColumns, patch: JobPatch): JsonObject | undefined {
  const merged: Record<string, JsonValue> = { ...patch.metrics };
  for (const key of reservedMetricsKeys(columns)) delete merged[key];
  for (const role of placesInMetrics) {
    const key = metricsKey(columns, role);
    const value = role === "progressAt" ? instantText(patch.progressAt) : patch[role];
    if (key !== null && value !== undefined) merged[key] = value;
  }
  return patch.metrics === undefined && Object.keys(merged).length === 0 ? undefined : merged;
}

function json(value: JsonValue | undefined): string | null | undefined {
  return value === undefined || value === null ? value : JSON.stringify(value);
}

function cast(column: ShapeColumn): JobField["assign"] {
  // Text is assigned uncast: a cast to varchar(n) would cut in silence what an assignment refuses.
  return ["text", "varchar", "bpchar"].includes(column.type)
    ? (text) => text
    : (text) => sql`${text}::${column.castTo}`;
}

/** An estimate is no reason to refuse the progress it comes with. */
function capped(column: ShapeColumn): JobField["assign"] {
  const { greatest, castTo } = column;
  if (greatest === null) return cast(column);
  return (text) => sql`case when ${text}::numeric > ${greatest} then ${greatest} else ${text}::numeric end::${castTo}`;
}

/** Keys of other writers stay. What is stored but no object is replaced: merging into an array would append to it. */
function merge(column: ShapeColumn): JobField["assign"] {
  return (text, stored) => {
    const kept = sql`case when jsonb_typeof(${stored}::jsonb) = 'object' then ${stored}::jsonb else '{}' end`;
    return sql`(${kept} || ${text}::jsonb)::${column.castTo}`;
  };
}
