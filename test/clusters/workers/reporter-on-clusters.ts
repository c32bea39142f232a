import { Cluster, Redis } from "ioredis";
import { createProgressReporter, type ProgressReporter, type ReporterOptions } from "worker-progress";
import { connectToAny } from "../../../examples/clusters/connect-to-any.js";
import type { StageAddress } from "../../guarantees/stage-address.js";
import type { ClusterAddresses } from "./load-messages.js";

/** A reporter, and the end of what was opened for it. */
export interface OpenedReporter {
  readonly reporter: ProgressReporter;
  close(): Promise<void>;
}

/** A reporter on clusters, by clients as docs/operations.md tells people to make them; on the stage's URLs for the rest. */
export function reporterOnClusters(
  address: StageAddress,
  { redisCluster, sentinels, amqpUrls }: ClusterAddresses,
  options: ReporterOptions,
): OpenedReporter {
  const cluster = redisCluster && new Cluster([...redisCluster], { lazyConnect: true });
  const behindSentinels = sentinels && new Redis({ sentinels: [...sentinels], name: "progress", lazyConnect: true });
  const amqp = amqpUrls ? () => connectToAny(amqpUrls) : address.rabbitmqUrl;
  const redis = cluster ?? behindSentinels ?? address.redisUrl;
  const reporter = createProgressReporter(address.databaseUrl, redis, amqp, options);
  return {
    reporter,
    async close() {
      cluster?.disconnect();
      behindSentinels?.disconnect();
    },
  };
}
