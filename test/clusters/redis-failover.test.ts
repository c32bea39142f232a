import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { startRedisSentinel } from "../faults/redis-sentinel.js";
import { faultsIn, journaledChanges, keepJournal, noFaults } from "../guarantees/journal.js";
import { openStage, type Stage } from "../guarantees/stage.js";
import { optionsOn } from "../guarantees/stage-address.js";
import { eventually } from "../support/eventually.js";
import { startRedisCluster } from "../support/private-redis-cluster.js";
import { expectCallsReturnedAtOnce, longestPause } from "./audit.js";
import { type Load, startLoad } from "./load.js";
import type { ClusterAddresses } from "./workers/load-messages.js";
import { reporterOnClusters } from "./workers/reporter-on-clusters.js";

const windowMs = 400;
const jitterMs = 150;
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
}, 60_000);

test("a master behind Sentinel is killed: each process throttles for itself until its replica is promoted", async () => {
  await using sentinel = await startRedisSentinel();
  await failOverUnderLoad({
    name: "Redis Sentinel",
    clusters: { sentinels: [{ host: "127.0.0.1", port: sentinel.port }] },
    failOver: () => sentinel.failOver(),
  });
}, 60_000);

async function failOverUnderLoad({ name, clusters, failOver }: Failover): Promise<void> {
  await using stage = await openStage({ redisUrl: null, rabbitmqUrl: null });
  await keepJournal(stage.db);
  const sharedJobIds = await stage.jobs(30);
  const task = { sharedJobIds, clusters, options };
  const loads = [await startLoad(stage.address, task), await startLoad(stage.address, task)];
  await using watcher = watch(stage, sharedJobIds[0] as string, clusters);
  await eventually(() => expect(watcher.times.length).toBeGreaterThan(10));
  // Until its client has found Redis a process throttles for itself.
  const sharedSince = Date.now() + 2 * windowMs;
  const before = (await journaledChanges(stage.db)).length;
  await eventually(async () => expect((await journaledChanges(stage.db)).length).toBeGreaterThan(before + 180));

  const killedAt = Date.now();
  for (const load of loads) load.fault();
  await failOver();
  const failedOverMs = Date.now() - killedAt;
  const recoveredAt = Math.max(...(await Promise.all(loads.map(untilBack))));
  const seen = watcher.times.length;
  await eventually(() => expect(watcher.times.length).toBeGreaterThan(seen + 10));
  // The end of a reporter flushes, whatever the windows.
  const stoppedAt = Date.now();
  const reports = await Promise.all(loads.map((load) => load.stop()));
  for (const load of loads) expect(await load.end()).toBe(0);

  const most = (from: number, to: number) => mostWritesPerWindow(stage, from, to);
  const settledAt = recoveredAt + 2 * windowMs;
  const figures = {
    failedOverMs,
    sharedAgainMs: recoveredAt - killedAt,
    writePauseMs: longestPause([killedAt, ...(await writeTimes(stage, killedAt, recoveredAt)), recoveredAt]),
    liveGapMs: longestPause(watcher.times.filter((time) => time > killedAt - 1_000)),
    writesPerWindow: [
      await most(sharedSince, killedAt),
      await most(killedAt, settledAt),
      await most(settledAt, stoppedAt),
    ],
    longestOwnMs: Math.max(...reports.map(({ fault }) => fault.longestOwnMs)),
  };
  console.log(`${name}, a master killed: ${JSON.stringify(figures)}`);
  const [atFirst, meanwhile, afterwards] = figures.writesPerWindow;
  expect([atFirst, afterwards]).toEqual([1, 1]);
  expect(meanwhile).toBeLessThanOrEqual(loads.length);
  expect(figures.writePauseMs).toBeLessThan(failedOverMs);
  expect(await faultsIn(stage.db)).toEqual(noFaults);
  expect(watcher.percents).toEqual(watcher.percents.toSorted((a, b) => a - b));
  for (const report of reports) expectCallsReturnedAtOnce(report);
}

/** When a process has all of Redis back: windows and live updates have a connection each, and say the same when it answers. */
function untilBack({ messages }: Load): Promise<number> {
  const said = (words: RegExp) =>
    messages.flatMap(({ warned }) => (warned && words.test(warned.message) ? warned : []));
  return eventually(() => {
    const back = said(/^Redis answers again$/);
    expect(back.length).toBeGreaterThan(0);
    expect(back).toHaveLength(said(/^Redis is out of reach: (each process|live updates are dropped)/).length);
    return Math.max(...back.map(({ at }) => at));
  });
}

/** When any job was written. */
async function writeTimes({ db }: Stage, from: number, to: number): Promise<number[]> {
  const times = (await journaledChanges(db)).map(({ at }) => at.getTime());
  return times.filter((at) => at >= from && at < to);
}

/** Most writes of one job within one window, less what a loaded machine may delay one of them by. */
async function mostWritesPerWindow({ db }: Stage, from: number, to: number): Promise<number> {
  const byJob = Map.groupBy(await journaledChanges(db), ({ job_id }) => job_id);
  const counts = [...byJob.values()].flatMap((changes) => {
    const times = changes.map(({ at }) => at.getTime()).filter((at) => at >= from && at < to);
    return times.map((first) => times.filter((at) => at >= first && at < first + windowMs - jitterMs).length);
  });
  return Math.max(...counts);
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
