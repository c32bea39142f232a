import type { JobWrite } from "../../ports/storage.js";
import type { JobField } from "./job-fields.js";
import { type StatusSpelling, spell } from "./status-spelling.js";

type Text = string | null;

/** What a write sets, by field; undefined where it leaves the field as it is. */
type FieldTexts = readonly (Text | undefined)[];

/** What the writes of a batch have between them. The rest needs no place in the statement. */
export interface BatchShape {
  /** A bit per field that any of them sets. */
  readonly fields: number;
  readonly events: boolean;
  readonly silence: boolean;
}

/** One array that the statement unnests: its name there, and the text of each write. */
export interface CommitInput {
  readonly name: string;
  readonly text: (write: JobWrite, set: FieldTexts) => Text;
}

/** Reads what each write of a batch sets, once. */
export function fieldTexts(fields: readonly JobField[], writes: readonly JobWrite[]): readonly FieldTexts[] {
  return writes.map(({ set }) => fields.map((field) => field.value(set)));
}

/** Tells what a batch needs of its statement. */
export function batchShape(writes: readonly JobWrite[], texts: readonly FieldTexts[]): BatchShape {
  return {
    fields: texts.reduce((bits, set) => bits | presentBits(set), 0),
    events: writes.some((write) => write.event !== null),
    silence: writes.some((write) => write.silentSince !== null),
  };
}

/** The indexes of the fields that a batch sets. */
export function fieldIndexes({ fields }: BatchShape): readonly number[] {
  return Array.from({ length: 32 }, (_, index) => index).filter((index) => (fields >>> index) & 1);
}

/** The name of the array that holds a field's values. */
export function fieldInput(index: number): string {
  return `field_${index}`;
}

/** The arrays of a batch. `present` has a bit per field, set where a write sets it: null is a value, absent is not. */
export function commitInputs(spelling: StatusSpelling, shape: BatchShape): readonly CommitInput[] {
  return [
    { name: "id", text: ({ id }) => id },
    { name: "expected_status", text: ({ expected }) => spell(spelling, expected.status) },
    { name: "expected_progress", text: ({ expected }) => String(expected.progress) },
    { name: "expected_attempt", text: ({ expected }) => String(expected.attempt) },
    { name: "next_status", text: ({ next }) => spell(spelling, next.status) },
    { name: "next_progress", text: ({ next }) => String(next.progress) },
    { name: "next_attempt", text: ({ next }) => String(next.attempt) },
    ...(shape.silence ? [silentSince] : []),
    { name: "present", text: (_, set) => String(presentBits(set)) },
    ...fieldIndexes(shape).map(
      (index): CommitInput => ({ name: fieldInput(index), text: (_, set) => set[index] ?? null }),
    ),
    ...(shape.events ? eventInputs : []),
  ];
}

const silentSince: CommitInput = {
  name: "silent_since",
  text: (write) => (write.silentSince === null ? null : String(write.silentSince)),
};

const eventInputs: readonly CommitInput[] = [
  { name: "event_id", text: ({ event }) => event?.id ?? null },
  { name: "event_job_id", text: ({ event }) => event?.jobId ?? null },
  { name: "event_payload", text: ({ event }) => (event === null ? null : JSON.stringify(event.payload)) },
];

function presentBits(set: FieldTexts): number {
  return set.reduce<number>((bits, text, index) => (text === undefined ? bits : bits | (1 << index)), 0);
}
