import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { redisLive } from "../../src/adapters/redis/index.js";
import { cancellationOf, progressOf, type Recorder, recorder } from "../../src/conformance/live-fixtures.js";
import type { LiveAdapter, Unsubscribe } from "../../src/ports/live.js";
import { eventually } from "../support/eventually.js";
import { privateRedis, redisUrl, testKeyPrefix } from "../support/servers.js";
import { type TcpProxy, tcpProxy } from "../support/tcp-proxy.js";

const timeoutMs = 200;
const slackMs = 300;
const retryMs = 50;
const notSent = "Redis is out of reach: live updates are dropped until it answers";
const notHeard = "Redis is out of reach: live updates are not heard until it answers";
const heardAgain = "Redis answers again: live updates are heard";

let redis: Redis;
let proxy: TcpProxy;
let keyPrefix: string;
let warnings: string[];
let open: { close(): Promise<void> }[];

beforeAll(() => {
  redis = new Redis(redisUrl());
});

afterAll(() => redis.quit());

beforeEach(async () => {
  proxy = await tcpProxy(redisUrl());
  keyPrefix = testKeyPrefix();
  warnings = [];
  open = [];
});

afterEach(async () => {
  await Promise.all(open.map((each) => each.close()));
  await proxy.close();
});

function liveAt(source: string | Redis, allowedMs = timeoutMs): LiveAdapter {
  const log = { warn: (message: string) => void warnings.push(message) };
  const live = redisLive(source, { keyPrefix, log, retryMs, timeoutMs: allowedMs });
  open.push(live);
  return live;
}

const behindProxy = () => liveAt(`redis://127.0.0.1:${proxy.port}`);
const direct = () => liveAt(redisUrl());

/** A listener that counts gaps, too. */
function gapRecorder(): Recorder & { readonly gaps: () => number } {
  const own = recorder();
  let gaps = 0;
  return { ...own, onGap: () => void gaps++, gaps: () => gaps };
}

async function timed<T>(work: Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const start = performance.now();
  const value = await work;
  return { value, ms: performance.now() - start };
}

/** How many subscribed connections Redis has for a job. */
async function subscribers(jobId: string): Promise<number> {
  return Number(((await redis.call("pubsub", "numsub", `${keyPrefix}:live:${jobId}`)) as unknown[])[1]);
}

/** Publishes until the listener hears something new. */
async function untilHeard(live: LiveAdapter, listener: Recorder): Promise<void> {
  const before = listener.heard.length;
  await eventually(async () => {
    await live.publish([progressOf("job", 1)]);
    expect(listener.heard.length).toBeGreaterThan(before);
  });
}

describe("a subscription that is lost", () => {
  test("is there again at once when Redis killed its connection, with one gap per listener and no warning", async () => {
    const named = redis.duplicate({ connectionName: keyPrefix });
    const [live, publisher] = [liveAt(named), direct()];
    const [job, other, cancellations] = [gapRecorder(), gapRecorder(), gapRecorder()];
    await live.subscribe("job", job);
    await live.subscribe("other", other);
    await live.subscribeCancellations(cancellations);
    await publisher.publish([progressOf("job", 1)]);
    await job.hears(1);
    const clients = String(await redis.call("client", "list", "type", "pubsub")).split("\n");
    const id = /^id=(\d+) /.exec(clients.find((line) => line.includes(`name=${keyPrefix} `)) ?? "")?.[1];
    expect(await redis.call("client", "kill", "id", String(id))).toBe(1);
    await eventually(() => expect([job.gaps(), other.gaps(), cancellations.gaps()]).toEqual([1, 1, 1]));
    await publisher.publish([progressOf("job", 2), progressOf("other", 3), cancellationOf("job")]);
    await Promise.all([job.hears(2), other.hears(1), cancellations.hears(1)]);
    expect(job.heard).toEqual([progressOf("job", 1), progressOf("job", 2)]);
    expect([job.gaps(), warnings]).toEqual([1, []]);
    await named.quit();
  });

  test("is noticed when the network goes silent, and is there again when it is back", async () => {
    const [live, publisher, job] = [behindProxy(), direct(), gapRecorder()];
    await live.subscribe("job", job);
    proxy.blackhole();
    await eventually(() => expect(warnings).toEqual([notHeard]));
    expect(job.gaps()).toBe(0);
    proxy.cut();
    await proxy.accept();
    await eventually(() => expect(job.gaps()).toBe(1));
    await publisher.publish([progressOf("job", 1)]);
    await job.hears(1);
    expect(warnings).toEqual([notHeard, heardAgain]);
  });

  test("comes back with every job that is still listened to, and no other", async () => {
    const live = behindProxy();
    const ids = Array.from({ length: 1_200 }, (_, index) => `job ${index}`);
    const listeners = ids.map(gapRecorder);
    const leave = await Promise.all(ids.map((id, index) => live.subscribe(id, listeners[index] as Recorder)));
    await proxy.refuse();
    await eventually(() => expect(warnings).toEqual([notHeard]));
    for (const unsubscribe of leave.slice(0, 100)) unsubscribe();
    await proxy.accept();
    await eventually(() => expect(listeners.filter((each) => each.gaps() === 1)).toHaveLength(1_100));
    await direct().publish(ids.map((id) => progressOf(id, 5)));
    await Promise.all(listeners.slice(100).map((each) => each.hears(1)));
    expect(listeners.slice(0, 100).every((each) => each.heard.length === 0 && each.gaps() === 0)).toBe(true);
  });

  test("survives a restart of the server", async () => {
    await using server = await privateRedis();
    const [live, job] = [liveAt(server.url), gapRecorder()];
    await live.subscribe("job", job);
    await live.publish([progressOf("job", 1)]);
    await job.hears(1);
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
    const first = await timed(Promise.all([live.publish([progressOf("job", 1)]), live.subscribe("job", job)]));
    expect(first.ms).toBeLessThan(1_000 + slackMs);
    for (let call = 0; call < 20; call++) {
      const later = await timed(
        Promise.all([live.publish([progressOf("job", 2)]), live.latest(["job"]), live.subscribe("other", job)]),
      );
      expect(later.ms).toBeLessThan(100);
      expect(later.value[1]).toEqual([null]);
    }
    expect([...warnings].sort()).toEqual([notSent, notHeard].sort());
  });

  test("is used when it comes: a gap is told, and nothing that was dropped arrives", async () => {
    await proxy.refuse();
    const [live, job] = [behindProxy(), gapRecorder()];
    await live.subscribe("job", job);
    await live.publish([progressOf("job", 50)]);
    await proxy.accept();
    await eventually(() => expect(job.gaps()).toBe(1));
    await untilHeard(live, job);
    expect(job.heard).not.toContainEqual(progressOf("job", 50));
    expect(await live.latest(["job"])).toEqual([progressOf("job", 1)]);
  });
});

describe("ten thousand jobs over a slow network", () => {
  // Of all at once the last would be answered after more than a second, of 500 at once after 150 ms.
  const bytesPerSecond = 400_000;
  const allowedMs = 1_000;
  const slow = () => liveAt(`redis://127.0.0.1:${proxy.port}`, allowedMs);
  const listeners = () => Array.from({ length: 10_000 }, gapRecorder);
  const subscribeAll = (live: LiveAdapter, all: readonly Recorder[]) =>
    Promise.all(all.map((listener, index) => live.subscribe(`job ${index}`, listener)));

  test("are subscribed to without a gap", async () => {
    const [live, all] = [slow(), listeners()];
    await live.subscribeCancellations(recorder());
    proxy.throttle(bytesPerSecond);
    await subscribeAll(live, all);
    expect(await subscribers("job 9999")).toBe(1);
    expect([all.filter((each) => each.gaps() > 0), warnings]).toEqual([[], []]);
  });

  test("are there again with one gap each", async () => {
    const [live, all] = [slow(), listeners()];
    await subscribeAll(live, all);
    proxy.throttle(bytesPerSecond);
    proxy.cut();
    await eventually(() => expect(all.every((each) => each.gaps() > 0)).toBe(true));
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
  await eventually(() => expect(last.gaps()).toBe(1));
  expect(first.gaps()).toBe(1);
  expect(await subscribers("job 999")).toBe(0);
});

test("a Redis that stops answering holds publishing up for the time allowed, and for no time afterwards", async () => {
  const live = behindProxy();
  await live.publish([progressOf("job", 1)]);
  proxy.blackhole();
  const first = await timed(live.publish([progressOf("job", 2)]));
  expect(first.ms).toBeLessThan(timeoutMs + slackMs);
  expect((await timed(live.publish([progressOf("job", 3)]))).ms).toBeLessThan(100);
  expect(warnings).toEqual([notSent]);
});

test("closing in the middle of an outage ends the tries", async () => {
  await proxy.refuse();
  const live = behindProxy();
  await live.subscribe("job", recorder());
  await live.publish([progressOf("job", 1)]);
  expect((await timed(live.close())).ms).toBeLessThan(slackMs);
  await proxy.accept();
  const [other, job] = [behindProxy(), recorder()];
  await other.subscribe("job", job);
  await untilHeard(other, job);
  expect(proxy.connections).toBe(2);
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
  await job.hears(2);
  expect(warnings).toEqual([]);
  await live.close();
});
