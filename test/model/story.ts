import type { JournalEntry } from "../support/in-memory-storage.js";
import { type Call, numberIn } from "./ledger.js";
import {
  after,
  type Carried,
  type Cause,
  type ModelJob,
  mayBeEvent,
  mayTell,
  mustTell,
  newborn,
  type StoredChange,
  violationsOf,
} from "./reference-model.js";
import type { World } from "./world.js";

/** A stored change, and why it was stored. */
export interface Chapter {
  /** Counts stored changes from 0. */
  readonly index: number;
  readonly at: number;
  readonly inTransaction: boolean;
  readonly before: ModelJob;
  readonly after: ModelJob;
  readonly cause: Cause | null;
  /** The call that asked for it; null where the change itself has to tell. */
  readonly call: Call | null;
  /** The report that was stored, by itself or along with another change. */
  readonly report: Call | null;
  /** Whether it had to have an event. */
  readonly tells: boolean;
  /** Whether a payload may be its event. */
  readonly mayBe: (payload: Readonly<Record<string, unknown>>) => boolean;
  /** The id of the stored event. */
  readonly eventId: string | null;
  readonly violations: readonly string[];
}

/** What the journal of a storage tells, read by the reference model. */
export class Story {
  readonly chapters: readonly Chapter[];
  readonly #jobs = new Map<string, ModelJob>();

  constructor(world: World) {
    for (const [job, createdAt] of world.created) this.#jobs.set(job, newborn(job, createdAt));
    this.chapters = world.storage.journal.map((entry, index) => this.#read(entry, index, world));
  }

  of(job: string): readonly Chapter[] {
    return this.chapters.filter((chapter) => chapter.after.id === job);
  }

  /** A job at the end. */
  end(job: string): ModelJob {
    return this.#jobs.get(job) as ModelJob;
  }

  /** What a job was at any moment between two lengths of the journal. */
  states(job: string, from: number, to: number): readonly ModelJob[] {
    const all = this.of(job);
    const last = all.findLast(({ index }) => index < from);
    const first = last?.after ?? all[0]?.before ?? this.end(job);
    return [first, ...all.filter(({ index }) => index >= from && index < to).map((chapter) => chapter.after)];
  }

  #read(
    { at, write, startedAt, inTransaction }: JournalEntry,
    index: number,
    { history, ledger, created }: World,
  ): Chapter {
    const before = this.#jobs.get(write.id) as ModelJob;
    const change: StoredChange = {
      expected: write.expected,
      next: write.next,
      set: { ...write.set },
      startedAt,
      event: history.delivery === "direct" ? undefined : write.event && { ...write.event.payload },
    };
    const callOf = (text: unknown) => ledger.calls[(numberIn(text) ?? 0) - 1] ?? null;
    const { set } = write;
    const stepOf = callOf(set.step);
    const report = stepOf?.kind === "report" ? stepOf : null;
    const { call, cause } = reasonFor(write, callOf(set.errorMessage ?? set.output ?? set.message), ledger.calls);
    const own = cause?.kind === "report";
    const carried: Carried | null = report === null || own ? null : reportOf(report);
    const next = after(before, change);
    this.#jobs.set(write.id, next);
    const where = `stored change ${index + 1} of job ${write.id} (${described(cause, call)})`;
    const found: string[] = [];
    if (cause === null) found.push("was asked for by nobody");
    else found.push(...violationsOf(before, change, cause, carried));
    if (history.delivery === "direct" && write.event !== null) found.push("put an event where there is no outbox");
    if (call !== null && call.job !== null && call.job !== write.id) found.push(`was asked for of job ${call.job}`);
    if (created.get(write.id) === undefined) found.push("changes a job that nobody created");
    const mayBe = (payload: Readonly<Record<string, unknown>>) =>
      cause !== null && mayTell(before, cause, carried) && mayBeEvent(payload, before, change, cause);
    const tells = cause !== null && mustTell(before, cause, carried);
    const eventId = write.event?.id ?? null;
    return {
      index,
      at,
      inTransaction,
      before,
      after: next,
      cause,
      call,
      report,
      tells,
      mayBe,
      eventId,
      violations: found.map((what) => `${where} ${what}`),
    };
  }
}

function reportOf(report: Call): Carried {
  const [cause] = report.causes;
  if (cause?.kind !== "report") throw new Error("a report is caused by itself");
  return { percent: cause.percent, attempt: cause.attempt };
}

/** A change is marked by its call, or tells by its shape what it is. */
function reasonFor(
  { id, expected, next, set, silentSince }: JournalEntry["write"],
  marked: Call | null,
  calls: readonly Call[],
): { readonly call: Call | null; readonly cause: Cause | null } {
  if (marked !== null) {
    const fits = (cause: Cause) => cause.kind !== "status" || cause.status === next.status;
    return { call: marked, cause: marked.causes.find(fits) ?? marked.causes[0] ?? null };
  }
  if (silentSince !== null) return { call: null, cause: { kind: "timeout", silentSince } };
  const run = calls.findLast((call) => call.byRun && call.job === id && call.kind === "start");
  if (next.attempt > expected.attempt) return { call: null, cause: run?.causes[0] ?? null };
  if (typeof set.errorCode === "string" && typeof set.errorMessage === "string" && run !== undefined) {
    const error = { code: set.errorCode, message: set.errorMessage };
    return { call: null, cause: { kind: "status", status: "failed", percent: 0, attempt: null, error } };
  }
  if (next.status === "cancelled" && run !== undefined) {
    return { call: null, cause: { kind: "status", status: "cancelled", percent: 0, attempt: null, error: null } };
  }
  const silent = Object.keys(set).every((key) => key === "updatedAt");
  return { call: null, cause: silent ? { kind: "sign of life" } : null };
}

function described(cause: Cause | null, call: Call | null): string {
  const kind = cause?.kind ?? "unknown";
  return call === null ? kind : `${kind}, call ${call.number} of reporter ${call.process.name}`;
}
