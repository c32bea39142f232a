import { redisThrottle } from "../../adapters/redis/index.js";
import type { ThrottleAdapter } from "../../ports/throttle.js";
import { serverAddress } from "../server-address.js";
import { DemoFailure } from "./demo-failure.js";

// A machine that is busy starting all of this is no reason to send people away.
const timeoutMs = 5_000;

/**
 * Windows shared through a Redis that answers. The library would go on without it; whoever names a Redis in a demo wants to
 * see it used.
 */
export async function checkedRedis(
  url: string,
  keyPrefix: string,
  warn: (message: string) => void,
): Promise<ThrottleAdapter> {
  let checking = true;
  let reason: unknown = null;
  const log = {
    warn(message: string, details?: Readonly<Record<string, unknown>>) {
      if (checking) reason = details?.reason ?? message;
      else warn(message);
    },
  };
  const throttle = redisThrottle(url, { keyPrefix, timeoutMs, log });
  try {
    await throttle.acquire(["check"], 1);
    checking = false;
    if (reason === null) return throttle;
    throw new DemoFailure(
      "REDIS_UNREACHABLE",
      `Cannot use Redis at "${serverAddress(url)}", start it or leave --redis-url and REDIS_URL out: ${reason}`,
    );
  } catch (error) {
    await throttle.close();
    throw error;
  }
}
