import { WorkerProgressError } from "../../src/domain/errors.js";
import type { InMemoryStorage } from "../support/in-memory-storage.js";
import type { SimulatedClock } from "../support/simulated-clock.js";
import type { Process } from "./process.js";
import type { Cause } from "./reference-model.js";

export type CallKind =
  | "report"
  | "start"
  | "status"
  | "cancel request"
  | "time out"
  | "create"
  | "read"
  | "flush"
  | "close";

/** What a call asks for, and all that can be known of it. Every text that it stores is its mark. */
export interface Call {
  /** Counts the calls of a history from 1. */
  readonly number: number;
  readonly kind: CallKind;
  readonly process: Process;
  /** Null for calls that concern every job. */
  readonly job: string | null;
  /** What a stored change may be caused by. More than one where the call itself decides on its way. */
  readonly causes: readonly Cause[];
  readonly forced: boolean;
  /** Made by `run`, which stores no mark with its start. */
  readonly byRun: boolean;
  /** The attempt that the caller belongs to as far as it can know; null when it belongs to none. */
  readonly belongsTo: number | null;
  readonly madeAt: number;
  /** Length of the journal when it was made. */
  readonly journalBefore: number;
  transaction: "none" | "open" | "committed" | "rolled back";
  answer: Answer | null;
}

export interface Answer {
  /** "written", "coalesced", "deferred", "stored", "thrown" by the work of `run`, or the code of the error. */
  readonly outcome: string;
  readonly at: number;
  /** Length of the journal when it came. */
  readonly journalAfter: number;
  /** What was written, of a report. */
  readonly written: { readonly percent: number; readonly attempt: number } | null;
}

interface Opening {
  readonly process: Process;
  readonly job: string | null;
  readonly causes?: (mark: string) => readonly Cause[];
  readonly forced?: boolean;
  readonly byRun?: boolean;
  readonly transaction?: Call["transaction"];
}

const accepted = new Set(["written", "coalesced", "deferred", "stored"]);
const undecided = new Set(["STORAGE_UNAVAILABLE", "CONFLICT", "thrown", "UNEXPECTED"]);

/** Every call of a history, with its answer once it has one. */
export class Ledger {
  readonly calls: Call[] = [];
  readonly #clock: SimulatedClock;
  readonly #storage: InMemoryStorage;

  constructor(clock: SimulatedClock, storage: InMemoryStorage) {
    this.#clock = clock;
    this.#storage = storage;
  }

  open(kind: CallKind, { process, job, causes, forced, byRun, transaction }: Opening): Call {
    const number = this.calls.length + 1;
    const wanted = causes?.(mark(number)) ?? [];
    const [first] = wanted;
    const bound = first !== undefined && "attempt" in first ? first.attempt : null;
    const call: Call = {
      number,
      kind,
      process,
      job,
      causes: wanted,
      forced: forced ?? false,
      byRun: byRun ?? false,
      belongsTo: bound ?? (job === null ? null : process.attemptOf(job)),
      madeAt: this.#clock.monotonic(),
      journalBefore: this.#storage.journal.length,
      transaction: transaction ?? "none",
      answer: null,
    };
    this.calls.push(call);
    return call;
  }

  settle(call: Call, outcome: string, written: Answer["written"] = null): void {
    const at = this.#clock.monotonic();
    call.answer ??= { outcome, at, journalAfter: this.#storage.journal.length, written };
  }

  fail(call: Call, error: unknown): void {
    this.settle(call, error instanceof WorkerProgressError ? error.code : "UNEXPECTED");
  }
}

export function isAccepted({ answer }: Call): boolean {
  return answer !== null && accepted.has(answer.outcome);
}

/** Refused by the rules, so that nothing of it may be stored. */
export function isRefused({ answer }: Call): boolean {
  return answer !== null && !accepted.has(answer.outcome) && !undecided.has(answer.outcome);
}

/** The text a call stores. */
export function mark(number: number): string {
  return `#${number}`;
}

/** The number of the call that stored a text; null where none did. */
export function numberIn(text: unknown): number | null {
  return typeof text === "string" && text.startsWith("#") ? Number(text.slice(1)) : null;
}
