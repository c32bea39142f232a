import { type ErrorCode, WorkerProgressError } from "../../src/domain/errors.js";
import { applyPatch, type JobSnapshot, type JobVersion } from "../../src/domain/job-snapshot.js";
import { jobStatuses } from "../../src/domain/job-status.js";
import { bounded } from "../../src/engine/bounded.js";
import type { Clock } from "../../src/ports/clock.js";
import type {
  CallerTransaction,
  CommitOutcome,
  JobWrite,
  NewJob,
  StorageAdapter,
  StorageTraits,
} from "../../src/ports/storage.js";
import { Gate, InMemoryOutbox } from "./in-memory-outbox.js";

/** A write that changed a job. */
export interface JournalEntry {
  /** Counts statements from 1. */
  readonly statement: number;
  /** Monotonic milliseconds. */
  readonly at: number;
  /** Whether it was a transaction of the caller's that changed it. */
  readonly inTransaction: boolean;
  readonly write: JobWrite;
  /** When the job first ran, as stored after the write. */
  readonly startedAt: number | null;
}

/** Whether a commit that fails was applied all the same. */
export type FailurePoint = "before" | "after";

/**
 * A transaction of the caller's on an {@link InMemoryStorage}: what it wrote is seen by others once it is committed, and
 * until it is over they wait for the rows it wrote.
 */
export class InMemoryTransaction implements CallerTransaction {
  readonly isTransaction = true;
  readonly jobs = new Map<string, JobSnapshot>();
  readonly show: (() => void)[] = [];
  readonly #end = Promise.withResolvers<void>();
  isOver = false;

  /** Resolves when it is over. */
  get over(): Promise<void> {
    return this.#end.promise;
  }

  end(): void {
    this.isOver = true;
    this.#end.resolve();
  }
}

const lockTimeoutMs = 2_000;

/** A storage that keeps the port's promises, writes a journal, and fails on demand. Engines may share one. */
export class InMemoryStorage implements StorageAdapter {
  readonly outbox: InMemoryOutbox;
  readonly schema = { migrate: async () => {}, sql: () => "" };
  /** Every write that changed a job, in order. */
  readonly journal: JournalEntry[] = [];
  /** The ids of every load, in order. */
  readonly loads: (readonly string[])[] = [];
  /** How many writes each statement had, whether they matched or not. */
  readonly statements: number[] = [];
  /** Makes every call but `prepare` wait until it is opened. */
  readonly gate = new Gate();
  traits: StorageTraits = { idType: "text", percentDecimals: 0, statuses: new Set(jobStatuses) };
  /** Every call rejects with it while it is set. */
  outage: ErrorCode | null = null;
  /** Called before each commit, as another process that gets in between. */
  beforeCommit: ((writes: readonly JobWrite[]) => void) | null = null;
  /** A statement with such a write is refused as a whole. */
  poison: (write: JobWrite) => boolean = () => false;
  /** Whether this commit fails: decided for each. */
  failing: () => FailurePoint | null = () => null;

  readonly #clock: Clock;
  readonly #jobs = new Map<string, JobSnapshot>();
  readonly #failures: FailurePoint[] = [];
  readonly #locks = new Map<string, InMemoryTransaction>();
  #prepared = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.outbox = new InMemoryOutbox(clock, () => this.#reached());
  }

  /** Puts a job there, or changes it, as somebody else would who is not the library. */
  put(id: string, values: Partial<JobSnapshot> = {}): void {
    this.#jobs.set(id, { ...(this.#jobs.get(id) ?? blank(id)), ...values });
  }

  /** The job as stored, if there is one. */
  find(id: string): JobSnapshot | undefined {
    return this.#jobs.get(id);
  }

  /** The job as stored. */
  job(id: string): JobSnapshot {
    const job = this.find(id);
    if (job === undefined) throw new Error(`no job "${id}" is stored`);
    return job;
  }

  /** The writes that changed a job, in order. */
  writesOf(id: string): readonly JournalEntry[] {
    return this.journal.filter((entry) => entry.write.id === id);
  }

  /** The next commits reject as unavailable. */
  failCommits(count: number, point: FailurePoint): void {
    for (let i = 0; i < count; i++) this.#failures.push(point);
  }

  async prepare(): Promise<StorageTraits> {
    if (!this.#prepared) this.#throwOutage();
    this.#prepared = true;
    return this.traits;
  }

  async load(ids: readonly string[], transaction?: CallerTransaction): Promise<readonly JobSnapshot[]> {
    this.loads.push(ids);
    await this.#reached();
    const inside = transaction === undefined ? null : joined(transaction);
    return ids.flatMap((id) => inside?.jobs.get(id) ?? this.#jobs.get(id) ?? []);
  }

  async commit(writes: readonly JobWrite[], transaction?: CallerTransaction): Promise<readonly CommitOutcome[]> {
    const inside = transaction === undefined ? null : joined(transaction);
    if (new Set(writes.map((write) => write.id)).size < writes.length) throw new Error("a job is twice in a batch");
    await this.#reached();
    // No turn of the event loop between the last look at the locks and the writes.
    for (let lock = this.#lock(writes, inside); lock !== null; lock = this.#lock(writes, inside)) {
      await bounded(this.#clock, lock.over, lockTimeoutMs, () => unavailable("a row is locked"));
    }
    if (inside?.isOver) throw unavailable("the transaction is over");
    const failure = this.#failures.shift() ?? this.failing();
    if (failure === "before") throw unavailable("the connection was lost");
    this.beforeCommit?.(writes);
    if (writes.some(this.poison)) throw new WorkerProgressError("STORAGE_REJECTED", "A value is refused");
    const statement = this.statements.push(writes.length);
    const outcomes = writes.map((write) => this.#apply(write, statement, inside));
    if (failure === "after") throw unavailable("the connection was lost");
    return outcomes;
  }

  async findSilent(silentSince: number, limit: number): Promise<readonly JobSnapshot[]> {
    await this.#reached();
    const silent = [...this.#jobs.values()].filter((job) => job.status === "running" && isSilent(job, silentSince));
    return silent.sort((a, b) => (heardAt(a) ?? 0) - (heardAt(b) ?? 0)).slice(0, limit);
  }

  async create(job: NewJob): Promise<string> {
    await this.#reached();
    const id = job.id ?? String(this.#jobs.size + 1);
    if (this.#jobs.has(id)) throw new WorkerProgressError("STORAGE_REJECTED", `A job "${id}" is there already`);
    this.put(id, { type: job.type, status: job.status, updatedAt: job.at });
    return id;
  }

  async close(): Promise<void> {}

  /** Runs `body` in a transaction: kept when it resolves, gone when it rejects. */
  async inTransaction<T>(body: (transaction: InMemoryTransaction) => Promise<T>): Promise<T> {
    const transaction = new InMemoryTransaction();
    try {
      const result = await body(transaction);
      for (const [id, job] of transaction.jobs) this.#jobs.set(id, job);
      for (const show of transaction.show) show();
      return result;
    } finally {
      for (const id of transaction.jobs.keys()) this.#locks.delete(id);
      transaction.end();
    }
  }

  /** The transaction that holds one of these rows; null where none does. */
  #lock(writes: readonly JobWrite[], inside: InMemoryTransaction | null): InMemoryTransaction | null {
    return writes.map(({ id }) => this.#locks.get(id)).find((lock) => lock && lock !== inside) ?? null;
  }

  #apply(write: JobWrite, statement: number, inside: InMemoryTransaction | null): CommitOutcome {
    const { id, expected, next, set, silentSince, event } = write;
    const job = inside?.jobs.get(id) ?? this.#jobs.get(id);
    if (job === undefined || !sameVersion(job, expected)) return { kind: "conflict" };
    if (silentSince !== null && !isSilent(job, silentSince)) return { kind: "conflict" };
    const changed = applyPatch(job, next, set);
    (inside?.jobs ?? this.#jobs).set(id, changed);
    const insert = event === null ? () => {} : this.outbox.insert(event);
    const show = () => {
      const at = this.#clock.monotonic();
      this.journal.push({ statement, at, inTransaction: inside !== null, write, startedAt: changed.startedAt });
      insert();
    };
    if (inside === null) show();
    else {
      this.#locks.set(id, inside);
      inside.show.push(show);
    }
    return { kind: "committed", cancelRequested: set.cancelRequested ?? job.cancelRequested };
  }

  async #reached(): Promise<void> {
    await this.gate.pass();
    this.#throwOutage();
  }

  #throwOutage(): void {
    if (this.outage !== null) throw new WorkerProgressError(this.outage, "The storage cannot be reached");
  }
}

function blank(id: string): JobSnapshot {
  return {
    id,
    type: null,
    status: "pending",
    progress: 0,
    attempt: 0,
    step: null,
    message: null,
    metrics: null,
    output: null,
    errorCode: null,
    errorMessage: null,
    cancelRequested: false,
    rate: null,
    artefacts: [],
    queuePosition: null,
    progressAt: null,
    startedAt: null,
    finishedAt: null,
    updatedAt: null,
  };
}

function sameVersion(job: JobVersion, expected: JobVersion): boolean {
  return job.status === expected.status && job.progress === expected.progress && job.attempt === expected.attempt;
}

function heardAt(job: JobSnapshot): number | null {
  return job.updatedAt ?? job.progressAt;
}

function isSilent(job: JobSnapshot, since: number): boolean {
  const at = heardAt(job);
  return at !== null && at <= since;
}

function joined(transaction: CallerTransaction): InMemoryTransaction {
  if (transaction instanceof InMemoryTransaction) return transaction;
  throw new TypeError("This is no transaction of this storage");
}

function unavailable(reason: string): WorkerProgressError {
  return new WorkerProgressError("STORAGE_UNAVAILABLE", `The storage is away: ${reason}`);
}
