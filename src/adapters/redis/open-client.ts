import { WorkerProgressError } from "../../domain/errors.js";
import { isCluster, type RedisConnectionClient, type RedisSource } from "./client-types.js";

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
};

/**
 * Makes a client of the adapter's own that is not connected yet. A client that was passed in is copied, never used.
 * @throws {MISSING_DEPENDENCY} when a URL is given and ioredis is not installed
 */
export async function openClient(source: RedisSource): Promise<RedisConnectionClient> {
  if (typeof source === "string") return new (await importIoredis())(source, failFast) as RedisConnectionClient;
  if (!isCluster(source)) return source.duplicate(failFast);
  const { retryStrategy: _, enableOfflineQueue: __, ...nodeOptions } = failFast;
  const redisOptions = { ...source.options.redisOptions, ...nodeOptions };
  return source.duplicate([], { ...clusterFailFast, redisOptions });
}

async function importIoredis() {
  try {
    return (await import("ioredis")).Redis;
  } catch (cause) {
    const code = (cause as { code?: unknown } | null)?.code;
    if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") throw cause;
    const message = 'Cannot connect to Redis: package "ioredis" is not installed, run npm install ioredis';
    throw new WorkerProgressError("MISSING_DEPENDENCY", message, { cause });
  }
}
