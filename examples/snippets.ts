import type { ChannelModel } from "amqplib";
import type { Redis } from "ioredis";
import type { Pool } from "pg";
import { createProgressReporter, type ProgressReporter } from "worker-progress";
import { legacyJobTable } from "worker-progress/postgres";

export function yourOwnTable(pool: Pool, redis: Redis, amqp: ChannelModel): ProgressReporter {
  const reporter = createProgressReporter(pool, redis, amqp, { postgres: { table: legacyJobTable } });
  return reporter;
}

interface Rendering {
  readonly onFrame: (n: number, of: number) => unknown;
  readonly signal: AbortSignal;
}

export async function working(
  reporter: ProgressReporter,
  jobId: string,
  files: readonly string[],
  read: (file: string) => Promise<void>,
  render: (rendering: Rendering) => Promise<void>,
): Promise<void> {
  await reporter.run(jobId, async (job) => {
    const [load, mesh] = [job.range(0, 20), job.range(20, 100)]; // weighted parts, nestable
    for await (const file of load.track(files, { step: "loading" })) await read(file);
    await render({ onFrame: (n, of) => mesh.progress((n / of) * 100, "meshing"), signal: job.signal });
    return { output: "result.stl" }; // completes the job; a throw fails it; an abort cancels it
  });
}

export async function watching(reporter: ProgressReporter, jobId: string): Promise<void> {
  for await (const { status, progress, eta } of reporter.watch(jobId)) console.log(status, progress.percent, eta);
}
