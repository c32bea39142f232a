import { Cluster, Redis } from "ioredis";
import { createProgressReporter, type ProgressReporter } from "worker-progress";
import { connectToAny } from "./connect-to-any.js";
import { poolOnHosts } from "./pool-on-hosts.js";

export function onSeveralNodes(): ProgressReporter {
  const db = poolOnHosts(
    [
      { host: "pg-1", port: 5432 },
      { host: "pg-2", port: 5432 },
    ],
    { user: "worker", password: "secret", database: "jobs" },
  );
  const redis = new Redis({
    sentinels: [
      { host: "redis-1", port: 26379 },
      { host: "redis-2", port: 26379 },
      { host: "redis-3", port: 26379 },
    ],
    name: "progress",
  });
  const amqp = () => connectToAny(["amqp://worker:secret@rabbit-1", "amqp://worker:secret@rabbit-2"]);

  return createProgressReporter(db, redis, amqp);
}

export function onRedisCluster(databaseUrl: string): ProgressReporter {
  const redis = new Cluster([
    { host: "redis-1", port: 6379 },
    { host: "redis-2", port: 6379 },
  ]);
  return createProgressReporter(databaseUrl, redis);
}
