import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { redisThrottle } from "../../src/adapters/redis/index.js";
import { throttleConformance } from "../../src/conformance/index.js";
import { redisUrl, testKeyPrefix } from "../support/servers.js";

const longMs = 60_000;
// A busy machine is no outage.
const timeoutMs = 10_000;

describe("the Redis throttle opened from a URL", () => {
  throttleConformance({
    test,
    factory: async () => {
      const keyPrefix = testKeyPrefix();
      const [throttle, peer] = [
        redisThrottle(redisUrl(), { keyPrefix, timeoutMs }),
        redisThrottle(redisUrl(), { keyPrefix, timeoutMs }),
      ];
      return { throttle, peer, dispose: async () => void (await Promise.all([throttle.close(), peer.close()])) };
    },
  });
});

describe("the Redis throttle on a client of the caller's", () => {
  let redis: Redis;

  beforeAll(() => {
    redis = new Redis(redisUrl());
  });

  afterAll(() => redis.quit());

  throttleConformance({
    test,
    factory: async () => {
      const keyPrefix = testKeyPrefix();
      const [throttle, peer] = [
        redisThrottle(redis, { keyPrefix, timeoutMs }),
        redisThrottle(redisUrl(), { keyPrefix, timeoutMs }),
      ];
      return { throttle, peer, dispose: async () => void (await Promise.all([throttle.close(), peer.close()])) };
    },
  });

  test("the client is left as it was: open, with its own listeners and options", async () => {
    const listeners = () => redis.eventNames().map((name) => [name, redis.listenerCount(name)]);
    const before = { listeners: listeners(), options: { ...redis.options } };
    const throttle = redisThrottle(redis, { keyPrefix: testKeyPrefix(), timeoutMs });
    await throttle.acquire(["job"], longMs);
    expect({ listeners: listeners(), options: { ...redis.options } }).toEqual(before);
    await throttle.close();
    expect({ listeners: listeners(), options: { ...redis.options } }).toEqual(before);
    expect(await redis.ping()).toBe("PONG");
  });

  test("keys carry the client's own prefix, the adapter's and one of few hash tags, and expire with the window", async () => {
    const [outer, inner] = [testKeyPrefix(), testKeyPrefix()];
    const prefixed = redis.duplicate({ keyPrefix: `${outer}/` });
    const throttle = redisThrottle(prefixed, { keyPrefix: inner, timeoutMs });
    await throttle.acquire(["42"], longMs);
    const left = await redis.pttl(`${outer}/${inner}:throttle:{0}:42`);
    expect(left).toBeGreaterThan(longMs - 5_000);
    expect(left).toBeLessThanOrEqual(longMs);
    await Promise.all([throttle.close(), prefixed.quit()]);
  });

  test("a key that has no expiry is given the window's, so that it is not taken for good", async () => {
    const keyPrefix = testKeyPrefix();
    const key = `${keyPrefix}:throttle:{26}:job`;
    await redis.set(key, "foreign");
    const throttle = redisThrottle(redis, { keyPrefix, timeoutMs });
    expect(await throttle.acquire(["job"], longMs)).toEqual([longMs]);
    expect(await redis.pttl(key)).toBeGreaterThan(0);
    await throttle.close();
  });

  test("a client that answers numbers as text is understood", async () => {
    const texts = redis.duplicate({ stringNumbers: true });
    const throttle = redisThrottle(texts, { keyPrefix: testKeyPrefix(), timeoutMs });
    expect(await throttle.acquire(["job"], longMs)).toEqual([0]);
    expect(typeof (await throttle.acquire(["job"], longMs))[0]).toBe("number");
    await Promise.all([throttle.close(), texts.quit()]);
  });

  test("a fraction of a millisecond is rounded up to what Redis can count", async () => {
    const throttle = redisThrottle(redis, { keyPrefix: testKeyPrefix(), timeoutMs });
    expect(await throttle.acquire(["job"], 59_999.2)).toEqual([0]);
    expect((await throttle.acquire(["job"], longMs))[0]).toBeLessThanOrEqual(longMs);
    await throttle.close();
  });
});
