import type { JobEvent } from "../domain/event.js";
import type { JobIdType } from "../domain/job-id.js";
import type { JobPatch, JobSnapshot, JobVersion } from "../domain/job-snapshot.js";
import type { JobStatus } from "../domain/job-status.js";
import type { OutboxAdapter } from "./outbox.js";

/** What the engine must know of a table before it decides. */
export interface StorageTraits {
  readonly idType: JobIdType;
  /**
   * How many decimal places stored progress keeps, up to 12, and below 0 where it keeps tens; null for as many as a number has.
   * What is beyond is cut off before it is decided on.
   */
  readonly percentDecimals: number | null;
  /** The statuses the mapping has a spelling for. The engine never writes another. */
  readonly statuses: ReadonlySet<JobStatus>;
}

/** One compare-and-set: applies only if the stored version still equals `expected`. */
export interface JobWrite {
  /** Canonical, and at most once in a batch. */
  readonly id: string;
  readonly expected: JobVersion;
  readonly next: JobVersion;
  readonly set: JobPatch;
  /**
   * Set when the write applies only if nothing was heard of the job since, in milliseconds since the epoch: the newer of
   * `updatedAt` and, where that is not kept, `progressAt`. Else null.
   */
  readonly silentSince: number | null;
  /** Stored in the outbox in the same atomic step as the change; always null where `outbox` is null. */
  readonly event: JobEvent | null;
}

/**
 * What became of a write. A conflict covers a row that is gone too: the engine loads and decides again. Where another
 * transaction keeps the row for longer than a commit waits it is "locked", which must not hold up the rest of the batch: the
 * engine tries that job again later.
 */
export type CommitOutcome =
  | { readonly kind: "committed"; readonly cancelRequested: boolean }
  | { readonly kind: "conflict" }
  | { readonly kind: "locked" };

/** A job to insert. */
export interface NewJob {
  /** Canonical; null lets the table choose one. */
  readonly id: string | null;
  readonly type: string | null;
  readonly status: JobStatus;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/**
 * The caller's own transaction (a Kysely `Transaction`). Ports pass it on unread; the adapter knows what it is.
 */
export interface CallerTransaction {
  readonly isTransaction: boolean;
}

/** Makes the tables the library owns. */
export interface SchemaAdapter {
  /** Creates or upgrades them. Idempotent, and safe when several processes call it at once. */
  migrate(): Promise<void>;
  /** The same as SQL text, for people who run their own migrations. */
  sql(): string;
}

/**
 * Where jobs are stored. The engine decides; the adapter compares and sets. What reaches it is valid: canonical ids of
 * the type in `traits`, percents 0–100, statuses of `traits.statuses`, well-formed text, JSON metrics.
 *
 * Every method rejects with a `WorkerProgressError`: `STORAGE_UNAVAILABLE` when trying again may succeed (the engine
 * retries; a compare-and-set whose outcome is unknown is safe to run again), `SCHEMA_MISMATCH` when the mapping names
 * what does not exist, `STORAGE_REJECTED` when the store refuses the values (the engine then writes the batch one by one),
 * `UNKNOWN_STATUS` when a stored status has no meaning in the mapping.
 */
export interface StorageAdapter {
  /** Null when events are not kept (`delivery: "direct"` needs no table). */
  readonly outbox: OutboxAdapter | null;
  readonly schema: SchemaAdapter;
  /** Connects and checks the mapping against the table. Called before anything else; cheap when called again. */
  prepare(): Promise<StorageTraits>;
  /** Reads jobs in one round trip. Unknown ids are absent from the answer; its order is free. */
  load(ids: readonly string[], transaction?: CallerTransaction): Promise<readonly JobSnapshot[]>;
  /** Applies all writes in one atomic step, answering in the order of the writes. */
  commit(writes: readonly JobWrite[], transaction?: CallerTransaction): Promise<readonly CommitOutcome[]>;
  /** Running jobs of which nothing was heard since, longest silent first. Rejects with `SCHEMA_MISMATCH` where the table keeps no time. */
  findSilent(silentSince: number, limit: number): Promise<readonly JobSnapshot[]>;
  /** Inserts a job and answers its canonical id. */
  create(job: NewJob): Promise<string>;
  /** Releases what the adapter opened, never what it was given. Idempotent. */
  close(): Promise<void>;
}
