import { Cluster, Redis } from "ioredis";
import { createProgressReporter, type ProgressReporter, type ReporterOptions } from "worker-progress";
import { connectToAny } from "../../../examples/clusters/connect-to-any.js";
import { poolOnHosts } from "../../../examples/clusters/pool-on-hosts.js";
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
  { redisCluster, sentinels, amqpUrls, postgresHosts }: ClusterAddresses,
  options: ReporterOptions,
): OpenedReporter {
  const pool = postgresHosts && poolOnHosts(postgresHosts, credentialsOf(address.databaseUrl));
  const cluster = redisCluster && new Cluster([...redisCluster], { lazyConnect: true });
  const behindSentinels = sentinels && new Redis({ sentinels: [...sentinels], name: "progress", lazyConnect: true });
  const amqp = amqpUrls ? () => connectToAny(amqpUrls) : address.rabbitmqUrl;
  const reporter = createProgressReporter(
    pool ?? address.databaseUrl,
    cluster ?? behindSentinels ?? address.redisUrl,
    amqp,
    options,
  );
  return {
    reporter,
    async close() {
      cluster?.disconnect();
      behindSentinels?.disconnect();
      await pool?.end();
    },
  };
}

function credentialsOf(databaseUrl: string) {
  const { username, password, pathname } = new URL(databaseUrl);
  return { user: username, password, database: pathname.slice(1) };
}
