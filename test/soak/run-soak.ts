import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "amqplib";
import { createProgressReporter } from "worker-progress";
import { optionsOn } from "../guarantees/stage-address.js";
import { type MemoryTrend, memoryTrend } from "./memory-trend.js";
import { seededRandom } from "./seeded-random.js";
import { auditSoak, type SoakAudit, violations } from "./soak-audit.js";
import { type DoneFault, injectFaults } from "./soak-faults.js";
import type { SoakPlan } from "./soak-plan.js";
import { type SoakProcess, SoakProcesses } from "./soak-processes.js";
import { type SoakServers, startServers } from "./soak-servers.js";
import type { ConsumerNews, Ended, Newest, SoakNews, WorkerCounts } from "./workers/soak-messages.js";

/** What a soak found. */
export interface SoakOutcome {
  readonly plan: SoakPlan;
  readonly audit: SoakAudit;
  /** What must not be; empty when all promises were kept. */
  readonly violations: readonly string[];
  readonly faults: readonly DoneFault[];
  /** Of each process that lived long enough to have one. */
  readonly memory: ReadonlyMap<string, MemoryTrend>;
  readonly counts: readonly WorkerCounts[];
  readonly endings: number;
  /** What the surviving consumer was handed, and what of it was known. */
  readonly deliveries: { readonly all: number; readonly known: number };
}

const takeOverEveryMs = 1_000;
const drainWithinMs = 600_000;
const stuckAfterMs = 60_000;
const longerByMs = 60_000;

/** Runs jobs and breaks servers and processes for as long as the plan says, mends all, lets everything land, and audits. */
export async function runSoak(plan: SoakPlan, say: (line: string) => void): Promise<SoakOutcome> {
  await using servers = await startServers();
  const random = seededRandom(plan.seed);
  const processes = new SoakProcesses(plan, servers, random);
  await processes.start();
  say(`${plan.processes} workers run ${plan.jobs} jobs for ${plan.lastsMs / 1_000} s, seed ${plan.seed}`);

  const over = endOf(plan, servers);
  const takingOver = takeJobsOver(servers, processes, over);
  const faults = await injectFaults(servers, processes, plan, random, over, say);
  await takingOver;
  await Promise.all(servers.all.map(({ network }) => network.accept()));
  say(`${faults.length} faults are mended, the workers finish`);
  await processes.finishWorkers();
  await drain(servers, say);
  await processes.stopConsumer();

  const news = processes.workers.flatMap(({ messages }) => messages);
  const ended: Ended[] = news.flatMap((each) => (each.kind === "ended" ? each.ended : []));
  const finished = news.flatMap((each) => (each.kind === "finished" ? [each] : []));
  const newest: Newest[] = finished.flatMap((each) => each.newest);
  const audit = await auditSoak(servers.db, { ended, newest });
  const left = finished.flatMap(({ unwritten }) => (unwritten > 0 ? [`unwritten at the end: ${unwritten}`] : []));
  return {
    plan,
    audit,
    violations: [...violations(audit), ...left, ...processes.crashes],
    faults,
    memory: trendsOf([...processes.workers, ...processes.consumers]),
    counts: finished.map(({ counts }) => counts),
    endings: ended.length,
    deliveries: deliveriesOf(processes.consumers),
  };
}

/** Fires when the time is over, or later, when enough has happened. */
function endOf({ lastsMs, atLeast }: SoakPlan, { db }: SoakServers): AbortSignal {
  const end = new AbortController();
  const latest = performance.now() + lastsMs + longerByMs;
  const select = "select count(*)::int as events from event_journal";
  const look = async () => {
    const stored = await db.query<{ events: number }>(select).then(
      ({ rows }) => rows[0]?.events ?? 0,
      () => 0,
    );
    if (stored > atLeast.events || performance.now() > latest) end.abort();
    else setTimeout(() => void look(), 100);
  };
  setTimeout(() => void look(), lastsMs);
  return end.signal;
}

/** Every second somebody begins a job anew that another process may be running. */
async function takeJobsOver({ db }: SoakServers, processes: SoakProcesses, over: AbortSignal): Promise<void> {
  const select = `select id::text from worker_progress_jobs where status = 'running' order by random() limit 1`;
  while (!over.aborted) {
    await sleep(takeOverEveryMs);
    const [job] = await db.query<{ id: string }>(select).then(
      ({ rows }) => rows,
      () => [],
    );
    if (job !== undefined) processes.takeOver(job.id);
  }
}

/**
 * Waits until no event waits any more and the consumer has had them all, for as long as it gets on. What killed workers left
 * is relayed from here.
 */
async function drain(servers: SoakServers, say: (line: string) => void): Promise<void> {
  const { db, address } = servers;
  await using _ = createProgressReporter(address.databaseUrl, null, address.rabbitmqUrl, optionsOn(address));
  const began = performance.now();
  const select = `select (select count(*) from worker_progress_outbox)::int as waiting,
    (select count(*) from event_journal)::int as events, (select count(*) from effects)::int as effects`;
  let last = { open: Number.POSITIVE_INFINITY, at: began };
  while (performance.now() < Math.min(last.at + stuckAfterMs, began + drainWithinMs)) {
    const { rows } = await db.query<{ waiting: number; events: number; effects: number }>(select);
    const [{ waiting, events, effects }] = rows as [(typeof rows)[number]];
    const open = waiting + Math.max(0, events - effects);
    if (open < last.open) last = { open, at: performance.now() };
    if (open === 0) break;
    await sleep(200);
  }
  const lasted = Math.round(performance.now() - began);
  if (last.open === 0) say(`all events have had their effect ${lasted} ms later`);
  else say(`${last.open} events have had no effect after ${lasted} ms: ${await queuesOf(servers)}`);
}

async function queuesOf({ rabbitmqUrl, queue }: SoakServers): Promise<string> {
  const connection = await connect(rabbitmqUrl);
  const channel = await connection.createChannel();
  const all = await Promise.all([queue, `${queue}.dead`].map((name) => channel.checkQueue(name)));
  await connection.close();
  return all.map((each) => `${each.queue} has ${each.messageCount} ready, ${each.consumerCount} consumers`).join(", ");
}

function trendsOf(processes: readonly SoakProcess<SoakNews | ConsumerNews>[]): ReadonlyMap<string, MemoryTrend> {
  const trends = new Map<string, MemoryTrend>();
  for (const { name, messages } of processes) {
    const trend = memoryTrend(messages.flatMap((each) => (each.kind === "memory" ? [each.sample] : [])));
    if (trend !== null) trends.set(name, trend);
  }
  return trends;
}

function deliveriesOf(consumers: readonly SoakProcess<ConsumerNews>[]): SoakOutcome["deliveries"] {
  const lasts = consumers.map(({ messages }) => messages.findLast((each) => each.kind === "counts"));
  return {
    all: lasts.reduce((sum, last) => sum + (last?.deliveries ?? 0), 0),
    known: lasts.reduce((sum, last) => sum + (last?.known ?? 0), 0),
  };
}
