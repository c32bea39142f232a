import { createHash } from "node:crypto";
import { channelOf, type RedisConnectionClient } from "./client-types.js";
import { groupKeys } from "./key-groups.js";
import { runScript } from "./run-script.js";

/*
 * Publishes each payload and keeps what is to be kept under its key, unless it is behind what is there. A script rather than
 * a pipeline, so that a payload travels once and that a Cluster, where PUBLISH alone goes to any node, publishes all of one
 * key on the node of that key: in order. What is there may be anybody's: only what will expire stays.
 */
const text = `
local function overtakes(key, attempt, progress)
  local left = redis.call('PTTL', key)
  if left <= 0 or left > tonumber(ARGV[1]) then return true end
  local _, there = pcall(cjson.decode, redis.pcall('GET', key))
  if type(there) ~= 'table' or type(there.attempt) ~= 'number' or type(there.progress) ~= 'number' then return true end
  if there.attempt == attempt then return progress >= there.progress end
  return attempt > there.attempt
end
for i, key in ipairs(KEYS) do
  local at = 4 * i - 2
  local attempt = tonumber(ARGV[at + 2])
  if attempt and overtakes(key, attempt, tonumber(ARGV[at + 3])) then
    redis.call('SET', key, ARGV[at + 1], 'PX', ARGV[1])
  end
  redis.call('PUBLISH', ARGV[at], ARGV[at + 1])
end
`;
const script = { text, sha: createHash("sha1").update(text).digest("hex") };

/** What is sent. Names are without the client's own prefix. */
export interface Sending {
  readonly channel: string;
  /** What is sent under one key is heard in order. */
  readonly key: string;
  readonly payload: string;
  /** How far the job is whose news is kept under the key; null for what is not kept. */
  readonly kept: { readonly attempt: number; readonly progress: number } | null;
}

/** Sends all in one round trip, those of a key in order. Keys live for `keepMs` milliseconds. */
export async function sendLive(client: RedisConnectionClient, all: readonly Sending[], keepMs: number): Promise<void> {
  const groups = groupKeys(
    client,
    all.map(({ key }) => key),
  ).map((positions) => positions.map((position) => all[position] as Sending));
  await Promise.all(
    groups.map((group) =>
      runScript(
        client,
        script,
        group.map(({ key }) => key),
        [keepMs, ...group.flatMap((sending) => argumentsOf(client, sending))],
      ),
    ),
  );
}

/** Sends nothing to anybody, and leaves the script in the server's cache. Rejects for whatever would make sending reject. */
export async function trySend(client: RedisConnectionClient, key: string): Promise<void> {
  const sending = { channel: key, key, payload: "", kept: { attempt: 0, progress: 0 } };
  await client.call("eval", [script.text, 1, key, 1, ...argumentsOf(client, sending)]);
}

function argumentsOf(client: RedisConnectionClient, { channel, payload, kept }: Sending): (string | number)[] {
  return [channelOf(client, channel), payload, kept?.attempt ?? "", kept?.progress ?? ""];
}
