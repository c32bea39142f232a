import { setImmediate as turn } from "node:timers/promises";
import { createProgressReporter } from "worker-progress";
import { optionsOn, type StageAddress } from "../../guarantees/stage-address.js";

/** What the worker is told. */
export interface BusyTask {
  readonly address: StageAddress;
  readonly jobIds: readonly string[];
  /** How long it reports, in milliseconds. */
  readonly lastsMs: number;
}

/** What it tells. */
export interface BusyNews {
  readonly calls: number;
  /** Of one call of `progress`, not awaited; garbage collection and other processes included. */
  readonly longestCallMs: number;
  /** Of a report that was awaited. */
  readonly longestAnswerMs: number;
  /** Of a job that was started and completed while thousands waited. */
  readonly lifecycleMs: number;
  /** Heap in bytes: before, halfway and at the end. */
  readonly heaps: readonly [number, number, number];
  readonly unwritten: number;
}

const { address, jobIds, lastsMs } = JSON.parse(process.argv[2] as string) as BusyTask;
const [urgent, awaited, ...jobs] = jobIds as [string, string, ...string[]];
const reporter = createProgressReporter(
  address.databaseUrl,
  null,
  null,
  optionsOn(address, { storageTimeoutMs: 2_000, closeTimeoutMs: 1, log: { warn() {} } }),
);
await reporter.getJob(urgent);
const before = heap();
const began = performance.now();
let [calls, longestCallMs, longestAnswerMs, halfway] = [0, 0, 0, 0];
const [lifecycle, answers] = [endOneJob(), awaitAnswers()];
for (let percent = 0; performance.now() < began + lastsMs; percent = Math.min(100, percent + 0.01)) {
  for (const job of jobs) {
    const at = performance.now();
    void reporter.progress(job, percent, "busy");
    longestCallMs = Math.max(longestCallMs, performance.now() - at);
    calls++;
  }
  if (halfway === 0 && performance.now() > began + lastsMs / 2) halfway = heap();
  await turn();
}
const heaps = [before, halfway, heap()] as const;
const { unwritten } = (await reporter.health()).jobs;
const lifecycleMs = await lifecycle;
await answers;
process.send?.({ calls, longestCallMs, longestAnswerMs, lifecycleMs, heaps, unwritten } satisfies BusyNews, () =>
  process.exit(0),
);

async function endOneJob(): Promise<number> {
  await untilOverloaded();
  const at = performance.now();
  await reporter.startJob(urgent);
  await reporter.completeJob(urgent);
  return performance.now() - at;
}

async function awaitAnswers(): Promise<void> {
  await untilOverloaded();
  for (let percent = 0; performance.now() < began + lastsMs; percent++) {
    const at = performance.now();
    await reporter.progress(awaited, percent);
    longestAnswerMs = Math.max(longestAnswerMs, performance.now() - at);
    await turn();
  }
}

/** Thousands wait for their write by then. */
async function untilOverloaded(): Promise<void> {
  while (performance.now() < began + lastsMs / 3) await turn();
}

function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
