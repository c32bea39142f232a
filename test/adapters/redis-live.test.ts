import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { redisLive } from "../../src/adapters/redis/index.js";
import { liveConformance } from "../../src/conformance/index.js";
import { cancellationOf, progressOf, recorder, storedOf } from "../../src/conformance/live-fixtures.js";
import type { LiveAdapter, LiveMessage } from "../../src/ports/live.js";
import { eventually } from "../support/eventually.js";
import { redisUrl, testKeyPrefix } from "../support/servers.js";

// A busy machine is no outage.
const timeoutMs = 10_000;
const log = { warn: () => {} };

let redis: Redis;
let keyPrefix: string;
let open: LiveAdapter[];

beforeAll(() => {
  redis = new Redis(redisUrl());
});

afterAll(() => redis.quit());

beforeEach(() => {
  keyPrefix = testKeyPrefix();
  open = [];
});

afterEach(async () => {
  await Promise.all(open.map((live) => live.close()));
});

function liveOn(source: Redis | string, prefix = keyPrefix): LiveAdapter {
  const live = redisLive(source, { keyPrefix: prefix, timeoutMs, log });
  open.push(live);
  return live;
}

/** How many subscribed connections Redis has for a channel. */
async function subscribers(channel: string): Promise<number> {
  return Number(((await redis.call("pubsub", "numsub", channel)) as unknown[])[1]);
}

describe.each(["a URL", "RESP3", "RESP2", "a client with a prefix"])("Redis live updates by %s", (name) => {
  let client: Redis;

  beforeAll(() => {
    const options =
      { "a client with a prefix": { keyPrefix: "{outer}/" }, RESP2: { protocol: 2 as const } }[name] ?? {};
    client = redis.duplicate(options);
  });

  afterAll(() => client.quit());

  liveConformance({
    test,
    reach: "shared",
    factory: async () => {
      const source = name === "a URL" ? redisUrl() : client;
      const options = { keyPrefix: testKeyPrefix(), timeoutMs, log };
      const [live, peer] = [redisLive(source, options), redisLive(source, options)];
      return { live, peer, dispose: async () => void (await Promise.all([live.close(), peer.close()])) };
    },
  });
});

describe("channels and keys", () => {
  test("carry the client's own prefix and the adapter's, and the key expires within a minute", async () => {
    const outer = testKeyPrefix();
    const prefixed = redis.duplicate({ keyPrefix: `${outer}/` });
    const [live, foreign] = [liveOn(prefixed), liveOn(redisUrl())];
    const [own, others] = [recorder(), recorder()];
    const leave = await live.subscribe("42", own);
    await foreign.subscribe("42", others);
    expect(await subscribers(`${outer}/${keyPrefix}:live:42`)).toBe(1);
    await foreign.publish([progressOf("42", 1)]);
    await live.publish([progressOf("42", 2)]);
    await Promise.all([own.hears(1), others.hears(1)]);
    expect([own.heard, others.heard]).toEqual([[progressOf("42", 2)], [progressOf("42", 1)]]);
    expect(await live.latest(["42"])).toEqual([progressOf("42", 2)]);
    expect(JSON.parse(String(await redis.get(`${outer}/${keyPrefix}:latest:{0}:42`)))).not.toHaveProperty("jobId");
    leave();
    await eventually(async () => expect(await subscribers(`${outer}/${keyPrefix}:live:42`)).toBe(0));
    const left = await redis.pttl(`${outer}/${keyPrefix}:latest:{0}:42`);
    expect(left).toBeGreaterThan(50_000);
    expect(left).toBeLessThanOrEqual(60_000);
    await prefixed.quit();
  });

  test("of another keyPrefix are not heard", async () => {
    const [live, other] = [liveOn(redisUrl()), liveOn(redisUrl(), testKeyPrefix())];
    const [job, cancellations] = [recorder(), recorder()];
    await live.subscribe("42", job);
    await live.subscribeCancellations(cancellations);
    await other.publish([progressOf("42", 1), cancellationOf("42")]);
    await live.publish([progressOf("42", 2), cancellationOf("43")]);
    await Promise.all([job.hears(1), cancellations.hears(1)]);
    expect(job.heard).toEqual([progressOf("42", 2)]);
    expect(cancellations.heard).toEqual([cancellationOf("43")]);
  });

  test("hold a message of bounded size: text that is too long is left out", async () => {
    const live = liveOn(redisUrl());
    const huge = { ...storedOf("job", 50), message: "x".repeat(100_000) };
    await live.publish([huge]);
    expect(await live.latest(["job"])).toEqual([{ ...huge, message: null }]);
    const cancellations = recorder();
    await live.subscribeCancellations(cancellations);
    await live.publish([cancellationOf("job", "x".repeat(100_000))]);
    await cancellations.hears(1);
    expect(cancellations.heard).toEqual([cancellationOf("job")]);
  });
});

test("a message of the greatest size is kept whole, one of a character more is not", async () => {
  const live = liveOn(redisUrl());
  const { jobId, ...news } = { ...storedOf("job", 50), message: "" };
  const room = 65_536 - JSON.stringify(news).length;
  const [largest, larger] = [room, room + 1].map((length) => ({ jobId, ...news, message: "x".repeat(length) }));
  await live.publish([largest as LiveMessage]);
  expect(await live.latest(["job"])).toEqual([largest]);
  await live.publish([larger as LiveMessage]);
  expect(await live.latest(["job"])).toEqual([{ ...larger, message: null }]);
});

test("a wish to cancel is kept under no key", async () => {
  const live = liveOn(redisUrl());
  await live.publish([cancellationOf("job")]);
  expect(await redis.keys(`${keyPrefix}:cancellations*`)).toEqual([]);
});

test("one who begins to listen while a message is told does not hear that message", async () => {
  const live = liveOn(redisUrl());
  const [late, early] = [recorder(), recorder()];
  await live.subscribe("job", { onMessage: () => void live.subscribe("job", late), onGap: () => {} });
  await live.subscribe("job", early);
  await live.publish([progressOf("job", 1)]);
  await early.hears(1);
  expect(late.heard).toEqual([]);
});

test.each([new Error("broken"), "broken"])("a listener that throws is logged: %s", async (thrown) => {
  const warnings: unknown[] = [];
  const live = redisLive(redisUrl(), { keyPrefix, timeoutMs, log: { warn: (...all) => void warnings.push(all) } });
  open.push(live);
  const onMessage = () => {
    throw thrown;
  };
  await live.subscribe("job", { onMessage, onGap: () => {} });
  await live.publish([progressOf("job", 1)]);
  await eventually(() => expect(warnings).toEqual([["A listener of live updates failed", { reason: "broken" }]]));
});

test("what is behind does not make what is kept last longer", async () => {
  const live = liveOn(redisUrl());
  await live.publish([progressOf("job", 50)]);
  await redis.pexpire(`${keyPrefix}:latest:{26}:job`, 10_000);
  await live.publish([progressOf("job", 49)]);
  expect(await live.latest(["job"])).toEqual([progressOf("job", 50)]);
  expect(await redis.pttl(`${keyPrefix}:latest:{26}:job`)).toBeLessThanOrEqual(10_000);
});

describe("what lies under a job's key is replaced", () => {
  const ahead = JSON.stringify({ ...progressOf("job", 90), attempt: 9 });

  test.each<[string, (key: string) => Promise<unknown>]>([
    ["where it is no JSON", (key) => redis.set(key, "no JSON", "PX", 30_000)],
    ["where it is a number", (key) => redis.set(key, "42", "PX", 30_000)],
    ["where it has no attempt", (key) => redis.set(key, '{"progress":90}', "PX", 30_000)],
    ["where its attempt is text", (key) => redis.set(key, '{"attempt":"9","progress":90}', "PX", 30_000)],
    ["where it has no percent", (key) => redis.set(key, '{"attempt":1}', "PX", 30_000)],
    ["where it would stay for good", (key) => redis.set(key, ahead)],
    ["where it would stay for more than a minute", (key) => redis.set(key, ahead, "PX", 90_000)],
    ["where it is a list", async (key) => [await redis.rpush(key, "a"), await redis.pexpire(key, 30_000)]],
  ])("%s", async (_, leave) => {
    const live = liveOn(redisUrl());
    await leave(`${keyPrefix}:latest:{26}:job`);
    await live.publish([progressOf("job", 50)]);
    expect(await live.latest(["job"])).toEqual([progressOf("job", 50)]);
  });
});

test("a thousand jobs share one connection, each is subscribed to once and left with its last listener", async () => {
  const connections = async () => {
    const clients = String(await redis.call("client", "list", "type", "pubsub"));
    return clients.split("\n").filter((line) => line.includes(`name=${keyPrefix} `));
  };
  const named = redis.duplicate({ connectionName: keyPrefix });
  const [live, publisher] = [liveOn(named), liveOn(redisUrl())];
  const ids = Array.from({ length: 1_000 }, (_, index) => `job ${index}`);
  const listeners = ids.map(recorder);
  const leave = await Promise.all(
    [...ids, ...ids].map((id, index) => live.subscribe(id, listeners[index % 1_000] ?? recorder())),
  );
  expect(await connections()).toEqual([expect.stringContaining(" sub=1000 ")]);
  await publisher.publish(ids.map((id, index) => progressOf(id, index % 100)));
  await Promise.all(listeners.map((listener) => listener.hears(2)));
  for (const unsubscribe of leave.slice(0, 1_000)) unsubscribe();
  expect(await subscribers(`${keyPrefix}:live:job 0`)).toBe(1);
  for (const unsubscribe of leave) unsubscribe();
  await eventually(async () => expect(await subscribers(`${keyPrefix}:live:job 999`)).toBe(0));
  await named.quit();
});

test("garbage on a channel or under a key is ignored", async () => {
  const live = liveOn(redisUrl());
  const [job, cancellations] = [recorder(), recorder()];
  await live.subscribe("job", job);
  await live.subscribeCancellations(cancellations);
  const valid = { kind: "progress", attempt: 1, progress: 50, step: null, message: null, at: 1 };
  const garbage = [
    "",
    "no JSON",
    "null",
    "[]",
    "42",
    "{}",
    '{"__proto__":{"kind":"progress"}}',
    JSON.stringify({ ...valid, kind: "other" }),
    JSON.stringify({ ...valid, progress: 101 }),
    JSON.stringify({ ...valid, progress: "50" }),
    JSON.stringify({ ...valid, attempt: -1 }),
    JSON.stringify({ ...valid, at: null }),
    JSON.stringify({ ...valid, at: 1e300 }),
    JSON.stringify({ ...valid, kind: "stored", rate: null, status: "exploded" }),
    JSON.stringify({ ...valid, message: "x".repeat(100_000) }),
    JSON.stringify({ kind: "cancellation", jobId: 42 }),
    JSON.stringify({ kind: "cancellation", jobId: "job", reason: 42 }),
    Buffer.from([0xff, 0xfe, 0x00]),
  ];
  for (const each of garbage) {
    await redis.publish(`${keyPrefix}:live:job`, each);
    await redis.publish(`${keyPrefix}:cancellations`, each);
    await redis.set(`${keyPrefix}:latest:{26}:job`, each);
    expect(await live.latest(["job"])).toEqual([null]);
  }
  await redis.publish(`${keyPrefix}:live:job`, JSON.stringify(cancellationOf("job")));
  await redis.publish(`${keyPrefix}:live:job`, JSON.stringify({ ...valid, jobId: "forged", later: "field" }));
  await redis.publish(`${keyPrefix}:cancellations`, JSON.stringify({ kind: "cancellation", jobId: "without reason" }));
  await live.publish([cancellationOf("job")]);
  await Promise.all([job.hears(1), cancellations.hears(2)]);
  expect(job.heard).toEqual([{ ...valid, jobId: "job" }]);
  expect(cancellations.heard).toEqual([cancellationOf("without reason"), cancellationOf("job")]);
});

test("a client that is passed in is left as it was", async () => {
  const listeners = () => redis.eventNames().map((name) => [name, redis.listenerCount(name)]);
  const before = { listeners: listeners(), options: { ...redis.options } };
  const live = liveOn(redis);
  await live.subscribe("job", recorder());
  await live.publish([progressOf("job", 1)]);
  await live.close();
  expect({ listeners: listeners(), options: { ...redis.options } }).toEqual(before);
  expect(await redis.ping()).toBe("PONG");
});
