import type { Clock } from "../../ports/clock.js";
import type { Log } from "../../ports/log.js";

/** Options of `redisThrottle`, `redisDedupe` and `redisLive`. */
export interface RedisOptions {
  /**
   * What every key begins with, behind the client's own `keyPrefix`. Reporters of different job tables on one Redis need
   * different ones. @default "worker-progress"
   */
  readonly keyPrefix?: string;
  /** How long a call waits for Redis before it is answered without, in milliseconds, 1 or more. @default 200 */
  readonly timeoutMs?: number;
  /** How long to wait between tries to reach Redis again, in milliseconds, 1 or more. @default 1000 */
  readonly retryMs?: number;
  /** Told once when Redis is out of reach, and once when it is back. @default console */
  readonly log?: Log;
  /** The clock of windows kept while Redis is out of reach. @default performance.now */
  readonly clock?: Pick<Clock, "monotonic">;
}

/** The options, checked and complete. */
export type RedisSettings = Readonly<Required<RedisOptions>>;

const known = ["keyPrefix", "timeoutMs", "retryMs", "log", "clock"];

/**
 * Checks the options and fills in the defaults.
 * @throws TypeError or RangeError naming the option and what is wrong with it
 */
export function redisSettings(options: RedisOptions = {}): RedisSettings {
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new TypeError(`Unknown option "${unknown}", known are ${known.join(", ")}`);
  const { keyPrefix = "worker-progress", timeoutMs = 200, retryMs = 1_000, log = console } = options;
  const clock = options.clock ?? { monotonic: () => performance.now() };
  if (typeof keyPrefix !== "string" || keyPrefix === "")
    throw new TypeError("Option keyPrefix must be a text, not empty");
  checkMilliseconds("timeoutMs", timeoutMs);
  checkMilliseconds("retryMs", retryMs);
  return Object.freeze({ keyPrefix, timeoutMs, retryMs, log, clock });
}

function checkMilliseconds(name: string, value: number): void {
  if (!(Number.isFinite(value) && value >= 1)) throw new RangeError(`Option ${name} must be 1 or more milliseconds`);
}
