import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type RedisOptions, redisLive } from "../../src/adapters/redis/index.js";
import { cancellationOf, progressOf, type Recorder, recorder } from "../../src/conformance/live-fixtures.js";
import type { LiveAdapter, Unsubscribe } from "../../src/ports/live.js";
import { watch } from "../engine/engine-on.js";
import { eventually } from "../support/eventually.js";
import { privateRedis, redisUrl, testKeyPrefix } from "../support/servers.js";
import { elapse, simulateTimers, untilInTime } from "../support/simulated-timers.js";
import { type TcpProxy, tcpProxy } from "../support/tcp-proxy.js";

const timeoutMs = 200;
const connectMs = 1_000;
const retryMs = 50;
const notSent = "Redis is out of reach: live updates are dropped until it answers";
const notHeard = "Redis is out of reach: live updates are not heard until it answers";
const heardAgain = "Redis answers again: live updates are heard";

let redis: Redis;
let proxy: TcpProxy;
let keyPrefix: string;
let warnings: string[];
let reasons: unknown[];
let open: { close(): Promise<void> }[];

beforeAll(() => {
  redis = new Redis(redisUrl());
});

afterAll(() => redis.quit());

beforeEach(async () => {
  simulateTimers();
  proxy = await tcpProxy(redisUrl());
  keyPrefix = testKeyPrefix();
  warnings = [];
  reasons = [];
  open = [];
});

afterEach(async () => {
  vi.useRealTimers();
  await proxy.close();
  await Promise.all(open.map((each) => each.close()));
});

function liveAt(source: string | Redis, options: RedisOptions = {}): LiveAdapter {
  const warn = (message: string, details?: { reason?: unknown }) => {
    warnings.push(message);
    reasons.push(details?.reason);
  };
  const live = redisLive(source, { keyPrefix, log: { warn }, retryMs, timeoutMs, ...options });
  open.push(live);
  return live;
}

const behindProxy = (options?: RedisOptions) => liveAt(`redis://127.0.0.1:${proxy.port}`, options);
const direct = () => liveAt(redisUrl());

/** A listener that counts gaps, too. */
function gapRecorder(): Recorder & { readonly gaps: () => number } {
  const own = recorder();
  let gaps = 0;
  return { ...own, onGap: () => void gaps++, gaps: () => gaps };
}

/** Waits until a listener has heard so many messages. */
async function heard(listener: Recorder, count: number): Promise<void> {
  await eventually(() => expect(listener.heard.length).toBeGreaterThanOrEqual(count));
}

/** Waits for what takes so long, no less and no more. */
async function expectToTake<T>(ms: number, work: Promise<T>): Promise<void> {
  const over = watch(work.then(() => "over"));
  await elapse(ms - 1);
  expect(over.value).toBeUndefined();
  await elapse(1);
  expect(over.value).toBe("over");
}

/** How many subscribed connections Redis has for a job. */
async function subscribers(jobId: string): Promise<number> {
  return Number(((await redis.call("pubsub", "numsub", `${keyPrefix}:live:${jobId}`)) as unknown[])[1]);
}

/** Publishes until the listener hears something new. */
async function untilHeard(live: LiveAdapter, listener: Recorder): Promise<void> {
  const before = listener.heard.length;
  await untilInTime(async () => {
    await live.publish([progressOf("job", 1)]);
    expect(listener.heard.length).toBeGreaterThan(before);
  });
}

describe("a subscription that is lost", () => {
  test("is there again at once when Redis killed its connection, with one gap per listener and no warning", async () => {
    const named = redis.duplicate({ connectionName: keyPrefix });
    // No time passes in which a sign of life would be due.
    const [live, publisher] = [liveAt(named, { retryMs: 60_000 }), direct()];
    const [job, other, cancellations] = [gapRecorder(), gapRecorder(), gapRecorder()];
    await live.subscribe("job", job);
    await live.subscribe("other", other);
    await live.subscribeCancellations(cancellations);
    await publisher.publish([progressOf("job", 1)]);
    await heard(job, 1);
    const clients = String(await redis.call("client", "list", "type", "pubsub")).split("\n");
    const id = /^id=(\d+) /.exec(clients.find((line) => line.includes(`name=${keyPrefix} `)) ?? "")?.[1];
    expect(await redis.call("client", "kill", "id", String(id))).toBe(1);
    await eventually(async () => {
      await elapse(0);
      expect([job.gaps(), other.gaps(), cancellations.gaps()]).toEqual([1, 1, 1]);
    });
    await publisher.publish([progressOf("job", 2), progressOf("other", 3), cancellationOf("job")]);
    await Promise.all([heard(job, 2), heard(other, 1), heard(cancellations, 1)]);
    expect(job.heard).toEqual([progressOf("job", 1), progressOf("job", 2)]);
    expect([job.gaps(), warnings]).toEqual([1, []]);
    await named.quit();
  });

  test("is noticed when the network goes silent, and is there again when it is back", async () => {
    const [live, publisher, job] = [behindProxy(), direct(), gapRecorder()];
    await live.subscribe("job", job);
    proxy.blackhole();
    await untilInTime(() => expect(warnings).toEqual([notHeard]));
    expect(job.gaps()).toBe(0);
    proxy.cut();
    await proxy.accept();
    await untilInTime(() => expect(job.gaps()).toBe(1));
    await publisher.publish([progressOf("job", 1)]);
    await heard(job, 1);
    expect(warnings).toEqual([notHeard, heardAgain]);
  });

  test("comes back with every job that is still listened to, and no other", async () => {
    const live = behindProxy();
    const ids = Array.from({ length: 1_200 }, (_, index) => `job ${index}`);
    const listeners = ids.map(gapRecorder);
    const leave = await Promise.all(ids.map((id, index) => live.subscribe(id, listeners[index] as Recorder)));
    await proxy.refuse();
    await untilInTime(() => expect(warnings).toEqual([notHeard]));
    for (const unsubscribe of leave.slice(0, 100)) unsubscribe();
    await proxy.accept();
    await untilInTime(() => expect(listeners.filter((each) => each.gaps() === 1)).toHaveLength(1_100));
    await direct().publish(ids.map((id) => progressOf(id, 5)));
    await Promise.all(listeners.slice(100).map((each) => heard(each, 1)));
    expect(listeners.slice(0, 100).every((each) => each.heard.length === 0 && each.gaps() === 0)).toBe(true);
  });

  test("survives a restart of the server", async () => {
    await using server = await privateRedis();
    const [live, job] = [liveAt(server.url), gapRecorder()];
    await live.subscribe("job", job);
    await live.publish([progressOf("job", 1)]);
    await heard(job, 1);
    await server.kill();
    await live.publish([progressOf("job", 2)]);
    await server.restart();
    await untilHeard(live, job);
    expect(job.gaps()).toBe(1);
    expect(job.heard).not.toContainEqual(progressOf("job", 2));
    await live.close();
  });
});

describe("a Redis that is away from the start", () => {
  test("is answered for within a second at first and at once later, each said once", async () => {
    proxy.blackhole();
    const [live, job] = [behindProxy(), gapRecorder()];
    const first = Promise.all([live.publish([progressOf("job", 1)]), live.subscribe("job", job)]);
    await eventually(() => expect(proxy.connections).toBe(2));
    await expectToTake(connectMs, first);
    for (let call = 0; call < 20; call++) {
      await live.publish([progressOf("job", 2)]);
      expect(await live.latest(["job"])).toEqual([null]);
      await live.subscribe("other", job);
      await elapse(60);
    }
    expect([...warnings].sort()).toEqual([notSent, notHeard].sort());
  });

  test("is used when it comes: a gap is told, and nothing that was dropped arrives", async () => {
    await proxy.refuse();
    const [live, job] = [behindProxy(), gapRecorder()];
    await live.subscribe("job", job);
    await live.publish([progressOf("job", 50)]);
    await proxy.accept();
    await untilInTime(() => expect(job.gaps()).toBe(1));
    await untilHeard(live, job);
    expect(job.heard).not.toContainEqual(progressOf("job", 50));
    expect(await live.latest(["job"])).toEqual([progressOf("job", 1)]);
  });
});

describe("ten thousand jobs over a slow network", () => {
  // Of all at once the last would be answered after more than a second, of 500 at once after 150 ms.
  const bytesPerSecond = 400_000;
  const allowedMs = 1_000;
  const slow = () => behindProxy({ timeoutMs: allowedMs });
  const listeners = () => Array.from({ length: 10_000 }, gapRecorder);
  const subscribeAll = (live: LiveAdapter, all: readonly Recorder[]) =>
    Promise.all(all.map((listener, index) => live.subscribe(`job ${index}`, listener)));
  /** The network takes its time, and Redis none. */
  const untilOver = (assertions: () => void) =>
    untilInTime(async () => {
      await redis.ping();
      await elapse(0);
      assertions();
    });

  test("are subscribed to without a gap", async () => {
    const [live, all] = [slow(), listeners()];
    await live.subscribeCancellations(recorder());
    proxy.throttle(bytesPerSecond);
    const subscribed = watch(subscribeAll(live, all));
    await untilOver(() => expect(subscribed.value).toBeDefined());
    expect(await subscribers("job 9999")).toBe(1);
    expect([all.filter((each) => each.gaps() > 0), warnings]).toEqual([[], []]);
  });

  test("are there again with one gap each", async () => {
    const [live, all] = [slow(), listeners()];
    await subscribeAll(live, all);
    proxy.throttle(bytesPerSecond);
    proxy.cut();
    await untilOver(() => expect(all.every((each) => each.gaps() > 0)).toBe(true));
    expect(all.filter((each) => each.gaps() > 1)).toEqual([]);
  });
});

test("jobs that are left before their turn has come are not subscribed to", async () => {
  await proxy.refuse();
  const [live, first, last] = [behindProxy(), gapRecorder(), gapRecorder()];
  const leave: Unsubscribe[] = [];
  const leaveAll = () => {
    for (const unsubscribe of leave) unsubscribe();
  };
  await live.subscribe("first", { ...first, onGap: () => [first.onGap(), leaveAll()] });
  for (let index = 0; index < 1_000; index++) leave.push(await live.subscribe(`job ${index}`, recorder()));
  await live.subscribe("last", last);
  await proxy.accept();
  await untilInTime(() => expect(last.gaps()).toBe(1));
  expect(first.gaps()).toBe(1);
  expect(await subscribers("job 999")).toBe(0);
});

test("a Redis that stops answering holds publishing up for the time allowed, and for no time afterwards", async () => {
  const live = behindProxy();
  await live.publish([progressOf("job", 1)]);
  proxy.blackhole();
  await expectToTake(timeoutMs, live.publish([progressOf("job", 2)]));
  await live.publish([progressOf("job", 3)]);
  expect(warnings).toEqual([notSent]);
});

test("closing in the middle of an outage ends the tries", async () => {
  await proxy.refuse();
  const live = behindProxy();
  await live.subscribe("job", recorder());
  await live.publish([progressOf("job", 1)]);
  await live.close();
  await proxy.accept();
  const [other, job] = [behindProxy(), recorder()];
  await other.subscribe("job", job);
  await untilHeard(other, job);
  expect(proxy.connections).toBe(2);
});

describe("why Redis is out of reach is said", () => {
  test("where it refuses the connection", async () => {
    await proxy.refuse();
    await behindProxy().subscribe("job", recorder());
    expect(reasons).toEqual([expect.stringContaining("ECONNREFUSED")]);
  });

  test("where it does not answer", async () => {
    proxy.blackhole();
    void behindProxy().subscribe("job", recorder());
    await untilInTime(() => expect(reasons).toEqual(["no answer within 1000 ms"]));
  });
});

test("a subscription that is not answered is waited for no longer than allowed, and a gap follows", async () => {
  const [live, job] = [behindProxy({ retryMs: 60_000 }), gapRecorder()];
  await live.subscribe("other", recorder());
  proxy.blackhole();
  await expectToTake(timeoutMs, live.subscribe("job", job));
  await proxy.accept();
  await untilInTime(() => expect(job.gaps()).toBe(1));
});

test("a job that is left as the connection is lost leaves nothing unhandled", async () => {
  const [live, other] = [behindProxy(), gapRecorder()];
  const leave = await live.subscribe("job", recorder());
  await live.subscribe("other", other);
  proxy.blackhole();
  leave();
  proxy.cut();
  await proxy.accept();
  await untilInTime(() => expect(other.gaps()).toBe(1));
});

test("a Redis that resets every connection is tried again after a pause, not at once", async () => {
  vi.useRealTimers();
  const tries: number[] = [];
  const server = createServer((socket) => {
    tries.push(performance.now());
    socket.resetAndDestroy();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const live = liveAt(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await live.subscribe("job", recorder());
  await eventually(() => expect(tries.length).toBeGreaterThanOrEqual(6));
  expect((tries[5] as number) - (tries[0] as number)).toBeGreaterThan(2 * retryMs);
  await live.close();
  server.close();
});

test("a try that was given up leaves no connection", async () => {
  proxy.blackhole();
  const [live, job] = [behindProxy(), gapRecorder()];
  const subscribing = live.subscribe("job", job);
  await eventually(() => expect(proxy.connections).toBe(1));
  await expectToTake(connectMs, subscribing);
  await proxy.accept();
  await untilInTime(() => expect(job.gaps()).toBe(1));
  await untilInTime(() => expect(proxy.connections).toBe(1));
});

describe("closing", () => {
  test("ends the connection, and nothing is opened afterwards", async () => {
    const live = behindProxy();
    await live.subscribe("job", recorder());
    expect(proxy.connections).toBe(1);
    await live.close();
    await eventually(() => expect(proxy.connections).toBe(0));
    proxy.blackhole();
    await live.subscribe("job", recorder());
  });

  test("does not wait for a connection that is being opened", async () => {
    proxy.blackhole();
    const live = behindProxy();
    void live.subscribe("job", recorder());
    await eventually(() => expect(proxy.connections).toBe(1));
    const closed = watch(live.close().then(() => "closed"));
    // What ioredis takes to give a connection up that does not end.
    await elapse(200);
    expect(closed.value).toBe("closed");
  });

  test("opens no connection that was only asked for", async () => {
    proxy.blackhole();
    const live = behindProxy();
    void live.subscribe("job", recorder());
    await live.close();
  });
});

test("nothing to publish or to read opens no connection", async () => {
  const live = behindProxy();
  await live.publish([]);
  expect(await live.latest([])).toEqual([]);
  expect(proxy.connections).toBe(0);
});

test("a server that refuses to write is left alone, with one warning and its reason", async () => {
  await using server = await privateRedis(["--maxmemory", "1", "--maxmemory-policy", "noeviction"]);
  const live = liveAt(server.url);
  const client = new Redis(server.url);
  const connections = async () => Number(/total_connections_received:(\d+)/.exec(await client.info("stats"))?.[1]);
  await live.publish([progressOf("job", 1)]);
  const before = await connections();
  await untilInTime(async () => expect(await connections()).toBeGreaterThan(before + 2));
  expect([warnings, reasons]).toEqual([[notSent], [expect.stringContaining("OOM")]]);
  await live.close();
  await client.quit();
});

test("a job of many listeners is subscribed to once", async () => {
  await using server = await privateRedis();
  const live = liveAt(server.url);
  for (let count = 0; count < 3; count++) await live.subscribe("job", recorder());
  const client = new Redis(server.url);
  expect(await client.info("commandstats")).toContain("cmdstat_subscribe:calls=1,");
  await client.quit();
  await live.close();
});

test("a flushed script cache is filled again unnoticed", async () => {
  await using server = await privateRedis();
  const [live, job] = [liveAt(server.url), recorder()];
  await live.subscribe("job", job);
  await live.publish([progressOf("job", 1)]);
  const client = new Redis(server.url);
  await client.script("FLUSH");
  await client.quit();
  await live.publish([progressOf("job", 2)]);
  await heard(job, 2);
  expect(warnings).toEqual([]);
  await live.close();
});
