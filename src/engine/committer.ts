import type { Command } from "../domain/command.js";
import { type Decision, decide, type Rules } from "../domain/decide.js";
import { type ErrorCode, isRetryable, WorkerProgressError } from "../domain/errors.js";
import { eventOf, type JobEvent } from "../domain/event.js";
import { canonicalJobId } from "../domain/job-id.js";
import { applyPatch, type JobPatch, type JobSnapshot, type JobVersion } from "../domain/job-snapshot.js";
import { isTerminal } from "../domain/job-status.js";
import type { Limits } from "../domain/limits.js";
import type { Redaction } from "../domain/redact.js";
import type { Clock } from "../ports/clock.js";
import type { CallerTransaction, CommitOutcome, JobWrite, StorageAdapter, StorageTraits } from "../ports/storage.js";
import { bounded } from "./bounded.js";
import { refusal, refusalFrom } from "./refusal.js";
import type { ChangeResult, Slot } from "./slot.js";

/** One command on its way into the storage. */
export interface CommitTask {
  readonly slot: Slot;
  command: Command;
  /** Set when the task is over. */
  result: ChangeResult | null;
  /** The job as stored with the progress that went along, when the rest is not stored yet. */
  underway: JobSnapshot | null;
  /** Why it is left for later, though the storage answers: its row is locked. */
  postponed: WorkerProgressError | null;
  /** The job to decide on; null when it has to be loaded. */
  job: JobSnapshot | null;
  /** Whether `job` was loaded for this task. Only fresh state may refuse. */
  fresh: boolean;
  /** The last write tried, and what it was decided on. */
  attempted: Step | null;
  /** Whether the outcome of a write was not learned, so that a load may show it as landed. */
  ambiguous: boolean;
  conflicts: number;
}

export interface CommitterOptions {
  readonly storage: StorageAdapter;
  readonly clock: Clock;
  readonly limits: Limits;
  /** How long one storage call may take, in milliseconds. */
  readonly storageTimeoutMs: number;
  readonly newEventId: () => string;
  readonly redact: Redaction;
  /** Whether events are stored with the change; else `onEvents` is all that knows of them. */
  readonly viaOutbox: boolean;
  /** Told of the events of stored changes. Not called for a caller's transaction, which may still roll back. */
  readonly onEvents: (events: readonly JobEvent[]) => void;
  /** Told of what is stored now, except by a caller's transaction. */
  readonly onStored: (slot: Slot, previous: JobSnapshot, job: JobSnapshot) => void;
}

interface Step {
  readonly task: CommitTask;
  readonly previous: JobSnapshot;
  readonly decision: Extract<Decision, { kind: "write" }>;
  readonly write: JobWrite;
}

const maxConflicts = 50;
// Another process may have written the same version in the same millisecond.
const storedTexts = ["step", "message", "errorCode", "errorMessage"] as const;

// A start answers what the attempt before left, which known state does not hold in full; a wish to cancel writes back when the
// worker was last heard of, which a sign of life renews without another version.
const needsAll: ReadonlySet<Command["change"]["kind"]> = new Set(["start", "requestCancel"]);

export function commitTask(slot: Slot, command: Command): CommitTask {
  return {
    slot,
    command,
    result: null,
    underway: null,
    postponed: null,
    job: null,
    fresh: false,
    attempted: null,
    ambiguous: false,
    conflicts: 0,
  };
}

/** Load, decide, compare-and-set; on conflict load and decide again. */
export class Committer {
  readonly #options: CommitterOptions;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** The traits of the table; connects and checks the mapping the first time. */
  traits(): Promise<StorageTraits> {
    return this.#bounded(this.#options.storage.prepare());
  }

  /**
   * Runs all tasks, in as few round trips as conflicts allow, until each has a result or is postponed. Rejects with a retryable error
   * when the storage is away; tasks without a result are then to be run again.
   */
  async run(tasks: readonly CommitTask[], transaction?: CallerTransaction): Promise<void> {
    try {
      const traits = await this.traits();
      const rules = { ...traits, limits: this.#options.limits };
      for (const task of tasks) this.#begin(task, traits, transaction);
      for (let open = unsettled(tasks); open.length > 0; open = unsettled(tasks)) {
        await this.#round(onePerJob(open), rules, traits, transaction);
      }
    } catch (error) {
      const open = unsettled(tasks);
      if (!isRetryable(error)) {
        for (const task of open) task.result = refused(task, error);
        return;
      }
      for (const task of open) {
        if (task.attempted === null) continue;
        task.ambiguous = true;
        task.slot.known = null;
      }
      throw error;
    }
  }

  async #round(
    tasks: readonly CommitTask[],
    rules: Rules,
    traits: StorageTraits,
    transaction: CallerTransaction | undefined,
  ): Promise<void> {
    await this.#loadUnknown(tasks, transaction);
    const steps: Step[] = [];
    for (const task of tasks) {
      const step = this.#decide(task, rules, traits);
      if (step !== null) steps.push(step);
    }
    if (steps.length === 0) return;
    const outcomes = await this.#commit(steps, transaction);
    const events: JobEvent[] = [];
    steps.forEach((step, i) => {
      const outcome = outcomes[i];
      if (outcome?.kind === "committed") {
        this.#stored(step, outcome.cancelRequested, transaction);
        if (step.write.event !== null) events.push(step.write.event);
      } else if (outcome?.kind === "conflict") this.#conflicted(step);
      else if (outcome?.kind === "locked") this.#postpone(step);
    });
    if (events.length > 0 && transaction === undefined) this.#options.onEvents(events);
  }

  #begin(task: CommitTask, traits: StorageTraits, transaction: CallerTransaction | undefined): void {
    const { slot } = task;
    if (slot.id === null) {
      const canonical = canonicalJobId(slot.key, traits.idType);
      if (canonical.ok) slot.id = canonical.id;
      else refuse(task, "INVALID_ARGUMENT", canonical.problem);
    }
    const knows = transaction === undefined && !task.ambiguous && !needsAll.has(task.command.change.kind);
    task.job = knows ? slot.known : null;
    task.fresh = false;
    task.underway = null;
    task.postponed = null;
  }

  #decide(task: CommitTask, rules: Rules, traits: StorageTraits): Step | null {
    const previous = task.job;
    if (task.result !== null || previous === null || this.#landed(task, previous)) return null;
    const decision = decide(previous, task.command, rules);
    if (decision.kind === "reject") {
      if (task.fresh) refuse(task, decision.code, decision.reason);
      else task.job = null;
      return null;
    }
    const { next, set } = decision;
    const { id, status, progress, attempt } = previous;
    const event = decision.emits ? this.#eventOf(traits, previous, next, set) : null;
    const { silentSince = null } = decision;
    const write = { id, expected: { status, progress, attempt }, next, set, silentSince, event };
    task.attempted = { task, previous, decision, write };
    return task.attempted;
  }

  #eventOf({ idType }: StorageTraits, previous: JobSnapshot, next: JobVersion, set: JobPatch): JobEvent {
    return this.#options.redact(eventOf(this.#options.newEventId(), idType, previous, next, set));
  }

  async #loadUnknown(tasks: readonly CommitTask[], transaction: CallerTransaction | undefined): Promise<void> {
    const unknown = tasks.filter((task) => task.job === null && task.result === null);
    if (unknown.length === 0) return;
    const jobs = new Map<string, JobSnapshot>();
    await this.#together(unknown, async (some) => {
      const ids = some.map((task) => idOf(task));
      for (const job of await this.#bounded(this.#options.storage.load(ids, transaction))) jobs.set(job.id, job);
    });
    for (const task of unknown) {
      if (task.result !== null) continue;
      task.job = jobs.get(idOf(task)) ?? null;
      task.fresh = true;
      if (task.job === null)
        refuse(task, "JOB_NOT_FOUND", "there is no such job; create its row before reporting on it");
      else if (transaction === undefined) remember(task.slot, task.job);
    }
  }

  /** Undefined stands for a write that the storage refused; its task has its result. */
  async #commit(
    steps: readonly Step[],
    transaction: CallerTransaction | undefined,
  ): Promise<readonly (CommitOutcome | undefined)[]> {
    const { storage, viaOutbox } = this.#options;
    const byTask = new Map(steps.map((step) => [step.task, step]));
    const outcomes = new Map<Step, CommitOutcome>();
    await this.#together([...byTask.keys()], async (tasks) => {
      const some = tasks.map((task) => byTask.get(task) as Step);
      const writes = some.map(({ write }) => (viaOutbox ? write : { ...write, event: null }));
      const answers = await this.#bounded(storage.commit(writes, transaction));
      for (const [i, answer] of answers.entries()) outcomes.set(some[i] as Step, answer);
    });
    return steps.map((step) => outcomes.get(step));
  }

  /** Does the work for all tasks at once; when one of them is refused for good, one by one, so that only that one fails. */
  async #together(tasks: readonly CommitTask[], work: (tasks: readonly CommitTask[]) => Promise<void>): Promise<void> {
    try {
      await work(tasks);
    } catch (error) {
      if (isRetryable(error) || concernsAll(error)) throw error;
      const [only] = tasks;
      if (tasks.length === 1 && only !== undefined) {
        only.result = refused(only, error);
        return;
      }
      for (const task of tasks) await this.#together([task], work);
    }
  }

  #stored(step: Step, cancelRequested: boolean, transaction: CallerTransaction | undefined): void {
    const { task, previous, write } = step;
    const job = { ...applyPatch(previous, write.next, write.set), cancelRequested };
    if (transaction === undefined) {
      remember(task.slot, job);
      this.#options.onStored(task.slot, previous, job);
    }
    this.#advance(step, job);
  }

  #conflicted({ task }: Step): void {
    task.job = null;
    task.slot.known = null;
    task.conflicts++;
    if (task.conflicts >= maxConflicts) {
      refuse(task, "CONFLICT", `other writers changed it ${maxConflicts} times in a row; try again`);
    }
  }

  #postpone({ task }: Step): void {
    task.slot.known = null;
    task.postponed = new WorkerProgressError("STORAGE_UNAVAILABLE", "Another transaction holds its row");
  }

  /** Whether an earlier write of this task, whose answer was lost, is what the storage holds and all of the command. */
  #landed(task: CommitTask, job: JobSnapshot): boolean {
    const step = task.attempted;
    if (step === null || !task.ambiguous || !task.fresh) return false;
    const { next, set, event } = step.write;
    const isStart = task.command.change.kind === "start";
    const same = job.status === next.status && job.progress === next.progress && job.attempt === next.attempt;
    const ours =
      (job.updatedAt === set.updatedAt || (job.updatedAt === null && isTerminal(job.status))) &&
      (set.cancelRequested === undefined || set.cancelRequested === job.cancelRequested) &&
      storedTexts.every((key) => {
        const left = isStart ? step.previous[key] : undefined;
        const expected = set[key] === undefined ? left : set[key];
        return expected === undefined || job[key] === null || job[key] === expected;
      });
    if (!same || !ours) return false;
    if (event !== null) this.#options.onEvents([event]);
    this.#options.onStored(task.slot, step.previous, job);
    this.#advance(step, job);
    return step.decision.completes;
  }

  #advance({ task, previous, decision }: Step, job: JobSnapshot): void {
    task.attempted = null;
    task.ambiguous = false;
    if (decision.completes) {
      task.result = { kind: "stored", previous, job };
      return;
    }
    task.job = job;
    task.underway = job;
    task.command = { ...task.command, unwritten: null };
  }

  #bounded<T>(work: Promise<T>): Promise<T> {
    const { clock, storageTimeoutMs } = this.#options;
    return bounded(clock, work, storageTimeoutMs, () => {
      return new WorkerProgressError("STORAGE_UNAVAILABLE", `The storage did not answer within ${storageTimeoutMs} ms`);
    });
  }
}

function refuse(task: CommitTask, code: ErrorCode, reason: string): void {
  task.result = { kind: "refused", error: refusal(task.command.change, task.slot.key, code, reason) };
}

function refused(task: CommitTask, error: unknown): ChangeResult {
  return { kind: "refused", error: refusalFrom(task.command.change, task.slot.key, error) };
}

function remember(slot: Slot, job: JobSnapshot): void {
  slot.known = { ...job, metrics: null, output: null };
}

function concernsAll(error: unknown): boolean {
  return error instanceof WorkerProgressError && error.code === "SCHEMA_MISMATCH";
}

function unsettled(tasks: readonly CommitTask[]): CommitTask[] {
  return tasks.filter((task) => task.result === null && task.postponed === null);
}

function onePerJob(tasks: readonly CommitTask[]): CommitTask[] {
  const seen = new Set<string>();
  return tasks.filter((task) => !seen.has(idOf(task)) && seen.add(idOf(task)));
}

function idOf(task: CommitTask): string {
  return task.slot.id ?? task.slot.key;
}
