import { setImmediate as nextTurn } from "node:timers/promises";
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
const begin = performance.now();
let calls = 0;
for (let elapsed = 0; elapsed < task.durationMs; elapsed = performance.now() - begin) {
  const percent = (task.last - 1) * (elapsed / task.durationMs);
  for (let i = 0; i < callsPerTurn; i++) void reporter.progress(task.jobId, percent, "working");
  calls += callsPerTurn;
  await nextTurn();
}
void reporter.progress(task.jobId, task.last, "last");
await tell({ calls: calls + 1 });
// Nothing is called from here on: the last value has to land by itself.
process.once("message", () => letGo());
