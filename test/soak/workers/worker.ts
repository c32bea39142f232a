import { setTimeout as sleep } from "node:timers/promises";
import { createProgressReporter, type JobHandle, WorkerProgressError } from "worker-progress";
import { optionsOn } from "../../guarantees/stage-address.js";
import { seededRandom } from "../seeded-random.js";
import type { Ended, Newest, SoakNews, SoakOrder, SoakTask } from "./soak-messages.js";
import { tellMemory } from "./told-memory.js";

/** A job that this process believes to run. */
interface LiveJob {
  readonly jobId: string;
  readonly handle: JobHandle;
  readonly begunAt: number;
  readonly lifeMs: number;
  newest: Newest | null;
  ending: boolean;
}

const tickMs = 50;
const reportEveryMs = 250;
const stalledMs = 15_000;
// All at once they would wait for the pool's few connections longer than it lets them.
const maxOpening = 25;

const task = JSON.parse(process.argv[2] as string) as SoakTask;
const random = seededRandom(task.seed);
const { databaseUrl, redisUrl, rabbitmqUrl } = task.address;
const reporter = createProgressReporter(
  databaseUrl,
  redisUrl,
  rabbitmqUrl,
  optionsOn(task.address, {
    windowMs: task.windowMs,
    heartbeatMs: stalledMs / 3,
    idleMs: task.idleMs,
    // Else what is published while a restarted broker has not bound the queue again is let go, as documented.
    unroutable: "keep",
    storageTimeoutMs: 2_000,
    log: { warn() {} },
  }),
);
const live = new Map<string, LiveJob>();
const opening = new Set<Promise<unknown>>();
const ended: Ended[] = [];
const outcomes: Record<string, number> = {};
let calls = 0;
let longestCallMs = 0;
let finishing = false;
let turn = 0;

process.on("message", (order: SoakOrder) => {
  if (order.kind === "takeOver") open(() => takeOver(order.jobId));
  else void finish();
});
const memory = tellMemory(task.memoryEveryMs);
const stalled = setInterval(() => open(adoptStalled), stalledMs / 2);
const telling = setInterval(tellEnded, 1_000);
while (!finishing) {
  const missing = task.jobs - live.size - opening.size;
  for (let more = Math.min(missing, maxOpening - opening.size); more > 0; more--) open(beginNew);
  tick();
  await sleep(tickMs);
}

function tick(): void {
  const turns = reportEveryMs / tickMs;
  turn = (turn + 1) % turns;
  let place = 0;
  for (const job of live.values()) {
    if (place++ % turns !== turn || job.ending) continue;
    const percent = ((performance.now() - job.begunAt) / job.lifeMs) * 100;
    if (percent < 100) report(job, percent);
    else open(() => end(job));
  }
}

function report(job: LiveJob, percent: number): void {
  const { handle, jobId } = job;
  const newest = { jobId, attempt: handle.attempt, percent };
  const before = performance.now();
  const answer = handle.progress(percent, `step ${Math.floor(percent / 10)}`, `at ${percent.toFixed(2)} %`);
  longestCallMs = Math.max(longestCallMs, performance.now() - before);
  calls++;
  void answer.then((result) => {
    const name = result.outcome === "rejected" ? `rejected ${result.error.code}` : result.outcome;
    outcomes[name] = (outcomes[name] ?? 0) + 1;
    if (result.outcome === "rejected") live.delete(jobId);
    else if ((job.newest?.percent ?? 0) < percent) job.newest = newest;
  });
}

/** Work that may be refused or may meet a server that is away: then the job is left to whoever finds it. */
function open(work: () => Promise<unknown>): void {
  if (finishing) return;
  const opened = work()
    .catch((error: unknown) => {
      if (!(error instanceof WorkerProgressError)) throw error;
      outcomes[`failed ${error.code}`] = (outcomes[`failed ${error.code}`] ?? 0) + 1;
    })
    .finally(() => opening.delete(opened));
  opening.add(opened);
}

async function beginNew(): Promise<void> {
  await takeOver(String(await reporter.createJob({ type: "soak" })));
}

async function takeOver(jobId: string): Promise<void> {
  const handle = await reporter.startJob(jobId, "Begun");
  const lifeMs = random.between(...task.lifeMs);
  live.set(jobId, { jobId, handle, begunAt: performance.now(), lifeMs, newest: null, ending: false });
}

async function adoptStalled(): Promise<void> {
  if (random.chance(0.2)) await reporter.timeoutStalled({ olderThanMs: stalledMs, limit: 20 });
  for (const { id } of await reporter.findStalled({ olderThanMs: stalledMs, limit: 20 })) await takeOver(String(id));
}

async function end(job: LiveJob): Promise<void> {
  const { handle, jobId } = job;
  job.ending = true;
  const status = random.chance(0.85) ? "completed" : random.chance(0.5) ? "failed" : "cancelled";
  try {
    if (status === "completed") await handle.complete({ by: process.pid }, "Done");
    else if (status === "failed") await handle.fail("SOAK", "Failed as planned");
    else await handle.cancel("Cancelled as planned");
  } catch (error) {
    job.ending = !(error instanceof WorkerProgressError) || error.code !== "STORAGE_UNAVAILABLE";
    if (job.ending) live.delete(jobId);
    throw error;
  }
  ended.push({ jobId, attempt: handle.attempt, status });
  live.delete(jobId);
  if (status === "failed" && random.chance(0.3)) await takeOver(jobId);
}

function tellEnded(): void {
  if (ended.length > 0) process.send?.({ kind: "ended", ended: ended.splice(0) } satisfies SoakNews);
}

async function finish(): Promise<void> {
  finishing = true;
  for (const timer of [memory, stalled, telling]) clearInterval(timer);
  await Promise.allSettled(opening);
  const newest = [...live.values()].flatMap((job) => job.newest ?? []);
  const left = await reporter.close();
  const { published, unroutable } = (await reporter.health()).events;
  tellEnded();
  const news: SoakNews = {
    kind: "finished",
    newest,
    unwritten: left.unwritten.length,
    unpublished: left.unpublished,
    counts: { calls, outcomes, longestCallMs, published, unroutable },
  };
  process.send?.(news, () => process.disconnect());
}
