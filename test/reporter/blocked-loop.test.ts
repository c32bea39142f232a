import { execFileSync } from "node:child_process";
import pg from "pg";
import { expect, test } from "vitest";
import { createProgressReporter } from "../../src/index.js";
import { RecordingLog } from "../engine/engine-on.js";
import { testDatabase } from "../support/servers.js";

const storageTimeoutMs = 300;

test("an answer that came while the process was busy is no outage of the storage", async () => {
  const database = await testDatabase();
  const pool = new pg.Pool({ connectionString: database.url });
  const log = new RecordingLog();
  await using reporter = createProgressReporter(pool, null, null, {
    log,
    storageTimeoutMs,
    postgres: { notify: false },
  });
  await reporter.migrate();
  const job = await reporter.startJob(await reporter.createJob());
  await job.forceProgress(10);
  const before = log.warnings.length;
  pool.once("acquire", () => setImmediate(() => blockUntilStored(database.url, 50)));
  expect(await job.forceProgress(50)).toMatchObject({ outcome: "written" });
  expect(log.warnings.slice(before)).toEqual([]);
  await reporter.close();
  await pool.end();
  await database.drop();
});

/** Blocks this process until the database has answered the statement that it was sent, and for longer than is waited. */
function blockUntilStored(url: string, percent: number): void {
  const busyUntil = performance.now() + 2 * storageTimeoutMs;
  const look = `import pg from "pg";
    const client = new pg.Client(process.argv[1]);
    await client.connect();
    const look = "select from worker_progress_jobs where progress = $1";
    while ((await client.query(look, [process.argv[2]])).rowCount === 0);
    await client.end();`;
  execFileSync(process.execPath, ["--input-type=module", "--eval", look, url, String(percent)], { timeout: 20_000 });
  while (performance.now() < busyUntil);
}
