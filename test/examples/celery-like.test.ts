import { connect } from "amqplib";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { WorkerProcess } from "../support/child-process.js";
import { eventually } from "../support/eventually.js";
import { type ExampleStage, openExampleStage, patience } from "./example-stage.js";

// Each test starts several processes, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 });

let stage: ExampleStage;

beforeEach(async () => {
  stage = await openExampleStage();
});
afterEach(() => stage[Symbol.asyncDispose]());

const startRunner = (env: Readonly<Record<string, string>> = {}): Promise<WorkerProcess> =>
  stage.start("celery-like/runner.ts", [], env);

async function enqueue(task: string, args: object = {}, jobId?: string): Promise<string> {
  const rest = jobId === undefined ? [] : [jobId];
  const exit = await stage.run("celery-like/enqueue.ts", [task, JSON.stringify(args), ...rest]);
  expect(exit).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\n$/) });
  return exit.stdout.trim();
}

interface Row {
  readonly status: string;
  readonly progress: number;
  readonly attempts: number;
  readonly output: unknown;
  readonly error_code: string | null;
  readonly frame: number | null;
}

async function row(jobId: string): Promise<Row> {
  const select = `select status, progress, attempts, output, error_code, (metrics->>'frame')::int as frame
    from worker_progress_jobs where id = $1`;
  return (await stage.db.query<Row>(select, [jobId])).rows[0] as Row;
}

const untilRow = (jobId: string, expected: Partial<Row>): Promise<void> =>
  eventually(async () => expect(await row(jobId)).toMatchObject(expected), patience);

/** What is in the queue once no runner holds any of it. */
async function messagesLeft(): Promise<number> {
  const connection = await connect(stage.env.RABBITMQ_URL as string);
  try {
    const channel = await connection.createChannel();
    return (await channel.checkQueue(stage.env.QUEUE as string)).messageCount;
  } finally {
    await connection.close();
  }
}

test("two runners do a job each, and SIGTERM ends them after it, whatever else waits", async () => {
  const runners = [await startRunner(), await startRunner()];
  const slow = { frames: 120, frameMs: 100 };
  const ids = await Promise.all([1, 2, 3].map(() => enqueue("convert", slow)));
  const rows = async () => (await Promise.all(ids.map(row))).map(({ status }) => status);
  await eventually(
    async () => expect((await rows()).filter((status) => status === "running")).toHaveLength(2),
    patience,
  );
  for (const runner of runners) runner.kill("SIGTERM");
  for (const runner of runners) expect(await runner.exit).toMatchObject({ code: 0 });
  expect((await rows()).toSorted()).toEqual(["completed", "completed", "queued"]);
  expect(await messagesLeft()).toBe(1);
});

test("a job that fails once is retried and completes in its second attempt", async () => {
  await startRunner();
  const id = await enqueue("flaky", { failures: 1 });
  await untilRow(id, { status: "completed", attempts: 2, output: { lucky_in: 2 }, error_code: null });
  await eventually(() => expect(stage.told(id).at(-1)).toBe("completed 100"), patience);
  const statuses = stage.events.map(({ status, attempt }) => `${status} ${attempt}`);
  expect(statuses.filter((each, at) => each !== statuses[at - 1])).toEqual([
    "running 1",
    "retrying 1",
    "running 2",
    "completed 2",
  ]);
});

test("a job that fails in every attempt has failed after the last, with its own code", async () => {
  const runner = await startRunner({ MAX_ATTEMPTS: "2" });
  const id = await enqueue("flaky", { failures: 9 });
  await untilRow(id, { status: "failed", attempts: 2, error_code: "NO_LUCK", progress: 30 });
  runner.kill("SIGTERM");
  expect((await runner.exit).code).toBe(0);
  expect(await messagesLeft()).toBe(0);
  await eventually(() => expect(stage.told(id).at(-1)).toBe("failed 30"), patience);
});

test("a runner killed in the middle of a job is followed by another, which goes on from what was stored", async () => {
  const first = await startRunner();
  const id = await enqueue("convert", { frames: 60, frameMs: 100 });
  await eventually(async () => expect((await row(id)).frame).toBeGreaterThan(5), patience);
  first.kill("SIGKILL");
  await first.exit;
  const frame = Number((await row(id)).frame);
  const second = await startRunner();
  await untilRow(id, { status: "completed", progress: 100, attempts: 1 });
  const output = (await row(id)).output as { readonly resumed_from: number };
  expect(output.resumed_from).toBeGreaterThanOrEqual(frame);
  second.kill("SIGTERM");
  expect((await second.exit).code).toBe(0);
  expect(await messagesLeft()).toBe(0);
  await eventually(() => expect(stage.told(id).at(-1)).toBe("completed 100"), patience);
  const percents = stage.told(id).map((each) => Number(each.split(" ")[1]));
  expect(percents).toEqual(percents.toSorted((a, b) => a - b));
});

test("a job that kills its runners is failed by a later one instead of going round for ever", async () => {
  const id = await enqueue("crash");
  for (let death = 0; death < 2; death++) {
    const runner = await startRunner({ MAX_ATTEMPTS: "2" });
    expect(await runner.exit).toMatchObject({ signal: "SIGKILL" });
  }
  await startRunner({ MAX_ATTEMPTS: "2" });
  await untilRow(id, { status: "failed", error_code: "WORKER_LOST", progress: 10 });
});

test("messages of finished jobs, of earlier attempts, of unknown jobs and of no job at all are dropped", async () => {
  const finished = await enqueue("convert", { frames: 1 });
  const runner = await startRunner();
  await untilRow(finished, { status: "completed" });
  await enqueue("flaky", { failures: 2 }, finished);
  await untilRow(finished, { status: "completed", attempts: 3 });

  const connection = await connect(stage.env.RABBITMQ_URL as string);
  const channel = await connection.createConfirmChannel();
  const send = (body: string) => channel.sendToQueue(stage.env.QUEUE as string, Buffer.from(body));
  send(JSON.stringify({ job_id: finished, attempt: 3, task: "convert" }));
  send(JSON.stringify({ job_id: finished, attempt: 2, task: "convert" }));
  send(JSON.stringify({ job_id: 999_999, task: "convert" }));
  send("not JSON");
  send('{"task": "convert"}');
  await channel.waitForConfirms();
  await connection.close();
  const last = await enqueue("convert", { frames: 1 });
  await untilRow(last, { status: "completed" });
  runner.kill("SIGTERM");
  const { code, stdout } = await runner.exit;
  expect(code).toBe(0);
  expect(stdout.match(/dropped/g)).toHaveLength(3);
  expect(await row(finished)).toMatchObject({ status: "completed", attempts: 3 });
  expect(await messagesLeft()).toBe(0);
});

test("a job cancelled from outside is stopped by its runner, which goes on with the next", async () => {
  await startRunner();
  const cancelled = await enqueue("convert", { frames: 1_000, frameMs: 50 });
  await untilRow(cancelled, { status: "running" });
  await stage.db.query("update worker_progress_jobs set cancel_requested = true where id = $1", [cancelled]);
  await untilRow(cancelled, { status: "cancelled", output: null });
  const next = await enqueue("convert", { frames: 1 });
  await untilRow(next, { status: "completed" });
});
