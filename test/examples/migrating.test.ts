import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { createProgressReporter } from "worker-progress";
import { legacyJobTable } from "worker-progress/postgres";
import { eventually } from "../support/eventually.js";
import { type ExampleStage, openExampleStage, patience } from "./example-stage.js";

// Each test starts several processes, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 });

// As the older service made it, and a count of what is written to it.
const jobsTable = `
  create table jobs (
    id bigserial primary key, type varchar(50), status varchar(20) not null default 'pending',
    progress integer default 0, attempts integer default 0, metrics jsonb, started_at timestamp, finished_at timestamp,
    updated_at timestamp default now(), error_code varchar(50), error_message text, output_data jsonb,
    cancel_requested boolean default false, check (progress between 0 and 100)
  );
  create table job_writes (job bigint, progress integer);
  create function count_write() returns trigger language plpgsql as
    $$ begin insert into job_writes values (new.id, new.progress); return null; end $$;
  create trigger count_writes after update on jobs for each row execute function count_write();
  insert into jobs (type, metrics) select 'video', '{"owner": "billing"}' from generate_series(1, 2)`;

let stage: ExampleStage;

beforeEach(async () => {
  stage = await openExampleStage();
  onTestFinished(() => stage[Symbol.asyncDispose]());
  await stage.db.query(jobsTable);
  const reporter = createProgressReporter(stage.env.DATABASE_URL, null, null, { postgres: { table: legacyJobTable } });
  await reporter.migrate();
  await reporter.close();
});

/** A row without what differs from run to run: its id, its times and its speed. */
async function row(jobId: string): Promise<Record<string, unknown>> {
  const select = `select type, status, progress, attempts, error_code, error_message, output_data, cancel_requested,
      metrics - 'last_progress_update' - 'progress_rate' as metrics, metrics ? 'last_progress_update' as has_update_time,
      started_at is not null as started, finished_at is not null as finished
    from jobs where id = $1`;
  return (await stage.db.query(select, [jobId])).rows[0];
}

async function writes(jobId: string): Promise<number> {
  return (await stage.db.query("select from job_writes where job = $1", [jobId])).rowCount ?? 0;
}

test("before and after, side by side, leave the same row behind, after with far fewer writes", async () => {
  const both = await Promise.all([stage.run("migrating/before.ts", ["1"]), stage.run("migrating/after.ts", ["2"])]);
  for (const exit of both) expect(exit).toMatchObject({ code: 0 });
  expect(await row("2")).toEqual(await row("1"));
  expect(await row("2")).toEqual({
    type: "video",
    status: "completed",
    progress: 100,
    attempts: 1,
    error_code: null,
    error_message: null,
    output_data: { output: "result.mp4" },
    cancel_requested: false,
    metrics: { owner: "billing", frame: 200, progress_step: "render", progress_message: "Rendered" },
    has_update_time: true,
    started: true,
    finished: true,
  });
  expect(await writes("1")).toBe(202);
  expect(await writes("2")).toBeLessThanOrEqual(10);
  for (const id of ["1", "2"]) {
    await eventually(() => expect(stage.told(id).at(-1)).toBe("completed 100"), patience);
    expect(stage.told(id)[0]).toBe("running 0");
  }
});

test("a job that fails is left the same by both", async () => {
  const env = { FAILS_AT: "120" };
  const both = await Promise.all([
    stage.run("migrating/before.ts", ["1"], env),
    stage.run("migrating/after.ts", ["2"], env),
  ]);
  expect(both.map(({ code }) => code)).toEqual([0, 1]);
  expect(await row("2")).toEqual(await row("1"));
  expect(await row("2")).toMatchObject({
    status: "failed",
    progress: 60,
    error_code: "RENDER_FAILED",
    error_message: "Frame 120 is broken",
  });
  for (const id of ["1", "2"]) await eventually(() => expect(stage.told(id).at(-1)).toBe("failed 60"), patience);
});

test("a job whose old worker was killed is finished by the new one as its second attempt", async () => {
  const old = await stage.start("migrating/before.ts", ["1"], { FRAME_MS: "50" });
  await eventually(async () => expect((await row("1")).progress).toBeGreaterThan(5), patience);
  old.kill("SIGKILL");
  await old.exit;
  expect((await stage.run("migrating/after.ts", ["1"])).code).toBe(0);
  expect(await row("1")).toMatchObject({ status: "completed", progress: 100, attempts: 2, finished: true });
  await eventually(() => expect(stage.told("1").at(-1)).toBe("completed 100"), patience);
});
