import { type JobHandle, type ProgressReporter, WorkerProgressError } from "worker-progress";
import type { TaskMessage } from "./task-message.ts";
import { tasks } from "./tasks.ts";

/** How a delivery ended; only "retry" leaves something to do. */
export type Outcome = "completed" | "cancelled" | "failed" | "retry" | "dropped";

export interface AttemptLimits {
  /** How often a job is tried, from 1. */
  readonly maxAttempts: number;
  /** Whether a runner had the message before, and died. */
  readonly redelivered: boolean;
}

/** Does what one message asks for. Rejects only when the outcome could not be stored: the message must come again. */
export async function attemptTask(
  reporter: ProgressReporter,
  { job_id, attempt = 1, task, args = {} }: TaskMessage,
  { maxAttempts, redelivered }: AttemptLimits,
): Promise<Outcome> {
  try {
    const job = await reporter.startJob(job_id, `Attempt ${attempt} of ${maxAttempts}`, { attempt });
    const deaths = redelivered ? await countDeath(job) : 0;
    if (deaths >= maxAttempts) return await failed(job, "WORKER_LOST", `${deaths} runners died of it`);
    const work = tasks.get(task);
    if (work === undefined) return await failed(job, "UNKNOWN_TASK", `There is no task "${task}"`);
    const result = await settle(() => work(job, args));
    if (result.ok) return await completed(job, result.output);
    if (job.signal.aborted) return await stopped(job);
    const { code = "TASK_FAILED", message } = result.error;
    if (attempt >= maxAttempts) return await failed(job, code, message);
    await reporter.updateStatus(job_id, "retrying", { message, errorCode: code, errorMessage: message });
    return "retry";
  } catch (error) {
    if (isNotOurs(error)) return "dropped";
    throw error;
  }
}

/** Kept with the job: a job that takes its runners down is found out, whichever runner gets it. */
async function countDeath(job: JobHandle): Promise<number> {
  const { percent, metrics } = job.previous;
  const deaths = Number(metrics?.deaths ?? 0) + 1;
  const counted = await job.forceProgress(percent, undefined, undefined, { deaths });
  if ("error" in counted) throw counted.error;
  return deaths;
}

async function completed(job: JobHandle, output: unknown): Promise<Outcome> {
  await job.complete(output);
  return "completed";
}

async function failed(job: JobHandle, code: string, message: string): Promise<Outcome> {
  await job.fail(code, message);
  return "failed";
}

/** The signal fires for a cancelled job, and for one that another runner has taken over. */
async function stopped(job: JobHandle): Promise<Outcome> {
  if (isNotOurs(job.signal.reason)) return "dropped";
  await job.cancel();
  return "cancelled";
}

/** A message delivered again after the job's end, one of an attempt that is over, or one of a job that is gone. */
function isNotOurs(error: unknown): boolean {
  return error instanceof WorkerProgressError && notOurs.has(error.code);
}

const notOurs: ReadonlySet<string> = new Set(["JOB_FINISHED", "STALE_ATTEMPT", "JOB_NOT_FOUND"]);

type Settled =
  | { readonly ok: true; readonly output: unknown }
  | { readonly ok: false; readonly error: { readonly code?: string; readonly message: string } };

/** What a task throws is the job's failure; what the reporter throws is not, so the two are told apart here. */
async function settle(work: () => Promise<unknown>): Promise<Settled> {
  try {
    return { ok: true, output: await work() };
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error : { message: String(error) } };
  }
}
