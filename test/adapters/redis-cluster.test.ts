import { Cluster, Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { redisDedupe, redisThrottle } from "../../src/adapters/redis/index.js";
import { keySlot } from "../../src/adapters/redis/key-slot.js";
import { dedupeConformance, throttleConformance } from "../../src/conformance/index.js";
import { watch } from "../engine/engine-on.js";
import { eventually } from "../support/eventually.js";
import { type PrivateRedisCluster, privateRedisCluster, testKeyPrefix } from "../support/servers.js";
import { elapse, simulateTimers } from "../support/simulated-timers.js";

const longMs = 60_000;
// A busy machine is no outage.
const timeoutMs = 10_000;

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

const both = <T>(make: () => T) => [make(), make()] as const;

describe("the Redis throttle on a Cluster", () => {
  throttleConformance({
    test,
    factory: async () => {
      const keyPrefix = testKeyPrefix();
      const [throttle, peer] = both(() => redisThrottle(cluster, { keyPrefix, timeoutMs }));
      return { throttle, peer, dispose: async () => void (await Promise.all([throttle.close(), peer.close()])) };
    },
  });

  test("one call takes keys on every master", async () => {
    const keyPrefix = testKeyPrefix();
    const throttle = redisThrottle(cluster, { keyPrefix, timeoutMs });
    await throttle.acquire(
      Array.from({ length: 100 }, (_, index) => `job ${index}`),
      longMs,
    );
    const taken = await Promise.all(cluster.nodes("master").map((node) => node.keys(`${keyPrefix}:throttle:*`)));
    expect(taken.flat()).toHaveLength(100);
    for (const keys of taken) expect(keys.length).toBeGreaterThan(0);
    await throttle.close();
  });

  test.each(["plain:", "{tagged}:", "un{matched:", "{}empty:"])(
    "a prefix of the client's, %s, keeps keys in their slots",
    async (outer) => {
      const keyPrefix = testKeyPrefix();
      const prefixed = cluster.duplicate([], { keyPrefix: outer });
      const throttle = redisThrottle(prefixed, { keyPrefix, timeoutMs });
      const warnings: string[] = [];
      const peer = redisThrottle(prefixed, {
        keyPrefix,
        timeoutMs,
        log: { warn: (message) => void warnings.push(message) },
      });
      const keys = Array.from({ length: 200 }, (_, index) => `job ${index}`);
      await throttle.acquire(keys, longMs);
      expect((await peer.acquire(keys, longMs)).every((wait) => wait > 0)).toBe(true);
      expect(warnings).toEqual([]);
      await Promise.all([throttle.close(), peer.close()]);
      prefixed.disconnect();
    },
  );

  test("a flushed script cache is filled again unnoticed, on every master", async () => {
    const keyPrefix = testKeyPrefix();
    const warnings: string[] = [];
    const throttle = redisThrottle(cluster, {
      keyPrefix,
      timeoutMs,
      log: { warn: (message) => void warnings.push(message) },
    });
    const keys = Array.from({ length: 100 }, (_, index) => `job ${index}`);
    await throttle.acquire(keys, longMs);
    await Promise.all(cluster.nodes("master").map((node) => node.script("FLUSH")));
    expect((await throttle.acquire(keys, longMs)).every((wait) => wait > 0)).toBe(true);
    expect(warnings).toEqual([]);
    await throttle.close();
  });

  test("the client is left as it was", async () => {
    const listeners = () => cluster.eventNames().map((name) => [name, cluster.listenerCount(name)]);
    const before = listeners();
    const throttle = redisThrottle(cluster, { keyPrefix: testKeyPrefix(), timeoutMs });
    await throttle.acquire(["job"], longMs);
    await throttle.close();
    expect(listeners()).toEqual(before);
    expect(await cluster.ping()).toBe("PONG");
  });
});

describe("the Redis dedupe on a Cluster", () => {
  dedupeConformance({
    test,
    factory: async () => {
      const keyPrefix = testKeyPrefix();
      const [dedupe, peer] = both(() => redisDedupe(cluster, { keyPrefix, timeoutMs }));
      return { dedupe, peer, dispose: async () => void (await Promise.all([dedupe.close(), peer.close()])) };
    },
  });
});

test("slots are those of the server", async () => {
  for (const key of ["123456789", "a{b}c", "{}x", "{", "}{a}", "ключ", "{{a}}", "worker-progress:throttle:{42}"]) {
    expect(keySlot(key)).toBe(await cluster.call("cluster", "keyslot", key));
  }
});

/** So that only asking every master shows that the first is lost, until the others notice after a second. */
function prefixTriedOnASurvivor(): string {
  const prefix = testKeyPrefix();
  return keySlot(`${prefix}:throttle:try`) > 16_384 / 3 ? prefix : prefixTriedOnASurvivor();
}

/** Waits for what takes the servers their time. */
function asTimePasses(assertions: () => void | Promise<void>): Promise<void> {
  const passing = async () => {
    await elapse(20);
    await assertions();
  };
  return eventually(passing, { timeoutMs: 20_000, everyMs: 20 });
}

test("a Cluster is not used while one of its masters says that it is not whole", async () => {
  const warnings: string[] = [];
  const log = { warn: (message: string) => void warnings.push(message) };
  const tries = vi.spyOn(cluster, "duplicate");
  const options = { log, timeoutMs: 1_000, retryMs: 10 };
  const throttle = redisThrottle(cluster, { keyPrefix: prefixTriedOnASurvivor(), ...options });
  const first = new Redis({ ...servers.nodes[0] });
  const state = async () => /cluster_state:(\w+)/.exec(await first.cluster("INFO"))?.[1];
  await first.cluster("DELSLOTS", 0);
  await eventually(async () => expect(await state()).toBe("fail"));
  await throttle.acquire(["a"], longMs);
  // ioredis asks a node of its choice, too: by then it has chosen each.
  await eventually(() => expect(tries.mock.calls.length).toBeGreaterThan(5));
  expect(warnings).toEqual([expect.stringContaining("Redis is out of reach")]);
  await first.cluster("ADDSLOTS", 0);
  await eventually(() => expect(warnings.at(-1)).toBe("Redis answers again"));
  tries.mockRestore();
  first.disconnect();
  await throttle.close();
});

test("a Cluster that lost a master is answered for locally within the time allowed, and used again when it is whole", async () => {
  const keyPrefix = prefixTriedOnASurvivor();
  const warnings: string[] = [];
  const log = { warn: (message: string) => void warnings.push(message) };
  simulateTimers();
  const throttle = redisThrottle(cluster, { keyPrefix, log, timeoutMs: 200, retryMs: 50 });
  const keys = (label: string) => Array.from({ length: 100 }, (_, index) => `${label} ${index}`);
  await throttle.acquire(keys("before"), longMs);
  await servers.kill();
  const during = watch(throttle.acquire(keys("during"), longMs));
  await elapse(200);
  expect(during.value?.every((wait) => wait === 0)).toBe(true);
  expect((await throttle.acquire(keys("before"), longMs)).every((wait) => wait > 0)).toBe(true);
  const survivor = new Redis({ ...servers.nodes[1] });
  await asTimePasses(async () => expect(await survivor.cluster("INFO")).toContain("cluster_state:fail"));
  survivor.disconnect();
  expect(warnings).toHaveLength(1);
  await servers.restart();
  await asTimePasses(() => expect(warnings.at(-1)).toBe("Redis answers again"));
  expect((await throttle.acquire(keys("after"), longMs)).every((wait) => wait === 0)).toBe(true);
  expect(warnings).toHaveLength(2);
  await throttle.close();
});
