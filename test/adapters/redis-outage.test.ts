import { execFileSync } from "node:child_process";
import { Redis } from "ioredis";
import { describe, expect, test, vi } from "vitest";
import { watch } from "../engine/engine-on.js";
import { eventually } from "../support/eventually.js";
import { privateRedis, redisUrl } from "../support/servers.js";
import { elapse, untilInTime } from "../support/simulated-timers.js";
import {
  behindProxy,
  direct,
  expectShared,
  longMs,
  outages,
  proxy,
  recoveries,
  throttleAt,
  timeoutMs,
  untilShared,
  warnings,
  withRedisThrottles,
} from "./redis-throttles.js";

const connectMs = 1_000;

withRedisThrottles();

describe("a Redis that refuses connections", () => {
  test("is answered for at once from windows of this process, with one warning", async () => {
    await proxy.refuse();
    const throttle = behindProxy();
    expect(await throttle.acquire(["a", "b"], longMs)).toEqual([0, 0]);
    for (let call = 0; call < 50; call++) {
      const [again] = await throttle.acquire(["a"], longMs);
      expect(again).toBeGreaterThan(0);
    }
    expect(warnings).toEqual([
      {
        message: "Redis is out of reach: each process throttles for itself until it answers",
        details: { reason: `connect ECONNREFUSED 127.0.0.1:${proxy.port}` },
      },
    ]);
  });

  test("is used again when it is back, which is said once", async () => {
    await proxy.refuse();
    const throttle = behindProxy();
    await throttle.acquire(["a"], longMs);
    await proxy.accept();
    await untilShared(throttle);
    expect([outages(), recoveries()]).toEqual([1, 1]);
  });
});

describe("a Redis that goes away while it is used", () => {
  test("a window taken through it holds in this process", async () => {
    const throttle = behindProxy();
    await throttle.acquire(["a"], longMs);
    await proxy.refuse();
    const waits = await throttle.acquire(["a", "b"], longMs);
    expect(waits[0]).toBeGreaterThan(longMs - 10_000);
    expect(waits[1]).toBe(0);
  });

  test("an idle connection that is cut is replaced without a warning", async () => {
    const throttle = behindProxy();
    await direct().acquire(["a"], longMs);
    expect((await throttle.acquire(["a"], longMs))[0]).toBeGreaterThan(0);
    proxy.cut();
    await untilInTime(() => expect(proxy.connections).toBe(1));
    expect((await throttle.acquire(["a"], longMs))[0]).toBeGreaterThan(0);
    expect(warnings).toEqual([]);
  });

  test("a kill and a restart of the server leave nothing unhandled", async () => {
    await using server = await privateRedis();
    const throttle = throttleAt(server.url);
    await throttle.acquire(["a"], longMs);
    const asking = Array.from({ length: 20 }, (_, index) => throttle.acquire([`b ${index}`], longMs));
    await server.kill();
    expect((await Promise.all(asking)).flat()).toEqual(new Array(20).fill(0));
    await throttle.acquire(["c"], longMs);
    await server.restart();
    await untilShared(throttle, throttleAt(server.url));
  });
});

describe("a Redis that does not answer", () => {
  test("holds one call up for the time allowed and no later one, then is used again", async () => {
    const throttle = behindProxy();
    await throttle.acquire(["warm"], longMs);
    proxy.blackhole();
    const first = watch(throttle.acquire(["a"], longMs));
    await elapse(timeoutMs - 1);
    expect(first.value).toBeUndefined();
    await elapse(1);
    expect(first.value).toEqual([0]);
    for (let call = 0; call < 20; call++) {
      expect(await throttle.acquire([`b ${call}`], longMs)).toEqual([0]);
      await elapse(60);
    }
    await proxy.accept();
    await untilShared(throttle);
    expect([outages(), recoveries()]).toEqual([1, 1]);
    await eventually(() => expect(proxy.connections, "a connection that was given up is still open").toBe(1));
  });

  test("holds the very first call up for a second at most, and closing no longer", async () => {
    proxy.blackhole();
    const throttle = behindProxy();
    const first = watch(throttle.acquire(["a"], longMs));
    await elapse(connectMs);
    expect(first.value).toEqual([0]);
    const closed = watch(throttle.close().then(() => "closed"));
    await elapse(connectMs);
    expect(closed.value).toBe("closed");
  });

  test("is not used while it is slower than the time allowed", async () => {
    const throttle = behindProxy({ timeoutMs: 40 });
    await throttle.acquire(["warm"], longMs);
    proxy.delay(60);
    const first = watch(throttle.acquire(["a"], longMs));
    await elapse(40);
    expect(first.value).toEqual([0]);
    await untilInTime(() => expect(proxy.connections).toBeGreaterThan(1));
    for (let call = 0; call < 5; call++) expect(await throttle.acquire([`b ${call}`], longMs)).toEqual([0]);
    await proxy.accept();
    await untilShared(throttle);
    expect([outages(), recoveries()]).toEqual([1, 1]);
  });
});

test("a reply that is lost takes the window once: for this process, and for the others", async () => {
  const throttle = behindProxy();
  await throttle.acquire(["warm"], longMs);
  proxy.dropReplies();
  const first = watch(throttle.acquire(["a"], longMs));
  await eventually(() => expect(proxy.droppedReplies).toBe(1));
  await elapse(timeoutMs);
  expect(first.value).toEqual([0]);
  const others = await direct().acquire(["a"], longMs);
  expect(others[0]).toBeGreaterThan(0);
  await proxy.accept();
  await untilShared(throttle);
  expect((await throttle.acquire(["a"], longMs))[0]).toBeGreaterThan(0);
});

test("an answer that came while the process was busy is no outage", async () => {
  vi.useRealTimers();
  const [throttle, peer] = [direct(), throttleAt(redisUrl(), { timeoutMs: 10_000 })];
  await peer.acquire(["a"], longMs);
  await eventually(() => expectShared(throttle, peer));
  const before = outages();
  const asking = throttle.acquire(["a"], longMs);
  const busyUntil = performance.now() + timeoutMs + 200;
  pingRedis();
  while (performance.now() < busyUntil);
  expect((await asking)[0]).toBeGreaterThan(0);
  expect(outages()).toBe(before);
});

/** Blocks this process until Redis has answered another, and hence whatever it was asked before. */
function pingRedis(): void {
  const ping = `import { Redis } from "ioredis";
    const redis = new Redis(process.argv[1]);
    await redis.ping();
    redis.disconnect();`;
  execFileSync(process.execPath, ["--input-type=module", "--eval", ping, redisUrl()]);
}

test("a flushed script cache is filled again unnoticed", async () => {
  await using server = await privateRedis();
  const [throttle, peer] = [throttleAt(server.url), throttleAt(server.url)];
  await throttle.acquire(["a"], longMs);
  const client = new Redis(server.url);
  await client.script("FLUSH");
  await client.quit();
  expect((await throttle.acquire(["a", "b"], longMs)).map((wait) => wait === 0)).toEqual([false, true]);
  expect((await peer.acquire(["b"], longMs))[0]).toBeGreaterThan(0);
  expect(outages()).toBe(0);
});

test("a server that refuses to write is left alone, with one warning and its reason", async () => {
  await using server = await privateRedis(["--maxmemory", "1", "--maxmemory-policy", "noeviction"]);
  const throttle = throttleAt(server.url);
  const client = new Redis(server.url);
  expect(await throttle.acquire(["a"], longMs)).toEqual([0]);
  const connections = async () => Number(/total_connections_received:(\d+)/.exec(await client.info("stats"))?.[1]);
  const before = await connections();
  await untilInTime(async () => expect(await connections()).toBeGreaterThan(before + 2));
  expect((await throttle.acquire(["a"], longMs))[0]).toBeGreaterThan(0);
  expect([outages(), recoveries()]).toEqual([1, 0]);
  expect(JSON.stringify(warnings)).toContain("OOM command not allowed");
  await throttle.close();
  await eventually(async () => expect(await client.info("clients")).toContain("connected_clients:1\r"));
  await client.quit();
});

test("a password is used, and is in no warning, right or wrong", async () => {
  await using server = await privateRedis(["--requirepass", "s3cret-right"]);
  const at = (password: string) => `redis://:${password}@127.0.0.1:${server.port}`;
  const right = throttleAt(at("s3cret-right"));
  await right.acquire(["a"], longMs);
  expect((await throttleAt(at("s3cret-right")).acquire(["a"], longMs))[0]).toBeGreaterThan(0);
  expect(await throttleAt(at("s3cret-wrong")).acquire(["a"], longMs)).toEqual([0]);
  await server.kill();
  await right.acquire(["b"], longMs);
  expect(outages()).toBe(2);
  expect(JSON.stringify(warnings)).not.toContain("s3cret");
  expect(JSON.stringify(warnings)).toContain("WRONGPASS");
}, 30_000);
