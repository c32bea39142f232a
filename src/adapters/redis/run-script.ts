import type { RedisConnectionClient } from "./client-types.js";

/** A Lua script, and the SHA-1 of its text in hex. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** Runs a script that the server most likely has in its cache. */
export async function runScript(
  client: RedisConnectionClient,
  { text, sha }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  const all = [keys.length, ...keys, ...args];
  try {
    return await client.call("evalsha", [sha, ...all]);
  } catch (error) {
    // A SCRIPT FLUSH, a restart or a new master empties the cache.
    if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
    return await client.call("eval", [text, ...all]);
  }
}
