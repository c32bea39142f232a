/**
 * Rows per second by the number of jobs in a statement, with events for none, a tenth and all of them, on one connection,
 * beside single-row UPDATEs. Takes about 30 seconds and leaves nothing behind.
 * Run: npm run bench:commits (DATABASE_URL, default postgres://postgres@127.0.0.1:5432/postgres)
 */
import { randomUUID } from "node:crypto";
import pg from "pg";
import { postgresStorage } from "worker-progress/postgres";

const url = process.env.DATABASE_URL ?? "postgres://postgres@127.0.0.1:5432/postgres";
const schema = `bench_${randomUUID().slice(0, 8)}`;
const jobCount = 5_000;
const millisecondsEach = 1_900;
const batchSizes = [1, 10, 100, 1_000];
const eventShares = [0, 0.1, 1];

const pool = new pg.Pool({ connectionString: url, max: 1 });
const storage = postgresStorage(pool, { schema });
await storage.schema.migrate();
const table = `"${schema}".worker_progress_jobs`;
await pool.query(
  `insert into ${table} (id, status, attempts) select n, 'running', 1 from generate_series(1, ${jobCount}) n`,
);
await pool.query(`vacuum analyze ${table}`);

/** What each job holds, as an engine knows it: no statement has to read first. */
const progress = new Array<number>(jobCount).fill(0);
let next = 0;

try {
  const single = await rate(1, singleUpdate);
  console.log(`single-row UPDATE: ${format(single)} rows/s`);
  console.log(
    `${"jobs/statement".padStart(14)} ${eventShares.map((share) => `events ${share * 100} %`.padStart(22)).join("")}`,
  );
  for (const size of batchSizes) {
    const cells: string[] = [];
    for (const share of eventShares) {
      await pool.query(`truncate "${schema}".worker_progress_outbox`);
      const rows = await rate(size, () => commit(size, share));
      cells.push(`${format(rows)} (${(rows / single).toFixed(1)}x)`.padStart(22));
    }
    console.log(`${String(size).padStart(14)} ${cells.join("")}`);
  }
} finally {
  await storage.close();
  await pool.query(`set client_min_messages = warning; drop schema "${schema}" cascade`);
  await pool.end();
}

async function rate(rowsEach: number, statement: () => Promise<void>): Promise<number> {
  const start = performance.now();
  let rows = 0;
  while (performance.now() - start < millisecondsEach) {
    await statement();
    rows += rowsEach;
  }
  return (rows * 1000) / (performance.now() - start);
}

async function singleUpdate(): Promise<void> {
  const index = take();
  await pool.query(
    `update ${table} set progress = $2, step = $3, message = $4, progress_at = $5, updated_at = $5 where id = $1`,
    [index + 1, raise(index), "rendering", "Frame 50 of 100", new Date()],
  );
}

async function commit(size: number, eventShare: number): Promise<void> {
  const writes = Array.from({ length: size }, () => writeOf(take(), Math.random() < eventShare));
  const outcomes = await storage.commit(writes);
  if (outcomes.some((outcome) => outcome.kind !== "committed")) throw new Error("A write was in conflict");
}

function writeOf(index: number, withEvent: boolean) {
  const id = String(index + 1);
  const expected = { status: "running", progress: progress[index] ?? 0, attempt: 1 } as const;
  const after = { ...expected, progress: raise(index) };
  const at = Date.now();
  const set = { step: "rendering", message: "Frame 50 of 100", metrics: { frame: 50 }, progressAt: at, updatedAt: at };
  return {
    id,
    expected,
    next: after,
    set,
    silentSince: null,
    event: withEvent ? eventOf(index, expected.progress, after.progress, at) : null,
  };
}

function eventOf(index: number, previous: number, now: number, at: number) {
  const id = randomUUID();
  const payload = {
    event_id: id,
    event_type: "job.status.changed",
    timestamp: new Date(at).toISOString(),
    job_id: index + 1,
    status: "running",
    progress: now,
    attempt: 1,
    previous_status: "running",
    previous_progress: previous,
    step: "rendering",
    message: "Frame 50 of 100",
  } as const;
  return { id, jobId: String(index + 1), payload };
}

function take(): number {
  next = (next + 1) % jobCount;
  return next;
}

function raise(index: number): number {
  const value = ((progress[index] ?? 0) + 1) % 101;
  progress[index] = value;
  return value;
}

function format(rowsPerSecond: number): string {
  return Math.round(rowsPerSecond).toLocaleString("en");
}
