import { Cluster, Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { redisLive } from "../../src/adapters/redis/index.js";
import { liveConformance } from "../../src/conformance/index.js";
import { progressOf, recorder } from "../../src/conformance/live-fixtures.js";
import { eventually } from "../support/eventually.js";
import { type PrivateRedisCluster, privateRedisCluster, testKeyPrefix } from "../support/servers.js";

// A busy machine is no outage.
const timeoutMs = 10_000;
const log = { warn: () => {} };

let servers: PrivateRedisCluster;
let cluster: Cluster;

beforeAll(async () => {
  servers = await privateRedisCluster();
  cluster = new Cluster([...servers.nodes]);
});

afterAll(async () => {
  cluster?.disconnect();
  await servers?.stop();
});

describe("Redis live updates on a Cluster", () => {
  liveConformance({
    test,
    reach: "shared",
    factory: async () => {
      const options = { keyPrefix: testKeyPrefix(), timeoutMs, log };
      const [live, peer] = [redisLive(cluster, options), redisLive(cluster, options)];
      return { live, peer, dispose: async () => void (await Promise.all([live.close(), peer.close()])) };
    },
  });
});

test("a prefix of the client's own applies to channels and keys of a Cluster", async () => {
  const prefixed = cluster.duplicate([], { keyPrefix: "outer:" });
  const options = { keyPrefix: testKeyPrefix(), timeoutMs, log };
  const [live, plain] = [redisLive(prefixed, options), redisLive(cluster, options)];
  const [own, others] = [recorder(), recorder()];
  await live.subscribe("job", own);
  await plain.subscribe("job", others);
  await live.publish([progressOf("job", 1)]);
  await plain.publish([progressOf("job", 2)]);
  await Promise.all([own.hears(1), others.hears(1)]);
  expect([own.heard, others.heard]).toEqual([[progressOf("job", 1)], [progressOf("job", 2)]]);
  expect(await live.latest(["job"])).toEqual([progressOf("job", 1)]);
  await Promise.all([live.close(), plain.close()]);
  prefixed.disconnect();
});

test("a node that loses its subscriber is replaced by any other, with one gap", async () => {
  const keyPrefix = testKeyPrefix();
  const live = redisLive(cluster, { keyPrefix, timeoutMs, retryMs: 50, log });
  const job = recorder();
  let gaps = 0;
  await live.subscribe("job", { ...job, onGap: () => void gaps++ });
  const channel = `${keyPrefix}:live:job`;
  for (const each of servers.nodes) {
    const node = new Redis({ ...each });
    const [, count] = (await node.call("pubsub", "numsub", channel)) as unknown[];
    const isIts = Number(count) > 0;
    if (isIts) await node.call("client", "kill", "type", "pubsub");
    await node.quit();
    // The next may have the subscriber that replaces it by now.
    if (isIts) break;
  }
  await eventually(() => expect(gaps).toBe(1));
  await live.publish([progressOf("job", 1)]);
  await job.hears(1);
  await live.close();
});
