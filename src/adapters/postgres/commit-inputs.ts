import type { JobWrite } from "../../ports/storage.js";
import type { JobField } from "./job-fields.js";
import { type StatusSpelling, spell } from "./status-spelling.js";

type Text = string | null;

/** What the commit statement unnests: an array per name, an element per write. */
export interface CommitInputs {
  readonly names: readonly string[];
  readonly arrays: (writes: readonly JobWrite[]) => readonly (readonly Text[])[];
}

const versionNames = [
  "id",
  "expected_status",
  "expected_progress",
  "expected_attempt",
  "next_status",
  "next_progress",
  "next_attempt",
  "silent_since",
];
const eventNames = ["event_id", "event_job_id", "event_payload"];

/** The name of the array that holds a field's values. */
export function fieldInput(index: number): string {
  return `field_${index}`;
}

/** The arrays for a table. `present` has a bit per field, set where a write sets it: null is a value, absent is not. */
export function commitInputs(spelling: StatusSpelling, fields: readonly JobField[], withEvents: boolean): CommitInputs {
  const names = [
    ...versionNames,
    "present",
    ...fields.map((_, index) => fieldInput(index)),
    ...(withEvents ? eventNames : []),
  ];
  const texts = (write: JobWrite): readonly Text[] => [
    ...versionTexts(spelling, write),
    ...fieldTexts(fields, write),
    ...(withEvents ? eventTexts(write) : []),
  ];
  return { names, arrays: (writes) => transpose(names.length, writes.map(texts)) };
}

function versionTexts(spelling: StatusSpelling, { id, expected, next, silentSince }: JobWrite): readonly Text[] {
  return [
    id,
    spell(spelling, expected.status),
    String(expected.progress),
    String(expected.attempt),
    spell(spelling, next.status),
    String(next.progress),
    String(next.attempt),
    silentSince === null ? null : String(silentSince),
  ];
}

function fieldTexts(fields: readonly JobField[], { set }: JobWrite): readonly Text[] {
  const values = fields.map((field) => field.value(set));
  const present = values.reduce<number>((bits, value, index) => (value === undefined ? bits : bits | (1 << index)), 0);
  return [String(present), ...values.map((value) => value ?? null)];
}

function eventTexts({ event }: JobWrite): readonly Text[] {
  return event === null ? [null, null, null] : [event.id, event.jobId, JSON.stringify(event.payload)];
}

function transpose(width: number, rows: readonly (readonly Text[])[]): readonly (readonly Text[])[] {
  return Array.from({ length: width }, (_, column) => rows.map((row) => row[column] ?? null));
}
