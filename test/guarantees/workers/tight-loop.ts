import { once } from "node:events";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { createProgressReporter, type ThrottleAdapter } from "worker-progress";
import { redisThrottle } from "worker-progress/redis";
import { optionsOn } from "../stage-address.js";
import { letGo, tell, waitForGo, workerTask } from "./worker-task.js";

/** Reports on one job as often as it can, until it is told to end. */
export interface TightLoopTask {
  readonly jobId: string;
  readonly windowMs: number;
  /** The percent of the last report. */
  readonly last: number;
}

export interface TightLoopMessage {
  readonly ready?: true;
  /** When it asked for a window that it then got, in milliseconds since the epoch. */
  readonly askedAt?: number;
  /** How often it has called, once it is done. */
  readonly calls?: number;
  /** A warning of the library. */
  readonly warned?: string;
}

const { address, task } = workerTask<TightLoopTask>();
const log = { warn: (warned: string) => void tell({ warned }) };
// A starved machine must not look like a Redis that is away.
const patient = { keyPrefix: address.keyPrefix, timeoutMs: 5_000, log };
const throttle = redisThrottle(address.redisUrl as string, patient);
const told: ThrottleAdapter = {
  ...throttle,
  async acquire(keys, windowMs) {
    const askedAt = Date.now();
    const waits = await throttle.acquire(keys, windowMs);
    if (waits.includes(0)) void tell({ askedAt });
    return waits;
  },
};
const { databaseUrl, rabbitmqUrl } = address;
const options = optionsOn(address, { windowMs: task.windowMs, log });
const reporter = createProgressReporter(databaseUrl, told, rabbitmqUrl, options);
await waitForGo();

const callsPerTurn = 1_000;
/** Without a pause two loops on two cores keep the servers from them, and writes reach the table long after their window. */
const workMs = 10;
const begin = performance.now();
let calls = 0;
let restedAt = begin;
let ends = false;
void once(process, "message").then(() => {
  ends = true;
});
while (!ends) {
  const percent = Math.min(task.last - 1, (performance.now() - begin) / 300);
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
