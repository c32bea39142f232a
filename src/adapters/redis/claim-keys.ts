import { createHash } from "node:crypto";
import type { RedisConnectionClient } from "./client-types.js";
import { groupKeys } from "./key-groups.js";
import { runScript } from "./run-script.js";

/*
 * Per key: 0 when it was free and is taken now, else the milliseconds until it is free. A key can be in its last
 * millisecond (PTTL 0), which must not read as taken by us, and a key without an expiry would be taken for good.
 * The value says nothing: a reply that is lost is answered without Redis and costs one window at most, which is simpler
 * than an owner's token and as correct.
 */
const text = `
local waits = {}
for i, key in ipairs(KEYS) do
  if redis.call('SET', key, '1', 'NX', 'PX', ARGV[1]) then
    waits[i] = 0
  else
    local left = redis.call('PTTL', key)
    if left < 0 then
      redis.call('PEXPIRE', key, ARGV[1])
      left = tonumber(ARGV[1])
    end
    waits[i] = math.max(left, 1)
  end
end
return waits
`;
const script = { text, sha: createHash("sha1").update(text).digest("hex") };

/** Takes every key that is free for `ms` milliseconds. Per key, in order: 0 when taken, else the milliseconds left. */
export async function claimKeys(client: RedisConnectionClient, keys: readonly string[], ms: number): Promise<number[]> {
  const waits = new Array<number>(keys.length);
  const wholeMs = Math.max(1, Math.ceil(ms));
  await Promise.all(
    groupKeys(client, keys).map(async (group) => {
      const named = group.map((position) => keys[position] as string);
      const replies = (await runScript(client, script, named, [wholeMs])) as readonly unknown[];
      group.forEach((position, index) => {
        waits[position] = Number(replies[index]);
      });
    }),
  );
  return waits;
}

/** Runs the script on one key, and leaves it in the server's cache. Rejects for whatever would make a claim reject. */
export async function tryClaim(client: RedisConnectionClient, key: string): Promise<void> {
  await client.call("eval", [script.text, 1, key, 1]);
}

/** Frees keys. Freeing a free key is no error. */
export async function freeKeys(client: RedisConnectionClient, keys: readonly string[]): Promise<void> {
  const groups = groupKeys(client, keys);
  await Promise.all(
    groups.map((group) =>
      client.call(
        "del",
        group.map((position) => keys[position] as string),
      ),
    ),
  );
}
