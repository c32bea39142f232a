import { Cluster, Redis } from "ioredis";
import { createProgressReporter, type ProgressReporter } from "worker-progress";
import { connectToAny } from "./connect-to-any.js";

export function onSeveralNodes(): ProgressReporter {
  const db = "postgres://worker:secret@pg-1:5432,pg-2:5432/jobs";
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
