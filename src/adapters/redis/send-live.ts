import { createHash } from "node:crypto";
import { channelOf, type RedisConnectionClient } from "./client-types.js";
import { groupKeys } from "./key-groups.js";
import { runScript } from "./run-script.js";

/*
 * Keeps each payload under its key and publishes it. A script rather than a pipeline, so that a payload travels once and
 * that a Cluster, where PUBLISH alone goes to any node, publishes a job's messages on the node of its key: in order.
 */
const text = `
for i, key in ipairs(KEYS) do
  redis.call('SET', key, ARGV[2 * i + 1], 'PX', ARGV[1])
  redis.call('PUBLISH', ARGV[2 * i], ARGV[2 * i + 1])
end
`;
const script = { text, sha: createHash("sha1").update(text).digest("hex") };

/** What is sent: kept under `key`, too, where there is one. Names are without the client's own prefix. */
export interface Sending {
  readonly channel: string;
  readonly key: string | null;
  readonly payload: string;
}

/** Sends all in one round trip, those of a key in order. Keys live for `keepMs` milliseconds. */
export async function sendLive(client: RedisConnectionClient, all: readonly Sending[], keepMs: number): Promise<void> {
  const kept = all.filter((each): each is Sending & { readonly key: string } => each.key !== null);
  const groups = groupKeys(
    client,
    kept.map(({ key }) => key),
  ).map((positions) => positions.map((position) => kept[position] as (typeof kept)[number]));
  await Promise.all([
    ...groups.map((group) =>
      runScript(
        client,
        script,
        group.map(({ key }) => key),
        [keepMs, ...group.flatMap(({ channel, payload }) => [channelOf(client, channel), payload])],
      ),
    ),
    ...all
      .filter(({ key }) => key === null)
      .map(({ channel, payload }) => client.call("publish", [channelOf(client, channel), payload])),
  ]);
}

/** Sends nothing to anybody, and leaves the script in the server's cache. Rejects for whatever would make sending reject. */
export async function trySend(client: RedisConnectionClient, key: string): Promise<void> {
  await client.call("eval", [script.text, 1, key, 1, channelOf(client, key), ""]);
}
