import { Redis } from "ioredis";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { type RedisOptions, redisThrottle } from "../../src/adapters/redis/index.js";
import type { ThrottleAdapter } from "../../src/ports/throttle.js";
import { redisUrl, testKeyPrefix } from "../support/servers.js";
import { simulateTimers, untilInTime } from "../support/simulated-timers.js";
import { type TcpProxy, tcpProxy } from "../support/tcp-proxy.js";

export const longMs = 60_000;
export const timeoutMs = 200;
export const retryMs = 50;

export let proxy: TcpProxy;
export let keyPrefix: string;
export let warnings: { message: string; details?: { reason?: string } }[];
let whenWarned: () => void;
let open: { close(): Promise<void> }[];

/** Gives each test of a file simulated timers and a network before Redis, and closes what the test opened. */
export function withRedisThrottles(): void {
  beforeEach(async () => {
    simulateTimers();
    proxy = await tcpProxy(redisUrl());
    keyPrefix = testKeyPrefix();
    warnings = [];
    whenWarned = () => {};
    open = [];
  });

  afterEach(async () => {
    vi.useRealTimers();
    await proxy.close();
    await Promise.all(open.map((each) => each.close()));
  });
}

export function throttleAt(source: string | Redis, options: RedisOptions = {}): ThrottleAdapter {
  const warn = (message: string, details?: { reason?: string }) => {
    warnings.push({ message, ...(details && { details }) });
    whenWarned();
  };
  const throttle = redisThrottle(source, { keyPrefix, log: { warn }, retryMs, ...options });
  open.push(throttle);
  return throttle;
}

/** A throttle on a copy of a client, and the connections that it has made so far. */
export function watchedBehindProxy(options?: RedisOptions) {
  const source = new Redis(proxy.port, { lazyConnect: true });
  const made = vi.spyOn(source, "duplicate").mock.results;
  return { throttle: throttleAt(source, options), made: () => made.map(({ value }) => value as Redis) };
}

export const proxyUrl = () => `redis://127.0.0.1:${proxy.port}`;
export const behindProxy = (options?: RedisOptions) => throttleAt(proxyUrl(), options);
export const direct = () => throttleAt(redisUrl());
export const outages = () => warnings.filter(({ message }) => message.startsWith("Redis is out of reach")).length;
export const recoveries = () => warnings.filter(({ message }) => message === "Redis answers again").length;
export const reasons = () => warnings.flatMap(({ details }) => details?.reason ?? []);

/** Runs as soon as something is warned of, before whoever was told goes on. */
export function onWarning(run: () => void): void {
  whenWarned = run;
}

let keysTaken = 0;

/** That Redis is asked: a key that the peer took is seen as taken. */
export async function expectShared(throttle: ThrottleAdapter, peer: ThrottleAdapter): Promise<void> {
  const key = `shared ${keysTaken++}`;
  await peer.acquire([key], longMs);
  expect((await throttle.acquire([key], longMs))[0]).toBeGreaterThan(0);
}

/** Asks until Redis is asked again. */
export const untilShared = (throttle: ThrottleAdapter, peer = direct()) =>
  untilInTime(() => expectShared(throttle, peer));
