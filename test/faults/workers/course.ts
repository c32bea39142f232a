import { setTimeout as pace, setImmediate as turn } from "node:timers/promises";
import { letGo, tell, workerTask } from "../../guarantees/workers/worker-task.js";
import type { Accepted, CourseMessage, CourseOrder, CourseTask, Phase } from "./course-messages.js";
import { courseReporter } from "./course-reporter.js";
import { Door } from "./door.js";
import { risen } from "./risen.js";
import { SeenLog } from "./seen.js";

const { address, task } = workerTask<CourseTask>();
const say = (message: CourseMessage) => tell(message);
const { reporter, takeConnections, close } = courseReporter(address, task, (warned, details) => {
  void say({ warned, reason: String(details?.reason ?? "") });
});
const { startJob, progress, completeJob, failJob } = reporter;
const seen = new SeenLog();
const door = new Door();
const accepted: Record<string, Accepted> = {};
const outstanding = new Set<Promise<unknown>>();
const passing = new Set<Promise<unknown>>();
let call = 0;
let finishing = false;

const starts = task.passingJobIds.length > 0;
if (starts) await Promise.all(task.steadyJobIds.map((jobId) => insist(() => startJob(jobId))));
const loops = [keepReporting(), passJobsOn()];
process.on("message", (order: CourseOrder) => void obey(order));
await say({ ready: true });

async function obey(order: CourseOrder): Promise<void> {
  if ("phase" in order) await begin(order.phase);
  else if ("lastMs" in order) await last(order.lastMs);
  else if ("answer" in order) await say({ answered: true });
  else if ("pause" in order) await pause();
  else if ("rest" in order) await rest();
  else if ("resume" in order) door.open();
  else if ("takeConnections" in order) {
    await takeConnections(order.takeConnections);
    await say({ connectionsTaken: order.takeConnections });
  } else await finish();
}

async function begin(phase: Phase): Promise<void> {
  seen.phase = phase;
  await say({ entered: phase });
}

/** Goes on until the phase is long enough, and something was reported and changed in it. */
async function last(ms: number): Promise<void> {
  const until = performance.now() + ms;
  const isLacking = () => seen.now.calls === 0 || (starts && total(seen.now.changes) === 0);
  // The first report of a job waits for connections; by its write another process may have written more, and it is refused.
  const isBeginning = () => seen.phase === "healthy" && outstanding.size > 0;
  while (performance.now() < until || isLacking() || isBeginning()) await pace(10);
  await say({ over: seen.phase });
}

async function pause(): Promise<void> {
  door.close();
  while (outstanding.size > 0) await Promise.all(outstanding);
  await say({ paused: accepted });
}

async function rest(): Promise<void> {
  door.close();
  do {
    await Promise.all([...outstanding, ...passing]);
    // Whoever waited for one call may make another.
    await turn();
  } while (outstanding.size > 0 || passing.size > 0);
  await say({ rested: true });
}

async function finish(): Promise<void> {
  finishing = true;
  await Promise.all(loops);
  if (starts) await Promise.all(task.steadyJobIds.map((jobId) => insist(() => completeJob(jobId))));
  const unfinished = await reporter.close();
  await close();
  await say({ figures: seen.phases, unfinished });
  letGo();
}

/** Reports on every steady job every few milliseconds, and awaits no call. */
async function keepReporting(): Promise<void> {
  while (!finishing) {
    await door.passed();
    for (const jobId of task.steadyJobIds) void report(jobId);
    await pace(4);
  }
}

/** Begins and ends one job after the other, and now and then awaits its report, or one of a steady job. */
async function passJobsOn(): Promise<void> {
  for (const [turn, jobId] of task.passingJobIds.entries()) {
    if (finishing) return;
    await door.passed();
    await insist(() => startJob(jobId));
    await seen.awaited(pass(seen.call(() => progress(jobId, 30, "passing"))));
    await door.passed();
    await seen.awaited(report(task.steadyJobIds[turn % task.steadyJobIds.length] as string));
    if (turn % 2 === 0) await insist(() => completeJob(jobId, { turn }));
    else await insist(() => failJob(jobId, "ERR_001", "Something went wrong"));
    // Somebody who reports after the end is not to be heard.
    void seen.call(() => progress(jobId, 99, "late"));
    await pace(20);
  }
}

function report(jobId: string) {
  const [percent, message] = [risen(Date.now() - task.epoch), `call ${process.pid} ${call++}`];
  const result = seen.call(() => progress(jobId, percent, "working", message));
  const heard = result.then(({ outcome }) => {
    if (outcome !== "rejected" && !(percent < (accepted[jobId]?.percent ?? 0))) accepted[jobId] = { percent, message };
    outstanding.delete(heard);
  });
  outstanding.add(heard);
  return result;
}

/** Calls until the change is stored, or refused for good, as it is when the answer of the try before was lost. */
async function insist(change: () => Promise<unknown>): Promise<void> {
  while ((await pass(seen.change(change))) === "STORAGE_UNAVAILABLE") await door.passed();
}

function pass<T>(call: Promise<T>): Promise<T> {
  passing.add(call);
  return call.finally(() => passing.delete(call));
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
