import { hash } from "node:crypto";
import { createRequire } from "node:module";
import { WorkerProgressError } from "../domain/errors.js";
import { reasonOf } from "../domain/reason-of.js";
import type { Log } from "../ports/log.js";
import { within } from "./within.js";

/** What is used of an ioredis `Redis` or `Cluster`, and what rate-limiter-flexible uses of it. */
export interface RateLimitRedis {
  readonly status: string;
  defineCommand(name: string, definition: { readonly lua: string; readonly numberOfKeys?: number }): void;
}

/** How many requests a caller may make. Needs the package rate-limiter-flexible. */
export interface RateLimitOptions {
  /** Most requests in one period, 1 or more. */
  readonly points: number;
  /** Length of the period, in whole seconds, 1 or more. */
  readonly durationSeconds: number;
  /** Who is calling: an account, an API key, an address. */
  readonly key: (request: Request) => string;
  /** Counts for all processes together. While it is out of reach each process counts for itself. @default per process */
  readonly redis?: RateLimitRedis;
  /** What every key begins with. @default "worker-progress:http" */
  readonly keyPrefix?: string;
  /** How long Redis may take before a request is counted without it, in milliseconds, 1 or more. @default 200 */
  readonly timeoutMs?: number;
}

/** What a request may do, and the header fields that tell the caller how much is left. */
export interface Quota {
  readonly allowed: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** How a caller stands: what is left in a period, and how long it lasts. */
interface Standing {
  readonly consumedPoints: number;
  readonly remainingPoints: number;
  readonly msBeforeNext: number;
}

type Consume = (key: string) => Promise<Standing>;

const restMs = 1_000;
const longestKey = 128;

/**
 * Counts the requests of each caller.
 *
 * @throws {MISSING_DEPENDENCY} when rate-limiter-flexible is not installed
 */
export function rateLimiter(options: RateLimitOptions, log: Log): (request: Request) => Promise<Quota> {
  const keyOf = callerKey(options.key, log);
  const consume = openCounter(options, log);
  return async (request) => {
    const standing = await consume(keyOf(request));
    const allowed = standing.consumedPoints <= options.points;
    const seconds = Math.max(1, Math.ceil(standing.msBeforeNext / 1_000));
    const headers = {
      "ratelimit-policy": `"jobs";q=${options.points};w=${options.durationSeconds}`,
      ratelimit: `"jobs";r=${standing.remainingPoints};t=${seconds}`,
    };
    return { allowed, headers: allowed ? headers : { ...headers, "retry-after": String(seconds) } };
  };
}

// Callers that cannot be told apart share one quota: failing must not be a way round it.
function callerKey(key: RateLimitOptions["key"], log: Log): (request: Request) => string {
  let told = false;
  return (request) => {
    try {
      const caller: unknown = key(request);
      if (typeof caller === "string") return caller.length > longestKey ? hash("sha256", caller) : caller;
      if (caller instanceof Promise) caller.catch(() => {}); // else its failure would end the process
      throw new TypeError(`rateLimit.key answered ${kindOf(caller)}, not a text`);
    } catch (error) {
      if (!told) log.warn("Callers that rateLimit.key cannot name share one quota", { reason: reasonOf(error) });
      told = true;
      return "";
    }
  };
}

function kindOf(value: unknown): string {
  if (value instanceof Promise) return "a promise";
  return value === null ? "null" : typeof value;
}

function openCounter(options: RateLimitOptions, log: Log): Consume {
  const { points, durationSeconds: duration, keyPrefix = "worker-progress:http", redis, timeoutMs = 200 } = options;
  const { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } = requireLimiters();
  const settings = { points, duration, keyPrefix };
  const standing = (limiter: { consume(key: string): Promise<Standing> }) => (key: string) =>
    limiter.consume(key).catch((refusal: unknown) => {
      if (refusal instanceof RateLimiterRes) return refusal;
      throw refusal;
    });
  const alone = standing(new RateLimiterMemory(settings));
  if (redis === undefined) return alone;
  const together = standing(new RateLimiterRedis({ ...settings, storeClient: redis }));
  return withFallback({ redis, together, alone, timeoutMs, log });
}

interface Fallback {
  readonly redis: RateLimitRedis;
  readonly together: Consume;
  readonly alone: Consume;
  readonly timeoutMs: number;
  readonly log: Log;
}

/*
 * A client that is connecting, or whose server is gone without a word, keeps commands for later. It is asked only while it
 * says that it is connected, and after a failure not again for a second: few commands can pile up.
 */
function withFallback({ redis, together, alone, timeoutMs, log }: Fallback): Consume {
  let restUntil = 0;
  let away = false;
  return async (key) => {
    if (performance.now() < restUntil) return alone(key);
    try {
      if (redis.status !== "ready" && redis.status !== "wait") throw new Error(`The client is ${redis.status}`);
      const standing = await within(together(key), timeoutMs);
      away = false;
      return standing;
    } catch (error) {
      if (!away) log.warn("Rate limits hold per process while Redis is out of reach", { reason: reasonOf(error) });
      away = true;
      restUntil = performance.now() + restMs;
      return alone(key);
    }
  };
}

// Required, which is at once: a handler that cannot limit is told when it is made, not at its first request.
function requireLimiters(): typeof import("rate-limiter-flexible") {
  try {
    return createRequire(import.meta.url)("rate-limiter-flexible");
  } catch (cause) {
    if ((cause as { code?: unknown } | null)?.code !== "MODULE_NOT_FOUND") throw cause;
    const message =
      'Cannot limit rates: package "rate-limiter-flexible" is not installed, run npm install rate-limiter-flexible';
    throw new WorkerProgressError("MISSING_DEPENDENCY", message, { cause });
  }
}
