export { isRedisSource, type RedisClient, type RedisClusterClient, type RedisSource } from "./client-types.js";
export { redisDedupe } from "./redis-dedupe.js";
export { redisLive } from "./redis-live.js";
export type { RedisOptions } from "./redis-options.js";
export { redisThrottle } from "./redis-throttle.js";
