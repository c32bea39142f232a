import { WorkerProgressError } from "../../domain/errors.js";
import { isCluster, type RedisClient, type RedisClusterClient, type RedisSource } from "./client-types.js";

/*
 * A connection that answers or fails, and never keeps a command for later: commands that were given up on and run when
 * Redis is back would take windows nobody uses. Reconnecting is the supervisor's work, with a new client.
 */
const failFast = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  enableAutoPipelining: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 1_000,
  disconnectTimeout: 200,
  retryStrategy: () => null,
  reconnectOnError: null,
  commandTimeout: undefined,
};

const clusterFailFast = {
  lazyConnect: true,
  enableOfflineQueue: false,
  enableAutoPipelining: false,
  maxRedirections: 2,
  slotsRefreshTimeout: 1_000,
  clusterRetryStrategy: () => null,
  // A timer of ioredis that would keep the process alive; a MOVED reply refreshes the slots, too.
  slotsRefreshInterval: 0,
};

/**
 * Makes a client of the adapter's own that is not connected yet and does not keep the process alive: whoever waits for an
 * answer does, by the timer that bounds the wait. A client that was passed in is copied, never used.
 * @throws {MISSING_DEPENDENCY} when a URL is given and ioredis is not installed
 */
export async function openClient(source: RedisSource): Promise<RedisClient | RedisClusterClient> {
  const client = typeof source === "string" ? await fromUrl(source) : copyOf(source);
  if (isCluster(client)) client.on("+node", letProcessEnd);
  else letProcessEnd(client);
  return client;
}

/** Makes a client, not connected yet, of a master of a Cluster, where any node hears what any other publishes. */
export function openNode(cluster: RedisClusterClient): RedisClient {
  const masters = cluster.nodes("master");
  const master = masters[Math.floor(Math.random() * masters.length)];
  if (master === undefined) throw new Error("the cluster has no master");
  // The nodes of a Cluster know nothing of its prefix.
  const client = master.duplicate({ ...failFast, keyPrefix: cluster.options.keyPrefix });
  letProcessEnd(client);
  return client;
}

/**
 * Loads the package that URLs need.
 * @throws {MISSING_DEPENDENCY} when it is not installed
 */
export async function importIoredis() {
  try {
    return (await import("ioredis")).Redis;
  } catch (cause) {
    const code = (cause as { code?: unknown } | null)?.code;
    if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") throw cause;
    const message = 'Cannot connect to Redis: package "ioredis" is not installed, run npm install ioredis';
    throw new WorkerProgressError("MISSING_DEPENDENCY", message, { cause });
  }
}

async function fromUrl(url: string): Promise<RedisClient> {
  return new (await importIoredis())(url, failFast) as RedisClient;
}

function copyOf(source: RedisClient | RedisClusterClient): RedisClient | RedisClusterClient {
  if (!isCluster(source)) return source.duplicate(failFast);
  const { retryStrategy: _, enableOfflineQueue: __, ...nodeOptions } = failFast;
  const redisOptions = { ...source.options.redisOptions, ...nodeOptions };
  return source.duplicate([], { ...clusterFailFast, redisOptions });
}

function letProcessEnd(client: RedisClient): void {
  client.on("connect", () => client.stream?.unref?.());
}
