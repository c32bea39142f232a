import { Windows } from "../../domain/window.js";
import type { ThrottleAdapter } from "../../ports/throttle.js";
import { claimKeys, tryClaim } from "./claim-keys.js";
import type { RedisSource } from "./client-types.js";
import { RedisConnection } from "./redis-connection.js";
import { type RedisOptions, redisSettings } from "./redis-options.js";
import { taggedKey } from "./tagged-key.js";

/**
 * Shares windows between processes through Redis, one round trip for any number of keys. While Redis is out of reach it
 * keeps windows of this process alone, and says so once.
 *
 * The first call waits up to a second (or `timeoutMs`, if longer) for the connection; later ones wait `timeoutMs` at most, and not at all during an
 * outage. `acquire` never rejects: a URL without the package ioredis is an outage, too.
 *
 * @example
 * const reporter = createProgressReporter(db, redisThrottle(redis, { keyPrefix: "renders" }));
 */
export function redisThrottle(source: RedisSource, options?: RedisOptions): ThrottleAdapter {
  const settings = redisSettings(options);
  const prefix = `${settings.keyPrefix}:throttle`;
  const connection = new RedisConnection(source, settings, {
    tryOut: (client) => tryClaim(client, `${prefix}:try`),
    meanwhile: "each process throttles for itself until it answers",
  });
  const local = new Windows();
  const acquireLocally = (key: string, windowMs: number) => local.acquire(key, settings.clock.monotonic(), windowMs);
  return {
    async acquire(keys, windowMs) {
      const waits = await connection.ask((client) =>
        claimKeys(
          client,
          keys.map((key) => taggedKey(prefix, key)),
          windowMs,
        ),
      );
      if (waits === null) return keys.map((key) => acquireLocally(key, windowMs));
      // Remembered here too, so that a window taken through Redis holds in this process when Redis goes away.
      waits.forEach((wait, index) => {
        if (wait === 0) acquireLocally(keys[index] as string, windowMs);
      });
      return waits;
    },
    close: () => connection.close(),
  };
}
