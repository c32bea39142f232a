/**
 * What watching costs: the time from `job.progress()` in one process to `watch` in another, with Redis, and what 1,000
 * watchers of 100 jobs cost the database and the memory of their process. Takes about 30 seconds and leaves nothing behind.
 * Run: npm run bench:watch (DATABASE_URL, REDIS_URL; default those of 127.0.0.1)
 */
import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { createProgressReporter, type JobHandle, type ProgressReporter } from "worker-progress";

const databaseUrl = process.env.DATABASE_URL ?? "postgres://postgres@127.0.0.1:5432/postgres";
const redisUrl = process.env.REDIS_URL ?? "redis://127.0.0.1:6379";
const intervalMs = 200;
const latencyJobs = 20;
const latencyMs = 12_000;
const watchingMs = 12_000;
const [jobCount, watcherCount] = [100, 1_000];

declare const gc: (() => void) | undefined;

interface Order {
  readonly schema: string;
  readonly ids: readonly string[];
  /** Time between two reports of a job. */
  readonly everyMs: number;
}

const reporterOn = (db: pg.Pool | string, schema: string): ProgressReporter =>
  createProgressReporter(db, redisUrl, undefined, {
    postgres: { schema },
    redis: { keyPrefix: schema },
    log: { warn() {} },
  });

if (process.send === undefined) await measure();
else process.once("message", (order: Order) => void work(order));

/** The other process: its jobs say in each message when it was reported. */
async function work({ schema, ids, everyMs }: Order): Promise<void> {
  const reporter = reporterOn(databaseUrl, schema);
  const jobs = await Promise.all(ids.map((id) => reporter.startJob(id)));
  process.send?.("started");
  let percent = 0;
  const report = (job: JobHandle) => {
    percent += 0.0001;
    void job.progress(percent, "bench", String(performance.timeOrigin + performance.now()));
  };
  const reporting: NodeJS.Timeout[] = [];
  for (const job of jobs) {
    reporting.push(setInterval(() => report(job), everyMs));
    await sleep(everyMs / jobs.length);
  }
  await once(process, "message");
  for (const timer of reporting) clearInterval(timer);
  await Promise.all(jobs.map((job) => job.complete()));
  await reporter.close();
  process.exit();
}

async function measure(): Promise<void> {
  const schema = `bench_${randomUUID().slice(0, 8)}`;
  const pool = new pg.Pool({ connectionString: databaseUrl });
  let queries = 0;
  pool.on("acquire", () => queries++);
  const reporter = reporterOn(pool, schema);
  try {
    await reporter.migrate();
    await latency(reporter, schema);
    await cost(reporter, schema, () => queries);
  } finally {
    await reporter.close();
    await pool.query(`drop schema "${schema}" cascade`);
    await pool.end();
  }
}

/** Jobs report at times of their own, each less often than the interval, so that every report is told. */
async function latency(reporter: ProgressReporter, schema: string): Promise<void> {
  const ids: string[] = [];
  for (let i = 0; i < latencyJobs; i++) ids.push(String(await reporter.createJob()));
  const worker = await startWork({ schema, ids, everyMs: 307 });
  const taken: number[] = [];
  const end = AbortSignal.timeout(latencyMs);
  const note = async (id: string) => {
    let last: string | null = null;
    for await (const { progress } of reporter.watch(id, { signal: end })) {
      if (progress.message === last) continue;
      last = progress.message;
      const at = Number(last);
      if (at > 0) taken.push(performance.timeOrigin + performance.now() - at);
    }
  };
  await Promise.all(ids.map(note));
  await stopWork(worker);
  taken.sort((a, b) => a - b);
  const show = (share: number) => (taken[Math.floor(taken.length * share)] ?? 0).toFixed(1);
  const beyond = Math.max(0, Number(show(0.99)) - intervalMs).toFixed(1);
  console.log(`progress() to watch, ${taken.length} updates: p50 ${show(0.5)} ms, p99 ${show(0.99)} ms`);
  console.log(`beyond the interval of ${intervalMs} ms: p99 ${beyond} ms`);
}

async function cost(reporter: ProgressReporter, schema: string, queries: () => number): Promise<void> {
  const ids: string[] = [];
  for (let i = 0; i < jobCount; i++) ids.push(String(await reporter.createJob()));
  const worker = await startWork({ schema, ids, everyMs: 20 });
  const [heapBefore, queriesBefore] = [await heap(), queries()];
  let views = 0;
  let begun = 0;
  const watchers = Array.from({ length: watcherCount }, async (_, i) => {
    let isFirst = true;
    for await (const _view of reporter.watch(ids[i % jobCount] as string)) {
      views++;
      if (isFirst) begun++;
      isFirst = false;
    }
  });
  while (begun < watcherCount) await sleep(10);
  const [heapBegun, queriesBegun, viewsBegun, start] = [await heap(), queries(), views, performance.now()];
  await sleep(watchingMs);
  const seconds = (performance.now() - start) / 1_000;
  const [flowing, seen] = [queries() - queriesBegun, views - viewsBegun];
  await stopWork(worker);
  await Promise.all(watchers);
  console.log(`${watcherCount} watchers of ${jobCount} jobs: ${Math.round(seen / seconds)} views/s`);
  console.log(
    `database queries: ${queriesBegun - queriesBefore} to begin, ${(flowing / seconds).toFixed(2)} a second while ` +
      `progress flows, ${queries() - queriesBegun - flowing} for all ${jobCount} ends`,
  );
  console.log(`memory: ${Math.round((heapBegun - heapBefore) / watcherCount)} bytes of heap a watcher`);
}

async function startWork(order: Order): Promise<ChildProcess> {
  const worker = fork(new URL(import.meta.url));
  worker.send(order);
  await once(worker, "message");
  return worker;
}

async function stopWork(worker: ChildProcess): Promise<void> {
  const ended = once(worker, "exit");
  worker.send("end");
  await ended;
}

async function heap(): Promise<number> {
  await sleep(50);
  gc?.();
  return process.memoryUsage().heapUsed;
}
