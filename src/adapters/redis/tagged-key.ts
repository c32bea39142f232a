import { keySlot } from "./key-slot.js";

const tags = 64;

/**
 * The key of an id, as in "worker-progress:throttle:{0}:42". Of few hash tags rather than one per id: on a Cluster
 * the keys of a tag share a slot, so that a batch of any size takes at most 64 commands, spread over the masters.
 */
export function taggedKey(prefix: string, id: string): string {
  return `${prefix}:{${keySlot(id) % tags}}:${id}`;
}
