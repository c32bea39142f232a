import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { reporterOn } from "./reporter-on.js";
import { letGo, tell, waitForGo, workerTask } from "./worker-task.js";

/** Reports on one job as often as it can. */
export interface TightLoopTask {
  readonly jobId: string;
  readonly durationMs: number;
  readonly windowMs: number;
  /** The percent of the last report. */
  readonly last: number;
}

export interface TightLoopMessage {
  readonly ready?: true;
  /** How often it has called, once it is done. */
  readonly calls?: number;
  /** A warning of the library. */
  readonly warned?: string;
}

const { address, task } = workerTask<TightLoopTask>();
const reporter = reporterOn(address, {
  windowMs: task.windowMs,
  // A starved machine must not look like a Redis that is away.
  redis: { timeoutMs: 5_000 },
  log: { warn: (warned) => void tell({ warned }) },
});
await waitForGo();

const callsPerTurn = 1_000;
/** Without a pause two loops on two cores keep the servers from them, and writes reach the table long after their window. */
const workMs = 10;
const begin = performance.now();
let calls = 0;
let restedAt = begin;
for (let elapsed = 0; elapsed < task.durationMs; elapsed = performance.now() - begin) {
  const percent = (task.last - 1) * (elapsed / task.durationMs);
  for (let i = 0; i < callsPerTurn; i++) void reporter.progress(task.jobId, percent, "working");
  calls += callsPerTurn;
  if (performance.now() - restedAt < workMs) await nextTurn();
  else {
    await sleep(1);
    restedAt = performance.now();
  }
}
void reporter.progress(task.jobId, task.last, "last");
await tell({ calls: calls + 1 });
// Nothing is called from here on: the last value has to land by itself.
process.once("message", () => letGo());
