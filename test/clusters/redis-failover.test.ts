import { setImmediate as nextTurn } from "node:timers/promises";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { startRedisSentinel } from "../faults/redis-sentinel.js";
import { faultsIn, journaledChanges, keepJournal, noFaults } from "../guarantees/journal.js";
import { openStage, type Stage } from "../guarantees/stage.js";
import { optionsOn } from "../guarantees/stage-address.js";
import { eventually } from "../support/eventually.js";
import { startRedisCluster } from "../support/private-redis-cluster.js";
import { expectCallsReturnedAtOnce, longestPause, patience } from "./audit.js";
import { type Load, startLoad } from "./load.js";
import type { ClusterAddresses } from "./workers/load-messages.js";
import { reporterOnClusters } from "./workers/reporter-on-clusters.js";

const windowMs = 400;
const calmWindows = 10;
const options = { windowMs, relay: { pollMs: 100 } };

/** What happens to one arrangement of Redis. */
interface Failover {
  readonly name: string;
  readonly clusters: ClusterAddresses;
  /** Kills a master, and resolves when its replica has its place. */
  failOver(): Promise<void>;
}

test("a master of a Cluster is killed: each process throttles for itself until its replica has its slots", async () => {
  await using servers = await startRedisCluster({ replicas: true });
  await failOverUnderLoad({
    name: "Redis Cluster",
    clusters: { redisCluster: servers.nodes },
    async failOver() {
      await servers.kill();
      const survivor = new Redis({ ...(servers.nodes[1] as (typeof servers.nodes)[0]) });
      const [, , , replica] = servers.nodes;
      await eventually(async () => {
        expect(String(await survivor.cluster("NODES"))).toMatch(new RegExp(`:${replica?.port}@\\d+ master`));
        expect(await survivor.cluster("INFO")).toContain("cluster_state:ok");
      });
      survivor.disconnect();
    },
  });
});

test("a master behind Sentinel is killed: each process throttles for itself until its replica is promoted", async () => {
  await using sentinel = await startRedisSentinel();
  await failOverUnderLoad({
    name: "Redis Sentinel",
    clusters: { sentinels: [{ host: "127.0.0.1", port: sentinel.port }] },
    failOver: () => sentinel.failOver(),
  });
});

async function failOverUnderLoad({ name, clusters, failOver }: Failover): Promise<void> {
  await using stage = await openStage({ redisUrl: null, rabbitmqUrl: null });
  await keepJournal(stage.db);
  const sharedJobIds = await stage.jobs(30);
  const ownJobIds = await stage.jobs(2);
  const task = { sharedJobIds, epoch: Date.now(), clusters, options, attemptMs: 100 };
  const loads = await Promise.all(ownJobIds.map((id) => startLoad(stage.address, { ...task, ownJobIds: [id] })));
  await using watcher = watch(stage, sharedJobIds[0] as string, clusters);
  await eventually(() => expect(watcher.times.length).toBeGreaterThan(10), patience);
  const sharedSince = await untilCalm(loads, Date.now());

  const killedAt = Date.now();
  for (const load of loads) load.fault();
  await failOver();
  const failedOverMs = Date.now() - killedAt;
  const recoveredAt = Math.max(...(await Promise.all(loads.map((load) => untilBack(load, killedAt)))));
  const seen = watcher.times.length;
  await eventually(() => expect(watcher.times.length).toBeGreaterThan(seen + 10), patience);
  const settledAt = await untilCalm(loads, recoveredAt);
  // The end of a reporter flushes, whatever the windows.
  const stoppedAt = Date.now();
  const reports = await Promise.all(loads.map((load) => load.stop()));
  for (const load of loads) expect(await load.end()).toBe(0);

  const written = await writesOf(stage, sharedJobIds);
  const [atFirst, meanwhile, afterwards] = [
    writesPerJob(written, { from: sharedSince, to: killedAt, keepers: 1 }),
    writesPerJob(written, { from: killedAt, to: settledAt, keepers: loads.length }),
    writesPerJob(written, { from: settledAt, to: stoppedAt, keepers: 1 }),
  ];
  const times = written.map(({ at }) => at).filter((at) => at >= killedAt && at < recoveredAt);
  const figures = {
    failedOverMs,
    sharedAgainMs: recoveredAt - killedAt,
    writePauseMs: longestPause([killedAt, ...times, recoveredAt]),
    liveGapMs: longestPause(watcher.times.filter((time) => time > killedAt - 1_000)),
    writesPerJob: { atFirst, meanwhile, afterwards },
    longestOwnMs: Math.max(...reports.map(({ fault }) => fault.longestOwnMs)),
    longestChangeMs: Math.max(...reports.map(({ fault }) => fault.longestChangeMs)),
  };
  console.log(`${name}, a master killed: ${JSON.stringify(figures)}`);
  for (const { most, allowed } of [atFirst, meanwhile, afterwards]) expect(most).toBeLessThanOrEqual(allowed);
  // What needs no window tells for how long it was the database that let nobody write.
  expect(figures.writePauseMs).toBeLessThan(failedOverMs + figures.longestChangeMs);
  expect(await faultsIn(stage.db)).toEqual(noFaults);
  expect(watcher.percents).toEqual(watcher.percents.toSorted((a, b) => a - b));
  for (const report of reports) expectCallsReturnedAtOnce(report);
}

/** Waits until every process has shared windows through Redis for long enough to count them; answers since when. */
async function untilCalm(loads: readonly Load[], since: number): Promise<number> {
  return eventually(async () => {
    // What was said while this process was held up is heard first.
    await nextTurn();
    // Windows taken without Redis last for one more, and what they let through may be late.
    const from = Math.max(since, ...loads.map((load) => lastOutageOf(load) + 2 * windowMs));
    expect(Date.now() - from).toBeGreaterThan(calmWindows * windowMs);
    return from;
  }, patience);
}

/** When a process had Redis back the last time. */
function lastOutageOf(load: Load): number {
  const back = said(load, answersAgain);
  return back.length < said(load, outOfReach).length ? Number.POSITIVE_INFINITY : Math.max(0, ...back);
}

/** When a process has all of Redis back that it lost: windows and live updates have a connection each, and say the same when it answers. */
function untilBack(load: Load, since: number): Promise<number> {
  const saidSince = (words: RegExp) => said(load, words).filter((at) => at >= since);
  return eventually(() => {
    const back = saidSince(answersAgain);
    expect(back.length).toBeGreaterThan(0);
    expect(back).toHaveLength(saidSince(outOfReach).length);
    return Math.max(...back);
  }, patience);
}

const answersAgain = /^Redis answers again$/;
const outOfReach = /^Redis is out of reach: (each process|live updates are dropped)/;

/** When a process warned in such words. */
function said({ messages }: Load, words: RegExp): readonly number[] {
  return messages.flatMap(({ warned }) => (warned && words.test(warned.message) ? warned.at : []));
}

interface Write {
  readonly jobId: string;
  readonly at: number;
}

async function writesOf({ db }: Stage, jobIds: readonly string[]): Promise<readonly Write[]> {
  const writes = (await journaledChanges(db)).map(({ job_id, at }) => ({ jobId: job_id, at: at.getTime() }));
  return writes.filter(({ jobId }) => jobIds.includes(jobId));
}

/**
 * Most writes of one job within a time, and how many there may be where so many keep windows of their own: the first window
 * may have begun before, and two writes may belong to others, being late or let through while somebody turned to Redis or away.
 */
function writesPerJob(
  writes: readonly Write[],
  { from, to, keepers }: { readonly from: number; readonly to: number; readonly keepers: number },
): { readonly most: number; readonly allowed: number } {
  const byJob = Map.groupBy(
    writes.filter(({ at }) => at >= from && at < to),
    ({ jobId }) => jobId,
  );
  const most = Math.max(...[...byJob.values()].map(({ length }) => length));
  return { most, allowed: keepers * (Math.ceil((to - from) / windowMs) + 3) };
}

/** Watches a job from a process that does not report on it: what it sees between two writes came through Redis. */
function watch(stage: Stage, jobId: string, clusters: ClusterAddresses) {
  const { reporter, close } = reporterOnClusters(
    stage.address,
    clusters,
    optionsOn(stage.address, { watchPollMs: 60_000, log: { warn: () => {} } }),
  );
  const times: number[] = [];
  const percents: number[] = [];
  const ending = new AbortController();
  const watching = (async () => {
    for await (const { progress } of reporter.watch(jobId, { signal: ending.signal })) {
      times.push(Date.now());
      percents.push(progress.percent);
    }
  })();
  return {
    times,
    percents,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await watching;
      await reporter.close();
      await close();
    },
  };
}
