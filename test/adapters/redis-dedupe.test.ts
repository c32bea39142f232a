import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { redisDedupe } from "../../src/adapters/redis/index.js";
import { dedupeConformance } from "../../src/conformance/index.js";
import { eventually } from "../support/eventually.js";
import { redisUrl, testKeyPrefix } from "../support/servers.js";
import { tcpProxy } from "../support/tcp-proxy.js";

const longMs = 60_000;
// A busy machine is no outage.
const timeoutMs = 10_000;
const silent = { warn: () => {} };

describe("the Redis dedupe", () => {
  dedupeConformance({
    test,
    factory: async () => {
      const keyPrefix = testKeyPrefix();
      const [dedupe, peer] = [
        redisDedupe(redisUrl(), { keyPrefix, timeoutMs }),
        redisDedupe(redisUrl(), { keyPrefix, timeoutMs }),
      ];
      return { dedupe, peer, dispose: async () => void (await Promise.all([dedupe.close(), peer.close()])) };
    },
  });

  test("a mark is a key of its own that expires", async () => {
    const keyPrefix = testKeyPrefix();
    const dedupe = redisDedupe(redisUrl(), { keyPrefix, timeoutMs });
    await dedupe.mark(["0190"], longMs);
    const redis = new Redis(redisUrl());
    expect(await redis.pttl(`${keyPrefix}:event:{34}:0190`)).toBeGreaterThan(longMs - 5_000);
    await Promise.all([dedupe.close(), redis.quit()]);
  });

  test("with Redis out of reach every event is new, so that none is held back", async () => {
    const dedupe = redisDedupe("redis://127.0.0.1:1", { log: silent });
    expect(await dedupe.mark(["one"], longMs)).toEqual([true]);
    expect(await dedupe.mark(["one", "two"], longMs)).toEqual([true, true]);
    await dedupe.close();
  });

  test("a mark that could not be taken back does not hold the next try of the event back", async () => {
    const proxy = await tcpProxy(redisUrl());
    const options = { keyPrefix: testKeyPrefix(), timeoutMs, log: silent, retryMs: 20 };
    const dedupe = redisDedupe(`redis://127.0.0.1:${proxy.port}`, options);
    const peer = redisDedupe(redisUrl(), options);
    await dedupe.mark(["one"], longMs);
    await proxy.refuse();
    await dedupe.unmark(["one"]);
    await proxy.accept();
    await eventually(async () => {
      await dedupe.mark(["probe"], longMs);
      expect(await dedupe.mark(["probe"], longMs)).toEqual([false]);
    });
    expect(await peer.mark(["one"], longMs)).toEqual([false]);
    expect(await dedupe.mark(["one"], longMs)).toEqual([true]);
    expect(await dedupe.mark(["one"], longMs)).toEqual([false]);
    await Promise.all([dedupe.close(), peer.close()]);
    await proxy.close();
  });
});
