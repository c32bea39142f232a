import type { ReporterOptions, WorkerProgressError } from "worker-progress";
import { reporterOn } from "../../guarantees/workers/reporter-on.js";
import { tell, workerTask } from "../../guarantees/workers/worker-task.js";
import { patient } from "./patient.js";

/** What a worker of these tests does. */
export interface LiveTask {
  readonly jobId: string;
  readonly options: ReporterOptions;
  /** How much it reports every 20 ms; 0 for a worker whose progress stands still. */
  readonly pace: number;
}

/** What it says. */
export interface LiveMessage {
  readonly started?: true;
  /** When its signal fired, in milliseconds since the epoch, and why. */
  readonly aborted?: { readonly at: number; readonly code: string };
  readonly ended?: true;
}

const { address, task } = workerTask<LiveTask>();
const reporter = reporterOn(address, { ...patient, ...task.options });
const job = await reporter.startJob(task.jobId);
job.signal.addEventListener("abort", () => {
  const { code } = job.signal.reason as WorkerProgressError;
  void tell({ aborted: { at: Date.now(), code } });
});
let percent = 0;
const reporting = setInterval(() => {
  percent = Math.min(100, percent + task.pace);
  if (task.pace > 0) void job.progress(percent, "solve", `${percent} %`);
  if (percent >= 100) void end();
}, 20);
await tell({ started: true });

async function end(): Promise<void> {
  clearInterval(reporting);
  await job.complete({ file: "result.stl" });
  await reporter.close();
  await tell({ ended: true });
  process.disconnect?.();
}
