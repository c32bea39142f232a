import type { Change } from "../domain/command.js";
import { WorkerProgressError } from "../domain/errors.js";
import { canonicalJobId, type JobId, jsonJobId } from "../domain/job-id.js";
import type { JobView } from "../domain/job-view.js";
import type { Limits } from "../domain/limits.js";
import type { ProgressResult } from "../domain/progress-result.js";
import type { AttemptSignal } from "../engine/attempt-signal.js";
import { bounded } from "../engine/bounded.js";
import type { EventDelivery } from "../engine/event-delivery.js";
import type { JobReader } from "../engine/job-reader.js";
import type { ProgressEngine, Stored, Unfinished } from "../engine/progress-engine.js";
import type { WatchHub } from "../engine/watch-hub.js";
import type { Clock } from "../ports/clock.js";
import type { Log } from "../ports/log.js";
import type { StorageAdapter } from "../ports/storage.js";
import { cancelRequest, checkIds, keyOf, startChange, statusChange } from "./changes.js";
import type { JobHandle, TransactionOption } from "./job-handle.js";
import type { Health, JobToCreate, ProgressReporter, StatusDetails } from "./progress-reporter.js";
import { runJob } from "./run-job.js";
import { findStalled, timeoutStalled } from "./stalled-jobs.js";
import { divisible } from "./sub-range.js";

export interface ReporterParts {
  readonly engine: ProgressEngine;
  readonly reader: JobReader;
  readonly hub: WatchHub;
  readonly storage: StorageAdapter;
  readonly delivery: EventDelivery;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Limits;
  readonly closeTimeoutMs: number;
  /** Closes what the composition root opened. */
  readonly release: () => Promise<void>;
}

/** The facade over the engine: checks arguments, binds methods, hands out handles. */
export function reporterOver(parts: ReporterParts): ProgressReporter {
  const { engine, limits } = parts;
  let closing: Promise<Unfinished> | null = null;

  const change = (jobId: JobId, wanted: Change, bound: AttemptSignal | null, options: TransactionOption) =>
    engine.change(keyOf(jobId), wanted, { bound, transaction: options.trx });

  const setStatus = async (
    jobId: JobId,
    bound: AttemptSignal | null,
    status: Parameters<ProgressReporter["updateStatus"]>[1],
    details: StatusDetails,
  ): Promise<void> => {
    await change(jobId, statusChange(jobId, status, details, limits), bound, details);
  };

  const ends = (jobId: JobId, bound: AttemptSignal | null) => ({
    complete: (output?: unknown, message?: string, options: TransactionOption = {}) =>
      setStatus(jobId, bound, "completed", { ...options, output, message }),
    fail: (
      errorCode: string,
      errorMessage: string,
      options: TransactionOption & { percent?: number | undefined } = {},
    ) => setStatus(jobId, bound, "failed", { ...options, errorCode, errorMessage }),
    cancel: (reason?: string, options: TransactionOption = {}) =>
      setStatus(jobId, bound, "cancelled", { ...options, message: reason ?? bound?.cancelReason ?? undefined }),
  });

  const handleOf = (jobId: JobId, { job, previous, signal }: Stored): JobHandle => {
    const key = keyOf(jobId);
    const attempt = signal as AttemptSignal;
    const throwIfCancelled = () => {
      if (attempt.reason !== null) throw attempt.reason;
    };
    const sink = {
      progress: (percent: number, step?: string, message?: string, metrics?: object) =>
        engine.progress(key, attempt, percent, step, message, metrics),
      forceProgress: (percent: number, step?: string, message?: string, metrics?: object) =>
        engine.force(key, attempt, { percent, step, message, metrics }),
    };
    return {
      id: jobId,
      attempt: job.attempt,
      previous: {
        percent: previous.progress,
        step: previous.step,
        message: previous.message,
        metrics: previous.metrics,
      },
      get signal() {
        return attempt.signal;
      },
      throwIfCancelled,
      ...divisible(sink, throwIfCancelled),
      ...ends(jobId, attempt),
    };
  };

  const startJob: ProgressReporter["startJob"] = async (jobId, message, options = {}) => {
    return handleOf(jobId, await change(jobId, startChange(jobId, message, options), null, {}));
  };

  const close = (): Promise<Unfinished> => {
    closing ??= closeAll(parts);
    return closing;
  };

  return Object.freeze<ProgressReporter>({
    progress: (jobId, percent, step, message, metrics) => {
      if (typeof jobId === "string") return engine.progress(jobId, null, percent, step, message, metrics);
      return named(jobId, (key) => engine.progress(key, null, percent, step, message, metrics));
    },
    forceProgress: (jobId, percent, step, message, metrics) =>
      named(jobId, (key) => engine.force(key, null, { percent, step, message, metrics })),
    startJob,
    completeJob: async (jobId, output, message, options) => ends(jobId, null).complete(output, message, options),
    failJob: async (jobId, code, message, options) => ends(jobId, null).fail(code, message, options),
    cancelJob: async (jobId, reason, options) => ends(jobId, null).cancel(reason, options),
    updateStatus: async (jobId, status, details = {}) => setStatus(jobId, null, status, details),
    run: (jobId, work, options) => runJob(() => startJob(jobId, undefined, options), work, parts.log),
    requestCancel: async (jobId, reason) => {
      await change(jobId, cancelRequest(jobId, reason), null, {});
    },
    getJob: async (jobId) => (await readJobs(parts, [jobId]))[0] ?? null,
    getJobs: (jobIds) => readJobs(parts, jobIds),
    watch: (jobId, options = {}) => {
      keyOf(jobId);
      return parts.hub.watch(jobId, options.signal);
    },
    findStalled: (options) => findStalled(parts, options),
    timeoutStalled: (options) => timeoutStalled(parts, options),
    createJob: (job = {}) => createJob(parts, job),
    flush: () => engine.flush(),
    close,
    migrate: () => parts.storage.schema.migrate(),
    health: () => healthOf(parts),
    [Symbol.asyncDispose]: async () => {
      await close();
    },
  });
}

function named(jobId: JobId, report: (key: string) => Promise<ProgressResult>): Promise<ProgressResult> {
  try {
    return report(keyOf(jobId));
  } catch (error) {
    return Promise.resolve({ outcome: "rejected", error: error as WorkerProgressError });
  }
}

async function readJobs({ reader }: ReporterParts, jobIds: readonly JobId[]): Promise<readonly (JobView | null)[]> {
  checkIds(jobIds);
  return reader.read(jobIds);
}

async function createJob(parts: ReporterParts, job: JobToCreate): Promise<number | string> {
  const { storage, clock } = parts;
  const { idType } = await storage.prepare();
  const id = job.id === undefined ? null : canonicalJobId(keyOf(job.id), idType);
  if (id?.ok === false) {
    throw new WorkerProgressError("INVALID_ARGUMENT", `Cannot create job "${job.id}": ${id.problem}`, {
      jobId: job.id,
    });
  }
  const { type = null, status = "pending" } = job;
  return jsonJobId(await storage.create({ id: id?.id ?? null, type, status, at: clock.wall() }), idType);
}

async function closeAll(parts: ReporterParts): Promise<Unfinished> {
  const { engine, hub, delivery, clock, log, closeTimeoutMs, release } = parts;
  const deadline = clock.monotonic() + closeTimeoutMs;
  hub.stop();
  const unfinished = await engine.close(deadline - Math.min(longestReleaseMs, closeTimeoutMs / 10));
  sayUnfinished(unfinished, parts);
  const released = Promise.all([delivery.stop(), release()]);
  const late = () => new Error(`not everything was let go within ${closeTimeoutMs} ms`);
  await bounded(clock, released, Math.max(0, deadline - clock.monotonic()), late).catch((error: unknown) => {
    log.warn("Closing did not end well", { reason: error instanceof Error ? error.message : error });
  });
  return unfinished;
}

const longestReleaseMs = 500;
const jobsNamed = 20;

/** Also for those who do not look at what `close()` answers, as `await using` cannot. */
function sayUnfinished({ unwritten, unpublished }: Unfinished, { log, delivery }: ReporterParts): void {
  if (unwritten.length > 0) {
    log.warn("Closed before the newest progress was written: it is lost", {
      count: unwritten.length,
      jobs: unwritten.slice(0, jobsNamed),
    });
  }
  if (!unpublished) return;
  log.warn(
    delivery.viaOutbox
      ? "Closed before all events were published: they wait in the outbox"
      : "Closed before all events were published: they are lost",
  );
}

async function healthOf({ engine, delivery, storage, clock }: ReporterParts): Promise<Health> {
  const probe = storage.outbox?.backlog() ?? storage.prepare().then(() => null);
  const read = await bounded(clock, probe, 1_000, () => new Error("The storage did not answer within 1000 ms")).then(
    (outbox) => ({ outbox, reason: null }),
    (error: unknown) => ({ outbox: null, reason: error instanceof Error ? error.message : String(error) }),
  );
  const reason = read.reason ?? engine.outage?.message ?? null;
  return {
    storage: { state: reason === null ? "up" : "down", reason },
    events: delivery.state(),
    outbox: read.outbox,
    jobs: engine.jobs,
  };
}
