import { jobStatuses } from "../../domain/job-status.js";
import { checkIdentifier } from "./identifier.js";
import type { JobColumns, JobTable } from "./job-table.js";
import { spellingOf } from "./status-spelling.js";

const requiredColumns = ["id", "status", "progress", "attempts"] as const;
const metricsPlaces = ["step", "message", "progressAt", "rate"] as const;
const optionalColumns = [
  "type",
  "metrics",
  "output",
  "errorCode",
  "errorMessage",
  "cancelRequested",
  "startedAt",
  "finishedAt",
  "updatedAt",
  "artefacts",
  "queuePosition",
] as const;
const tableKeys = ["name", "schema", "columns", "statuses"] as const;

/**
 * Checks what can be checked of a mapping without the database.
 * @throws TypeError naming the key and what is wrong with it
 */
export function checkJobTable(table: JobTable): JobTable {
  if (typeof table !== "object" || table === null) throw new TypeError("Option table must be a job table mapping");
  rejectUnknownKeys("table", table, tableKeys);
  checkIdentifier("table.name", table.name);
  if (table.schema !== undefined) checkIdentifier("table.schema", table.schema);
  checkColumns(table.columns);
  checkStatuses(table.statuses ?? {});
  return table;
}

function checkColumns(columns: JobColumns): void {
  if (typeof columns !== "object" || columns === null) throw new TypeError("table.columns must be an object");
  rejectUnknownKeys("table.columns", columns, [...requiredColumns, ...metricsPlaces, ...optionalColumns]);
  for (const key of requiredColumns) checkIdentifier(`table.columns.${key}`, columns[key]);
  for (const key of optionalColumns) {
    const column = columns[key];
    if (column !== undefined && column !== null) checkIdentifier(`table.columns.${key}`, column);
  }
  for (const key of metricsPlaces) checkPlace(key, columns);
  rejectSharedPlaces(columns);
}

function checkPlace(key: (typeof metricsPlaces)[number], columns: JobColumns): void {
  const place = columns[key];
  if (place === undefined || place === null) return;
  if (typeof place !== "object") {
    checkIdentifier(`table.columns.${key}`, place);
    return;
  }
  if (!isStorableText(place.metricsKey) || place.metricsKey === "__proto__") {
    throw new TypeError(`table.columns.${key}.metricsKey must be ${storableText}, and not "__proto__"`);
  }
  if (columns.metrics === undefined || columns.metrics === null) {
    throw new TypeError(`table.columns.${key} is a key inside the metrics, but table.columns.metrics names no column`);
  }
}

function rejectSharedPlaces(columns: JobColumns): void {
  const owners = new Map<string, string>();
  for (const [key, place] of Object.entries(columns)) {
    if (place === null || place === undefined) continue;
    const name = typeof place === "string" ? `column "${place}"` : `metrics key "${place.metricsKey}"`;
    const owner = owners.get(name);
    if (owner !== undefined) throw new TypeError(`table.columns.${owner} and table.columns.${key} share the ${name}`);
    owners.set(name, key);
  }
}

function checkStatuses(statuses: NonNullable<JobTable["statuses"]>): void {
  if (typeof statuses !== "object" || statuses === null) throw new TypeError("table.statuses must be an object");
  rejectUnknownKeys("table.statuses", statuses, jobStatuses);
  const owners = new Map<string, string>();
  for (const status of jobStatuses) {
    const spelling = spellingOf(statuses, status);
    if (spelling === null) continue;
    if (!isStorableText(spelling)) throw new TypeError(`table.statuses.${status} must be null or ${storableText}`);
    const owner = owners.get(spelling);
    if (owner !== undefined) {
      throw new TypeError(`${owner} and ${status} are both spelled "${spelling}": set one in table.statuses to null`);
    }
    owners.set(spelling, status);
  }
}

const storableText = "a string without NUL and lone surrogates that is not empty";

function isStorableText(value: unknown): value is string {
  return typeof value === "string" && value !== "" && !value.includes("\0") && value.isWellFormed();
}

function rejectUnknownKeys(where: string, value: object, known: readonly string[]): void {
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new TypeError(`${where} has the unknown key "${unknown}", known are ${known.join(", ")}`);
}
