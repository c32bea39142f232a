import { Redis } from "ioredis";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import type { Authorize } from "../../src/http/authorization.js";
import type { RateLimitOptions } from "../../src/http/rate-limit.js";
import { watch } from "../engine/engine-on.js";
import { eventually } from "../support/eventually.js";
import { privateRedis, redisUrl, testKeyPrefix } from "../support/servers.js";
import { tcpProxy } from "../support/tcp-proxy.js";
import { ask, bodyOf } from "./ask.js";
import { checkedHandler } from "./checked-handler.js";
import { FakeJobs, view } from "./fake-jobs.js";

const clients: Redis[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
});

async function connected(url: string): Promise<Redis> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => 20 });
  client.on("error", () => {});
  clients.push(client);
  await client.connect();
  return client;
}

const byKey = (request: Request) => request.headers.get("x-api-key") ?? "anybody";
const limit = { points: 3, durationSeconds: 60, key: byKey };
/** For a Redis that is there, however busy the machine is. */
const patient = { ...limit, timeoutMs: 10_000 };

function limited(rateLimit: RateLimitOptions, warnings: string[] = [], authorize: Authorize = () => true) {
  const source = new FakeJobs();
  source.set(view());
  const handler = checkedHandler(source, {
    rateLimit,
    authorize,
    log: { warn: (message) => void warnings.push(message) },
  });
  return { source, get: (key: string, path = "123") => ask(handler, path, { headers: { "x-api-key": key } }) };
}

/** Lets no second of a quota pass but those that a test lets pass. */
function standingClock(): void {
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
}

async function statuses(times: number, get: () => Promise<Response>): Promise<readonly number[]> {
  const answered: number[] = [];
  for (let i = 0; i < times; i++) answered.push((await get()).status);
  return answered;
}

test("each caller has a quota, and hears what is left of it", async () => {
  standingClock();
  const { source, get } = limited(limit);
  const first = await get("a");
  expect(first.headers.get("ratelimit-policy")).toBe('"jobs";q=3;w=60');
  expect(first.headers.get("ratelimit")).toBe('"jobs";r=2;t=60');
  expect(await statuses(2, () => get("a"))).toEqual([200, 200]);
  const refused = await get("a");
  expect([refused.status, (await bodyOf(refused)).code]).toEqual([429, "RATE_LIMITED"]);
  expect([refused.headers.get("ratelimit"), refused.headers.get("retry-after")]).toEqual(['"jobs";r=0;t=60', "60"]);
  expect(source.asked).toHaveLength(3);
  expect((await get("b")).status).toBe(200);
});

test("whoever is refused is sent away for a second or more, never for none", async () => {
  standingClock();
  const { get } = limited(limit);
  await statuses(3, () => get("a"));
  for (const [passed, seconds] of [
    [58_500, "2"],
    [1_499, "1"],
  ] as const) {
    vi.setSystemTime(Date.now() + passed);
    const { status, headers } = await get("a");
    expect([status, headers.get("retry-after"), headers.get("ratelimit")]).toEqual([
      429,
      seconds,
      `"jobs";r=0;t=${seconds}`,
    ]);
  }
});

test("guessing at ids uses the quota up, reading the document does not", async () => {
  const { get } = limited(limit);
  expect(await statuses(4, () => get("a", "openapi.json"))).toEqual([200, 200, 200, 200]);
  expect(await statuses(5, () => get("a", "404"))).toEqual([404, 404, 404, 429, 429]);
});

test("guessing at what one may not see uses the quota up, too, before anybody is asked", async () => {
  const authorize = vi.fn(() => false);
  const { get } = limited(limit, [], authorize);
  expect(await statuses(5, () => get("a"))).toEqual([404, 404, 404, 429, 429]);
  expect(authorize).toHaveBeenCalledTimes(3);
});

test.each([
  ["throws", () => JSON.parse("{")],
  ["answers nothing", () => undefined as never],
  ["rejects", () => Promise.reject(new Error("No session")) as never],
])("callers share one quota where key %s, which is said once", async (_, key) => {
  const warnings: string[] = [];
  const { get } = limited({ ...limit, key }, warnings);
  expect(await statuses(2, () => get("a"))).toEqual([200, 200]);
  expect(await statuses(2, () => get("b"))).toEqual([200, 429]);
  expect(warnings).toEqual(["Callers that rateLimit.key cannot name share one quota"]);
});

test("through Redis several processes count as one", async () => {
  const keyPrefix = testKeyPrefix();
  const rateLimit = { ...patient, keyPrefix };
  const [one, two] = [
    limited({ ...rateLimit, redis: await connected(redisUrl()) }),
    limited({ ...rateLimit, redis: await connected(redisUrl()) }),
  ];
  expect(await statuses(2, () => one.get("a"))).toEqual([200, 200]);
  expect(await statuses(2, () => two.get("a"))).toEqual([200, 429]);
  expect(await statuses(1, () => one.get("a"))).toEqual([429]);
  const redis = clients[0] as Redis;
  expect(await redis.keys(`${keyPrefix}*`)).toEqual([`${keyPrefix}:a`]);
  expect(await redis.ttl(`${keyPrefix}:a`)).toBeGreaterThan(0);
});

test("a caller's key of any length takes little room", async () => {
  const keyPrefix = testKeyPrefix();
  const redis = await connected(redisUrl());
  const { get } = limited({ ...patient, keyPrefix, redis });
  expect((await get("x".repeat(10_000))).status).toBe(200);
  expect((await redis.keys(`${keyPrefix}*`))[0]?.length).toBeLessThan(200);
});

test("a Redis that dies refuses nobody: each process counts for itself, which is said once", async () => {
  const server = await privateRedis();
  try {
    const redis = await connected(server.url);
    const warnings: string[] = [];
    const { get } = limited({ ...patient, redis }, warnings);
    expect(await statuses(1, () => get("a"))).toEqual([200]);
    await server.kill();
    expect(await statuses(5, () => get("a"))).toEqual([200, 200, 200, 429, 429]);
    expect(warnings).toEqual(["Rate limits hold per process while Redis is out of reach"]);
    await server.restart();
    await eventually(async () => {
      await get("b");
      expect(await redis.keys("*")).toContain("worker-progress:http:b");
    });
  } finally {
    await server.stop();
  }
});

test("a Redis that hangs holds one request of a second up, for timeoutMs", async () => {
  const proxy = await tcpProxy(redisUrl());
  try {
    const redis = await connected(`redis://127.0.0.1:${proxy.port}`);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const warnings: string[] = [];
    const { get } = limited({ ...limit, points: 5, keyPrefix: testKeyPrefix(), redis, timeoutMs: 800 }, warnings);
    expect(await statuses(1, () => get("a"))).toEqual([200]);
    proxy.blackhole();
    for (const next of [200, 429]) {
      const held = watch(get("a"));
      await vi.advanceTimersByTimeAsync(799);
      expect(held.value).toBeUndefined();
      await vi.advanceTimersByTimeAsync(1);
      expect(held.value?.status).toBe(200);
      expect(await statuses(2, () => get("a"))).toEqual([200, next]);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(warnings).toEqual(["Rate limits hold per process while Redis is out of reach"]);
  } finally {
    await proxy.close();
  }
});

test("a Redis that is away again is told again, and not each time that it is asked; it holds nobody up", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const keyPrefix = testKeyPrefix();
  const redis = await connected(redisUrl());
  const warnings: string[] = [];
  const { get } = limited({ ...limit, points: 100, keyPrefix, redis, timeoutMs: 2_147_483_647 }, warnings);
  const away = "Rate limits hold per process while Redis is out of reach";
  for (const told of [[away], [away, away]]) {
    redis.disconnect();
    for (let i = 0; i < 2; i++) {
      expect((await get("a")).status).toBe(200);
      vi.advanceTimersByTime(1_001);
    }
    expect(warnings).toEqual(told);
    await redis.connect();
    expect((await get("b")).status).toBe(200);
    expect(await redis.keys(`${keyPrefix}*`)).toEqual([`${keyPrefix}:b`]);
  }
});

test("a Redis that connects when it is first asked is asked", async () => {
  const keyPrefix = testKeyPrefix();
  const redis = new Redis(redisUrl(), { lazyConnect: true });
  clients.push(redis);
  const { get } = limited({ ...patient, keyPrefix, redis });
  expect((await get("a")).status).toBe(200);
  expect(await redis.keys(`${keyPrefix}*`)).toEqual([`${keyPrefix}:a`]);
});
