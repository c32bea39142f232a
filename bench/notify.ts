/**
 * What LISTEN/NOTIFY costs and gives without Redis: rows per second of 1,000 jobs that are written as fast as they can be, with
 * notifications on and off in turn, and the time from a commit to `watch` in another reporter, with notifications and by the poll.
 * Takes about a minute and leaves nothing behind. Run after npm run build: node bench/notify.ts (DATABASE_URL)
 */
import { randomUUID } from "node:crypto";
import pg from "pg";
import { createProgressReporter, type ProgressReporter } from "worker-progress";

const databaseUrl = process.env.DATABASE_URL ?? "postgres://postgres@127.0.0.1:5432/postgres";
const schema = `bench_${randomUUID().slice(0, 8)}`;
const [jobCount, rounds, millisecondsEach, samples] = [1_000, 3, 4_000, 30];

const reporterWith = (notify: boolean): ProgressReporter =>
  createProgressReporter(databaseUrl, null, null, { postgres: { schema, notify }, log: { warn() {} } });

const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
try {
  const reporter = reporterWith(false);
  await reporter.migrate();
  await reporter.close();
  for (let round = 0; round < rounds; round++) {
    for (const notify of [true, false]) console.log(`notify ${notify}: ${await rowsPerSecond(notify)} rows/s`);
  }
  for (const notify of [true, false]) console.log(`commit to watch, notify ${notify}: ${await latency(notify)}`);
} finally {
  await pool.query(`set client_min_messages = warning; drop schema "${schema}" cascade`);
  await pool.end();
}

async function rowsPerSecond(notify: boolean): Promise<number> {
  const reporter = reporterWith(notify);
  const ids = await Promise.all(Array.from({ length: jobCount }, () => reporter.createJob()));
  const jobs = await Promise.all(ids.map((id) => reporter.startJob(id)));
  const start = performance.now();
  let rows = 0;
  const isOver = () => performance.now() - start > millisecondsEach;
  await Promise.all(
    jobs.map(async (_, index) => {
      for (let step = 0; !isOver(); step++, rows++) await reporter.forceProgress(ids[index] ?? "", 1, `step ${step}`);
    }),
  );
  const rate = Math.round((rows * 1_000) / (performance.now() - start));
  await reporter.close();
  return rate;
}

/** From the answer of a change of status to the view of it. */
async function latency(notify: boolean): Promise<string> {
  const [worker, watcher] = [reporterWith(notify), reporterWith(notify)];
  const taken: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const id = await worker.createJob();
    let committedAt: Promise<number> | null = null;
    for await (const { status } of watcher.watch(id)) {
      if (status === "running") {
        const seenAt = performance.now();
        taken.push(Math.max(0, seenAt - ((await committedAt) ?? seenAt)));
        break;
      }
      committedAt ??= worker.startJob(id).then(() => performance.now());
    }
  }
  await Promise.all([worker.close(), watcher.close()]);
  taken.sort((a, b) => a - b);
  const at = (share: number) => (taken[Math.floor(taken.length * share)] ?? 0).toFixed(1);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}
