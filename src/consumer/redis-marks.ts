import { randomUUID } from "node:crypto";
import { backoffMs } from "../domain/backoff.js";
import type { EventDedupe, EventKey } from "./event-dedupe.js";
import { pause } from "./pause.js";

/** What is used of an ioredis or iovalkey client, of one server or of a Cluster. */
export interface RedisMarksClient {
  call(command: string, args: (string | number)[]): Promise<unknown>;
}

/** Options of `redisMarks`. */
export interface RedisMarksOptions {
  /** @default "worker-progress:handled" */
  readonly keyPrefix?: string;
  /** How long a consumer that died holds an event, in milliseconds, 1 or more: longer than the longest handler. @default 60000 */
  readonly lockMs?: number;
  /** How long a handled event is remembered, in milliseconds, 1 or more. @default 604800000 (a week) */
  readonly rememberMs?: number;
}

const handled = "done";
const lookAgainMs = 50;
const markAgain = { firstMs: 50, maxMs: 5_000 };

const releaseScript = 'if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0';

/**
 * Remembers through Redis which events were handled: a lock before the effect, a mark after it. A consumer that dies between
 * the effect and its mark lets the effect happen again once the lock has run out; so does a handler that outlasts the lock.
 * While Redis is out of reach nothing is handled: the effect counts as failed and is tried again.
 */
export function redisMarks(client: RedisMarksClient, options: RedisMarksOptions = {}): EventDedupe {
  const { keyPrefix = "worker-progress:handled", lockMs = 60_000, rememberMs = 604_800_000 } = options;
  if (typeof client?.call !== "function") throw new TypeError("redisMarks needs a client of ioredis or iovalkey");
  checkDuration("lockMs", lockMs);
  checkDuration("rememberMs", rememberMs);
  const nameOf = ({ queue, eventId }: EventKey) => `${keyPrefix}:${queue}:${eventId}`;
  return Object.freeze({
    async once(key, effect, signal) {
      const name = nameOf(key);
      const token = randomUUID();
      if ((await acquire(client, { name, token, lockMs, signal })) === "known") return "known";
      try {
        await effect({});
      } catch (error) {
        // Else the lock's time has to run out, which is all the same.
        await client.call("EVAL", [releaseScript, 1, name, token]).catch(() => {});
        throw error;
      }
      await mark(client, name, rememberMs, signal);
      return "done";
    },
  } satisfies EventDedupe);
}

/** Once there was an effect only its mark is tried again, until it is set: another try of the effect would be another effect. */
async function mark(client: RedisMarksClient, name: string, rememberMs: number, signal: AbortSignal): Promise<void> {
  for (let failures = 1; ; failures++) {
    try {
      await client.call("SET", [name, handled, "PX", rememberMs]);
      return;
    } catch (error) {
      if (signal.aborted) throw error;
      await pause(backoffMs(failures, markAgain, Math.random()), signal);
    }
  }
}

interface Lock {
  readonly name: string;
  readonly token: string;
  readonly lockMs: number;
  readonly signal: AbortSignal;
}

async function acquire(client: RedisMarksClient, { name, token, lockMs, signal }: Lock): Promise<"ours" | "known"> {
  for (;;) {
    if ((await client.call("SET", [name, token, "NX", "PX", lockMs])) !== null) return "ours";
    const holder = await client.call("GET", [name]);
    if (holder === handled) return "known";
    // The answer to a SET that was sent again after a loss says no, although the lock is ours.
    if (holder === token) return "ours";
    if (signal.aborted) throw new Error("Another consumer handles the event");
    if (holder !== null) await pause(lookAgainMs, signal);
  }
}

function checkDuration(option: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new RangeError(`Option ${option} must be a whole number of milliseconds, 1 or more`);
}
