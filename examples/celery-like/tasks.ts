import { setTimeout as sleep } from "node:timers/promises";
import type { JobHandle } from "worker-progress";

/** Does a job, reporting on it, and answers its output. */
export type Task = (job: JobHandle, args: Readonly<Record<string, unknown>>) => Promise<unknown>;

/** Everything a runner can do, by name. */
export const tasks: ReadonlyMap<string, Task> = new Map<string, Task>([
  ["convert", convert],
  ["flaky", flaky],
  ["crash", crash],
]);

/** Converts frames one by one, from where an attempt before left off. */
async function convert(job: JobHandle, { frames = 20, frameMs = 20 }): Promise<unknown> {
  const [total, pause] = [Number(frames), Number(frameMs)];
  const done = Number(job.previous.metrics?.frame ?? 0);
  for (let frame = done + 1; frame <= total; frame++) {
    await sleep(pause, undefined, { signal: job.signal });
    void job.progress((frame / total) * 100, "convert", `Frame ${frame} of ${total}`, { frame });
  }
  return { frames: total, resumed_from: done };
}

/** Fails in its first attempts. */
async function flaky(job: JobHandle, { failures = 1 }): Promise<unknown> {
  await job.progress(30, "flaky", "Trying");
  if (job.attempt <= Number(failures)) {
    throw Object.assign(new Error(`No luck in attempt ${job.attempt}`), { code: "NO_LUCK" });
  }
  return { lucky_in: job.attempt };
}

/** Takes its runner down with it, as a native library or the out-of-memory killer does. */
async function crash(job: JobHandle): Promise<unknown> {
  await job.forceProgress(10, "crash", "About to crash");
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => {});
}
