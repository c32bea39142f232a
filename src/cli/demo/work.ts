import { setTimeout as sleep } from "node:timers/promises";
import type { JobHandle } from "../../reporter/job-handle.js";

/** How much a worker does. */
export interface WorkPlan {
  /** Each is reported on by one call. */
  readonly frames: number;
  readonly frameMs: number;
}

/** Told of each call of `progress()`, before it is made. */
export type OnReport = (percent: number, step: string, message: string) => void;

const steps = [
  { until: 10, name: "loading" },
  { until: 55, name: "meshing" },
  { until: 90, name: "rendering" },
  { until: 100, name: "exporting" },
] as const;

/** Plans work of this length for one of so many jobs: far more calls than windows, but no more than a terminal's program needs. */
export function planWork(seconds: number, jobs: number): WorkPlan {
  const framesPerSecond = Math.min(200, Math.max(20, 2_000 / jobs));
  const frames = Math.max(10, Math.round(seconds * framesPerSecond));
  return { frames, frameMs: (seconds * 1_000) / frames };
}

/** Renders frames as a CAD worker would, and reports on each. Stops early when `stopped` fires. */
export async function work(job: JobHandle, plan: WorkPlan, onReport: OnReport, stopped: AbortSignal): Promise<void> {
  const { frames, frameMs } = plan;
  const startedAt = performance.now();
  let done = 0;
  while (done < frames) {
    await sleep(frameMs);
    if (stopped.aborted) return;
    job.throwIfCancelled();
    const due = Math.min(frames, Math.floor((performance.now() - startedAt) / frameMs));
    while (done < due) {
      done++;
      reportFrame(job, done, frames, onReport);
    }
  }
}

function reportFrame(job: JobHandle, done: number, frames: number, onReport: OnReport): void {
  const percent = (done / frames) * 100;
  const step = steps.find(({ until }) => percent <= until)?.name ?? "exporting";
  const message = `Frame ${done.toLocaleString("en-US")} of ${frames.toLocaleString("en-US")}`;
  onReport(percent, step, message);
  void job.progress(percent, step, message, { frames: done });
}
