/*
 * What is used of a client, so that neither ioredis nor iovalkey has to be installed to type-check, and either fits.
 * https://redis.github.io/ioredis/classes/Redis.html and .../Cluster.html
 */

/** What the adapters do with a connection, of one server or of a Cluster. */
export interface RedisConnectionClient {
  readonly options: { readonly keyPrefix?: unknown };
  connect(): Promise<void>;
  call(command: string, args: (string | number)[]): Promise<unknown>;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "connect" | "end", listener: () => void): unknown;
  on(event: "message", listener: (channel: string, payload: string) => void): unknown;
  disconnect(): void;
}

/** An ioredis `Redis`, or iovalkey's. */
export interface RedisClient extends RedisConnectionClient {
  /** The socket, once there is one; not documented. */
  readonly stream?: { unref?(): unknown };
  duplicate(override: object): RedisClient;
}

/** An ioredis `Cluster`, or iovalkey's. */
export interface RedisClusterClient extends RedisConnectionClient {
  readonly options: { readonly keyPrefix?: unknown; readonly redisOptions?: object | undefined };
  nodes(role: "master"): readonly RedisClient[];
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "connect" | "end", listener: () => void): unknown;
  on(event: "message", listener: (channel: string, payload: string) => void): unknown;
  on(event: "+node", listener: (node: RedisClient) => void): unknown;
  duplicate(startupNodes: never[], override: object): RedisClusterClient;
}

/** Where Redis is: a client of the caller's, which is only copied, or a redis:// or rediss:// URL. */
export type RedisSource = RedisClient | RedisClusterClient | string;

/** Whether a client speaks to a Cluster, where the keys of one command must share a slot. */
export function isCluster(client: RedisConnectionClient): client is RedisClusterClient {
  return "nodes" in client && typeof client.nodes === "function";
}

/** The full name of a channel: clients put their prefix before keys, not before channels. */
export function channelOf(client: RedisConnectionClient, name: string): string {
  const prefix = client.options.keyPrefix;
  return prefix ? `${prefix}${name}` : name;
}

/** Whether a value is something the Redis adapters can work with. */
export function isRedisSource(value: unknown): value is RedisSource {
  if (typeof value === "string") return /^rediss?:\/\//i.test(value);
  if (typeof value !== "object" || value === null) return false;
  return ["duplicate", "call", "connect", "disconnect"].every(
    (method) => typeof (value as Record<string, unknown>)[method] === "function",
  );
}
