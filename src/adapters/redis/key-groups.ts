import { isCluster, type RedisConnectionClient } from "./client-types.js";
import { keySlot } from "./key-slot.js";

// Long enough to be cheap, short enough (about a millisecond) not to hold up other clients of the server.
const largestGroup = 1_000;

/** Groups of positions in `keys` that one command may name: all of one slot on a Cluster, at most 1,000. */
export function groupKeys(client: RedisConnectionClient, keys: readonly string[]): readonly (readonly number[])[] {
  const slotOf = isCluster(client) ? slotsBehind(client) : () => 0;
  const open = new Map<number, number[]>();
  const groups: number[][] = [];
  keys.forEach((key, position) => {
    const slot = slotOf(key);
    let group = open.get(slot);
    if (group === undefined || group.length >= largestGroup) {
      group = [];
      open.set(slot, group);
      groups.push(group);
    }
    group.push(position);
  });
  return groups;
}

// The client's own prefix is part of the key that is hashed, and may hold a hash tag itself.
function slotsBehind(client: RedisConnectionClient): (key: string) => number {
  const prefix = client.options.keyPrefix;
  return (key) => keySlot(prefix ? `${prefix}${key}` : key);
}
