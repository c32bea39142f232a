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
  /** Of one call of `progress`, not awaited; garbage collection included, the time of other processes not. */
  readonly longestCallMs: number;
  /** Of one turn of the event loop, whatever it was that took so long. */
  readonly longestTurnMs: number;
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
let [calls, longestCallMs, longestTurnMs, longestAnswerMs, halfway] = [0, 0, 0, 0, 0];
const [lifecycle, answers] = [endOneJob(), awaitAnswers()];
for (let percent = 0; performance.now() < began + lastsMs; percent = Math.min(100, percent + 0.01)) {
  const turnBegan = performance.now();
  const cpu = process.threadCpuUsage();
  for (const job of jobs) {
    const at = performance.now();
    void reporter.progress(job, percent, "busy");
    const longMs = performance.now() - at;
    if (longMs > longestCallMs) longestCallMs = Math.max(longestCallMs, Math.min(longMs, ownMs(cpu)));
    calls++;
  }
  if (halfway === 0 && performance.now() > began + lastsMs / 2) halfway = heap();
  await turn();
  longestTurnMs = Math.max(longestTurnMs, performance.now() - turnBegan);
}
const heaps = [before, halfway, heap()] as const;
const { unwritten } = (await reporter.health()).jobs;
const lifecycleMs = await lifecycle;
await answers;
process.send?.(
  { calls, longestCallMs, longestTurnMs, longestAnswerMs, lifecycleMs, heaps, unwritten } satisfies BusyNews,
  () => process.exit(0),
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

/** What the thread took of the processor since, which the longest call of a turn did not exceed. */
function ownMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(since);
  return (user + system) / 1_000;
}

function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
