import type { LiveAdapter, LiveMessage } from "../../ports/live.js";
import type { RedisConnectionClient, RedisSource } from "./client-types.js";
import { groupKeys } from "./key-groups.js";
import { decodeCancellation, decodeNews, encodeLive } from "./live-wire.js";
import { RedisConnection } from "./redis-connection.js";
import { type RedisOptions, redisSettings } from "./redis-options.js";
import { RedisSubscriber } from "./redis-subscriber.js";
import { type Sending, sendLive, trySend } from "./send-live.js";
import { taggedKey } from "./tagged-key.js";

const keepMs = 60_000;

/**
 * Carries live updates between processes by Redis publish/subscribe, and keeps the last of each job for a minute. While
 * Redis is out of reach updates are dropped, which is said once; what is stored is not touched by it.
 *
 * Publishing and reading the latest wait `timeoutMs` at most, the first of them up to a second (or `timeoutMs`, if longer)
 * for the connection, and not at all during an outage. All subscriptions share one more connection, opened by the first.
 *
 * @example
 * const live = redisLive("redis://127.0.0.1:6379", { keyPrefix: "renders" });
 */
export function redisLive(source: RedisSource, options?: RedisOptions): LiveAdapter {
  const settings = redisSettings(options);
  const { keyPrefix } = settings;
  const [newsPrefix, latestPrefix] = [`${keyPrefix}:live:`, `${keyPrefix}:latest`];
  const cancellations = `${keyPrefix}:cancellations`;
  const latestKey = (jobId: string) => taggedKey(latestPrefix, jobId);
  const connection = new RedisConnection(source, settings, {
    tryOut: (client) => trySend(client, `${latestPrefix}:try`),
    meanwhile: "live updates are dropped until it answers",
  });
  const subscriber = new RedisSubscriber(source, settings, (channel, payload) =>
    channel === cancellations ? decodeCancellation(payload) : decodeNews(channel.slice(newsPrefix.length), payload),
  );
  const sendingOf = (message: LiveMessage): Sending => {
    const payload = encodeLive(message);
    if (message.kind === "cancellation") return { channel: cancellations, key: cancellations, payload, kept: null };
    return { channel: `${newsPrefix}${message.jobId}`, key: latestKey(message.jobId), payload, kept: message };
  };
  return {
    reach: "shared",
    async publish(messages) {
      if (messages.length > 0) await connection.ask((client) => sendLive(client, messages.map(sendingOf), keepMs));
    },
    subscribe: (jobId, listener) => subscriber.subscribe(`${newsPrefix}${jobId}`, listener),
    subscribeCancellations: (listener) => subscriber.subscribe(cancellations, listener),
    async latest(jobIds) {
      if (jobIds.length === 0) return [];
      const payloads = await connection.ask((client) => readKeys(client, jobIds.map(latestKey)));
      return jobIds.map((jobId, index) => decodeNews(jobId, payloads?.[index]));
    },
    async close() {
      await Promise.all([connection.close(), subscriber.close()]);
    },
  };
}

async function readKeys(client: RedisConnectionClient, keys: readonly string[]): Promise<unknown[]> {
  const values = new Array<unknown>(keys.length);
  await Promise.all(
    groupKeys(client, keys).map(async (group) => {
      const named = group.map((position) => keys[position] as string);
      const replies = (await client.call("mget", named)) as readonly unknown[];
      group.forEach((position, index) => {
        values[position] = replies[index];
      });
    }),
  );
  return values;
}
