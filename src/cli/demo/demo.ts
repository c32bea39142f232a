import { createProgressReporter } from "../../create-progress-reporter.js";
import type { ProgressReporter } from "../../reporter/progress-reporter.js";
import type { DemoCommand } from "../command.js";
import type { CommandContext } from "../run-command.js";
import type { Screen } from "../screen.js";
import { DemoFailure } from "./demo-failure.js";
import { barLines, eventLine, headerLines, titleLines } from "./demo-lines.js";
import { DemoRecord } from "./demo-record.js";
import { openStage, type Stage } from "./open-stage.js";
import type { Post } from "./post.js";
import { showCourse } from "./show-course.js";
import { summaryLines, viewLines } from "./summary-lines.js";
import { watchedStorage } from "./watched-storage.js";
import { planWork, type WorkPlan, work } from "./work.js";

const windowMs = 2_000;
const eventsWithinMs = 10_000;

/** Runs jobs from their creation to their last event, and shows what happens and what it cost. */
export async function demo(command: DemoCommand, context: CommandContext): Promise<void> {
  const { screen, version } = context;
  const warn = (message: string) => screen.print([["  ", ["yellow", `! ${message}`]]]);
  screen.print(titleLines(version));
  screen.live([["  ", ["dim", "starting …"]]]);
  const stage = await openStage(command, warn);
  screen.end();
  try {
    const plan = planWork(command.seconds, command.jobs);
    screen.print(headerLines([...stage.facts, ["work", workText(command, plan)]]));
    await play(stage, command.jobs, plan, warn, context);
  } finally {
    screen.end();
    await stage.close();
  }
}

async function play(
  stage: Stage,
  jobs: number,
  plan: WorkPlan,
  warn: (message: string) => void,
  { screen, interrupted }: CommandContext,
): Promise<void> {
  const record = new DemoRecord();
  const { throttle, publisher, post } = stage;
  const storage = watchedStorage(stage.storage, (write) => record.committed(write));
  const log = { warn };
  const reporter = createProgressReporter(storage, throttle, publisher, { windowMs, closeTimeoutMs: 5_000, log });
  const ended = new AbortController();
  const hideCourse = showCourse(record, screen);
  try {
    await post.takeEvents((event) => {
      if (record.received(event)) screen.print([eventLine(event)]);
    });
    const worker: Worker = {
      reporter,
      record,
      plan,
      interrupted,
      stopped: AbortSignal.any([interrupted, ended.signal]),
    };
    await Promise.race([runJobs(worker, post, jobs), post.lost]);
    await Promise.race([allArrived(record), post.lost]);
    hideCourse();
    await showResult(reporter, record, screen);
  } finally {
    ended.abort();
    hideCourse();
    await reporter.close();
  }
}

interface Worker {
  readonly reporter: ProgressReporter;
  readonly record: DemoRecord;
  readonly plan: WorkPlan;
  readonly interrupted: AbortSignal;
  /** Fires when there is no use in going on: interrupted, or another job has failed. */
  readonly stopped: AbortSignal;
}

/** Creates the jobs, puts a task for each in the queue, and resolves when the worker has done them all. */
async function runJobs(worker: Worker, post: Post, jobs: number): Promise<void> {
  const { reporter, record } = worker;
  const done = Promise.withResolvers<void>();
  done.promise.catch(() => {});
  let left = jobs;
  await post.takeTasks(async (jobId) => {
    try {
      await runJob(worker, jobId);
      left--;
      if (left === 0) done.resolve();
    } catch (error) {
      done.reject(error);
      throw error;
    }
  });
  for (let made = 0; made < jobs; made++) {
    const jobId = String(await reporter.createJob({ type: "demo", status: "queued" }));
    record.created(jobId, "queued");
    await post.send(jobId);
  }
  await done.promise;
}

/** What a worker does with a task. */
async function runJob({ reporter, record, plan, interrupted, stopped }: Worker, jobId: string): Promise<void> {
  const job = await reporter.startJob(jobId, "Beginning processing");
  await work(job, plan, (...report) => record.reported(jobId, ...report), stopped);
  if (interrupted.aborted) await job.cancel("Interrupted at the terminal");
  else if (!stopped.aborted) await job.complete({ output: "result.stl", frames: plan.frames }, "Success!");
}

async function allArrived(record: DemoRecord): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const { distinctIds, eventsStored } = record.counts;
    const problem = `${distinctIds} of ${eventsStored} events arrived within ${eventsWithinMs / 1_000} s`;
    late.reject(new DemoFailure("EVENTS_MISSING", `${problem}: look whether another process relays this outbox`));
  }, eventsWithinMs);
  try {
    await Promise.race([record.allArrived(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function showResult(reporter: ProgressReporter, record: DemoRecord, screen: Screen): Promise<void> {
  const [first] = record.jobs;
  const view = first === undefined ? null : await reporter.getJob(first.id);
  if (screen.interactive) screen.print(barLines(record.jobs, 10));
  if (view !== null) screen.print(viewLines(view));
  screen.print(summaryLines(record.counts, windowMs / 1_000));
}

function workText({ jobs, seconds }: DemoCommand, { frames }: WorkPlan): string {
  const calls = `${(jobs * frames).toLocaleString("en-US")} calls of progress() in ${seconds} s`;
  return `${jobs === 1 ? "1 job" : `${jobs} jobs`}, ${calls}, a window of ${windowMs / 1_000} s`;
}
