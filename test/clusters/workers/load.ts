import { setTimeout as pace } from "node:timers/promises";
import { SeenLog } from "../../faults/workers/seen.js";
import { optionsOn } from "../../guarantees/stage-address.js";
import { letGo, tell, workerTask } from "../../guarantees/workers/worker-task.js";
import type { Acknowledged, LoadMessage, LoadOrder, LoadTask } from "./load-messages.js";
import { reporterOnClusters } from "./reporter-on-clusters.js";

const { address, task } = workerTask<LoadTask>();
const say = (message: LoadMessage) => tell(message);
const log = { warn: (message: string) => void say({ warned: { message, at: Date.now() } }) };
const { reporter, close } = reporterOnClusters(address, task.clusters, optionsOn(address, { ...task.options, log }));
const { startJob, progress, completeJob } = reporter;
const seen = new SeenLog();
const acknowledged: Acknowledged[] = [];
let stopping = false;

const loops = [...task.ownJobIds.map(workOn), reportShared()];
process.on("message", (order: LoadOrder) => void obey(order));
await say({ ready: true });

async function obey(order: LoadOrder): Promise<void> {
  if (order === "fault") {
    seen.phase = "fault";
  } else if (order === "stop") {
    stopping = true;
    await Promise.all(loops);
    await say({ report: { healthy: seen.phases.healthy, fault: seen.phases.fault, acknowledged } });
  } else {
    await reporter.close();
    await close();
    letGo();
  }
}

/** Attempt after attempt, as a queue would hand the job out again; the last one is left running. */
async function workOn(jobId: string): Promise<void> {
  while (!stopping) await attempt(jobId);
  while (!(await reportLast(jobId))) await start(jobId);
}

async function attempt(jobId: string): Promise<void> {
  const begun = await start(jobId);
  let fenced = false;
  const begin = performance.now();
  for (let elapsed = 0; elapsed < task.attemptMs; elapsed = performance.now() - begin) {
    if (fenced || stopping) return;
    const result = seen.call(() => progress(jobId, (95 * elapsed) / task.attemptMs, "working"));
    void result.then((answer) => {
      fenced ||= "error" in answer && answer.error.code === "STALE_ATTEMPT";
    });
    await pace(5);
  }
  const askedAt = Date.now();
  if ((await changed(() => completeJob(jobId))) === null) note(jobId, begun, "completed", askedAt);
}

/** Insists until the job is started: the storage may be away for longer than one call is tried. */
async function start(jobId: string): Promise<number> {
  let begun = 0;
  let askedAt = 0;
  const change = async () => {
    askedAt = Date.now();
    begun = (await startJob(jobId)).attempt;
  };
  while ((await changed(change)) !== null) await pace(20);
  note(jobId, begun, "started", askedAt);
  return begun;
}

async function reportLast(jobId: string): Promise<boolean> {
  const { outcome } = await seen.call(() => progress(jobId, 97, "last"));
  return outcome !== "rejected";
}

async function reportShared(): Promise<void> {
  while (!stopping) {
    const percent = 90 * (1 - Math.exp((task.epoch - Date.now()) / 10_000));
    for (const jobId of task.sharedJobIds) void seen.call(() => progress(jobId, percent, "shared", `at ${Date.now()}`));
    await pace(10);
  }
}

function changed(change: () => Promise<unknown>): Promise<string | null> {
  return seen.change(change);
}

function note(jobId: string, begun: number, change: Acknowledged["change"], askedAt: number): void {
  acknowledged.push({ jobId, attempt: begun, change, askedAt, at: Date.now() });
}
