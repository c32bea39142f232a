import type { DedupeAdapter } from "../../ports/dedupe.js";
import { claimKeys, freeKeys, tryClaim } from "./claim-keys.js";
import type { RedisSource } from "./client-types.js";
import { RedisConnection } from "./redis-connection.js";
import { type RedisOptions, redisSettings } from "./redis-options.js";
import { taggedKey } from "./tagged-key.js";

const mostOwed = 10_000;

/**
 * Remembers through Redis which events were sent. While Redis is out of reach it takes every event for new: an event may
 * be sent twice, but none is held back.
 */
export function redisDedupe(source: RedisSource, options?: RedisOptions): DedupeAdapter {
  const settings = redisSettings(options);
  const prefix = `${settings.keyPrefix}:event`;
  const keyOf = (id: string) => taggedKey(prefix, id);
  const connection = new RedisConnection(source, settings, {
    tryOut: (client) => tryClaim(client, `${prefix}:try`),
    meanwhile: "events may be sent twice until it answers",
  });
  // Marks that could not be taken back. They are this process's own, so its next try of the event may pass.
  const owed = new Set<string>();
  return {
    async mark(ids, ttlMs) {
      const waits = await connection.ask((client) => claimKeys(client, ids.map(keyOf), ttlMs));
      return ids.map((id, index) => owed.delete(id) || waits === null || waits[index] === 0);
    },
    async unmark(ids) {
      const freed = await connection.ask(async (client) => {
        await freeKeys(client, ids.map(keyOf));
        return true;
      });
      if (freed !== null) return;
      for (const id of ids) owed.add(id);
      for (const id of owed) {
        if (owed.size <= mostOwed) break;
        owed.delete(id);
      }
    },
    close: () => connection.close(),
  };
}
