import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ThrottleAdapter } from "../../src/ports/throttle.js";
import { watch } from "../engine/engine-on.js";
import { eventually } from "../support/eventually.js";
import { privateRedis, redisUrl } from "../support/servers.js";
import { elapse, untilInTime } from "../support/simulated-timers.js";
import {
  behindProxy,
  keyPrefix,
  longMs,
  onWarning,
  outages,
  proxy,
  proxyUrl,
  reasons,
  recoveries,
  retryMs,
  throttleAt,
  timeoutMs,
  untilShared,
  warnings,
  watchedBehindProxy,
  withRedisThrottles,
} from "./redis-throttles.js";

withRedisThrottles();

const ended = (client: Redis | undefined) => new Promise<void>((resolve) => client?.once("end", resolve));

/** A server that does with each connection as it is told; answers its URL. */
async function serverThat(take: (socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    take(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("calls that come before there is a connection share one", async () => {
  const throttle = behindProxy();
  await Promise.all(["a", "b", "c"].map((key) => throttle.acquire([key], longMs)));
  expect(proxy.connections).toBe(1);
});

test("a connection that was lost is replaced by one, whoever asks first", async () => {
  const { throttle, made } = watchedBehindProxy();
  await throttle.acquire(["a"], longMs);
  const lost = ended(made()[0]);
  proxy.cut();
  await lost;
  await throttle.acquire(["b"], longMs);
  await elapse(2 * retryMs);
  expect(made()).toHaveLength(2);
});

test("going away again and again is an outage each time", async () => {
  const throttle = behindProxy();
  for (let time = 1; time <= 2; time++) {
    await proxy.refuse();
    await throttle.acquire([`away ${time}`], longMs);
    await proxy.accept();
    await untilInTime(() => expect([outages(), recoveries()]).toEqual([time, time]));
  }
});

test("an outage is one, though a call that was asked later fails when Redis is back", async () => {
  const throttle = behindProxy({ timeoutMs: 1_000, retryMs: 1 });
  await throttle.acquire(["warm"], longMs);
  proxy.dropReplies();
  // A new connection works, while the end of the one before is not heard of.
  onWarning(() => proxy.halfOpen());
  const first = watch(throttle.acquire(["a"], longMs));
  await eventually(() => expect(proxy.droppedReplies).toBe(1));
  await elapse(500);
  const later = watch(throttle.acquire(["b"], longMs));
  await eventually(() => expect(proxy.droppedReplies).toBe(2));
  await elapse(500);
  await elapse(1);
  await eventually(() => expect([outages(), recoveries()]).toEqual([1, 1]));
  expect([first.value, later.value]).toEqual([[0], undefined]);
  await elapse(500);
  expect(later.value).toEqual([0]);
  expect([outages(), recoveries()]).toEqual([1, 1]);
});

test.each([
  { allowedMs: timeoutMs, waitedMs: 1_000 },
  { allowedMs: 1_300, waitedMs: 1_300 },
])(
  "a Redis that does not answer is given up after $waitedMs ms where $allowedMs ms are allowed, and tried again",
  async (each) => {
    let tries = 0;
    const url = await serverThat(() => tries++);
    const throttle = throttleAt(url, { timeoutMs: each.allowedMs });
    const first = watch(throttle.acquire(["a"], longMs));
    await eventually(() => expect(tries).toBe(1));
    await elapse(each.waitedMs - 1);
    expect(first.value).toBeUndefined();
    await elapse(1);
    expect(first.value).toEqual([0]);
    expect(reasons()).toEqual([`no answer within ${each.waitedMs} ms`]);
    await untilInTime(() => expect(tries).toBeGreaterThan(1));
  },
);

test("a Redis that connects but takes no writes is given up after the time allowed for an answer", async () => {
  await using server = await privateRedis();
  const client = new Redis(server.url);
  await client.call("client", "pause", 60_000, "write");
  const first = watch(throttleAt(server.url).acquire(["a"], longMs));
  await eventually(async () => expect(await client.info("clients")).toContain("blocked_clients:1"));
  await elapse(timeoutMs - 1);
  expect(first.value).toBeUndefined();
  await elapse(1);
  expect(first.value).toEqual([0]);
  await client.quit();
});

test("a Redis that resets every connection is tried again after a pause, not at once", async () => {
  let tries = 0;
  const url = await serverThat((socket) => {
    tries++;
    socket.resetAndDestroy();
  });
  const throttle = throttleAt(url);
  await throttle.acquire(["a"], longMs);
  for (let expected = 1; expected <= 3; expected++) {
    await eventually(() => expect(tries).toBe(expected));
    await elapse(retryMs - 1);
    expect(tries).toBe(expected);
    await elapse(1);
  }
});

describe("why Redis is out of reach is said", () => {
  async function expectSilenceIsSaid(throttle: ThrottleAdapter): Promise<void> {
    proxy.blackhole();
    const asking = throttle.acquire(["b"], longMs);
    await elapse(timeoutMs);
    await asking;
    expect(reasons()).toEqual([`no answer within ${timeoutMs} ms`]);
  }

  test("where it does not answer", async () => {
    const throttle = behindProxy();
    await throttle.acquire(["a"], longMs);
    await expectSilenceIsSaid(throttle);
  });

  test("where the connection is reset", async () => {
    const throttle = behindProxy();
    await throttle.acquire(["a"], longMs);
    proxy.blackhole();
    const asking = throttle.acquire(["b"], longMs);
    await eventually(() => expect(proxy.held).toBeGreaterThan(0));
    proxy.cut();
    expect(await asking).toEqual([0]);
    expect(reasons()).toEqual(["read ECONNRESET"]);
  });

  test("where Redis closes the connection", async () => {
    await using server = await privateRedis();
    const throttle = throttleAt(server.url);
    await throttle.acquire(["a"], longMs);
    const client = new Redis(server.url);
    await client.call("client", "pause", 60_000, "write");
    const asking = throttle.acquire(["b"], longMs);
    await eventually(async () => expect(await client.info("clients")).toContain("blocked_clients:1"));
    await client.call("client", "kill", "type", "normal", "skipme", "yes");
    expect(await asking).toEqual([0]);
    expect(reasons()).toEqual(["connection closed"]);
    await client.quit();
  });

  test("where the last try failed otherwise than the connection was lost", async () => {
    const { throttle, made } = watchedBehindProxy();
    await throttle.acquire(["a"], longMs);
    const lost = ended(made()[0]);
    await proxy.refuse();
    await lost;
    await throttle.acquire(["b"], longMs);
    expect(reasons()).toEqual([`connect ECONNREFUSED 127.0.0.1:${proxy.port}`]);
  });

  test("where a connection was used in spite of an error", async () => {
    const throttle = throttleAt(`${proxyUrl()}/999999`);
    await throttle.acquire(["a"], longMs);
    await expectSilenceIsSaid(throttle);
  });
});

describe("closing", () => {
  test("sends what was asked before", async () => {
    const throttle = behindProxy();
    await throttle.acquire(["a"], longMs);
    const asking = throttle.acquire(["b"], longMs);
    await throttle.close();
    expect(await asking).toEqual([0]);
    const client = new Redis(redisUrl());
    await eventually(async () => expect(await client.keys(`${keyPrefix}:throttle:*:b`)).toHaveLength(1));
    await client.quit();
  });

  test("ends a connection that is being opened, which is no outage", async () => {
    proxy.blackhole();
    const throttle = behindProxy({ timeoutMs: 20_000 });
    const asking = watch(throttle.acquire(["a"], longMs));
    await eventually(() => expect(proxy.connections).toBe(1));
    await throttle.close();
    await untilInTime(() => expect(asking.value).toEqual([0]));
    expect(warnings).toEqual([]);
  });

  test("opens no connection that was only asked for", async () => {
    const { throttle, made } = watchedBehindProxy();
    const asking = throttle.acquire(["a"], longMs);
    await throttle.close();
    expect(await asking).toEqual([0]);
    expect(made().map(({ status }) => status)).toEqual(["wait"]);
  });

  test("makes no more connections in an outage", async () => {
    await proxy.refuse();
    const { throttle, made } = watchedBehindProxy();
    await throttle.acquire(["a"], longMs);
    await throttle.close();
    const before = made().length;
    await elapse(4 * retryMs);
    expect(made()).toHaveLength(before);
  });

  test("leaves windows of this process to answer from, and no connection", async () => {
    const { throttle, made } = watchedBehindProxy();
    await throttle.acquire(["a"], longMs);
    await throttle.close();
    await eventually(() => expect(proxy.connections).toBe(0));
    expect((await throttle.acquire(["a"], longMs))[0]).toBeGreaterThan(0);
    expect(await throttle.acquire(["b"], longMs)).toEqual([0]);
    await elapse(4 * retryMs);
    expect([made().length, proxy.connections, warnings]).toEqual([1, 0, []]);
  });

  test("in the middle of an outage ends the tries", async () => {
    await proxy.refuse();
    const throttle = behindProxy();
    await throttle.acquire(["a"], longMs);
    await throttle.close();
    await proxy.accept();
    await untilShared(behindProxy());
    expect(proxy.connections).toBe(1);
  });
});
