import { Kysely, PostgresDialect } from "kysely";
import type pg from "pg";
import { createProgressReporter } from "worker-progress";
import { inbox } from "worker-progress/consumer";
import { keepJournal } from "../guarantees/journal.js";
import { quietPool } from "../guarantees/stage.js";
import type { StageAddress } from "../guarantees/stage-address.js";
import { type ProxiedUrl, viaProxy } from "../guarantees/via-proxy.js";
import { startPostgres } from "../support/private-postgres.js";
import { startRabbitmq } from "../support/private-rabbitmq.js";
import { startRedis } from "../support/private-redis.js";
import type { PrivateServer } from "../support/private-server.js";

/** A server that the soak may break, and the network before it. */
export interface SoakServer {
  readonly name: "PostgreSQL" | "Redis" | "RabbitMQ";
  readonly server: PrivateServer;
  readonly network: ProxiedUrl;
}

/** The servers of a soak, all its own. */
export interface SoakServers extends AsyncDisposable {
  readonly all: readonly SoakServer[];
  /** Through the networks, for workers. */
  readonly address: StageAddress;
  /** Past the network, for looking. */
  readonly db: pg.Pool;
  readonly rabbitmqUrl: string;
  readonly queue: string;
}

/** Starts the servers, and makes the tables, the journal and the queue. */
export async function startServers(): Promise<SoakServers> {
  const [postgres, redis, rabbitmq] = await Promise.all([startPostgres(), startRedis(), startRabbitmq()]);
  const networks = await Promise.all([postgres, redis, rabbitmq].map(({ url }) => viaProxy(url)));
  const [toPostgres, toRedis, toRabbitmq] = networks as [ProxiedUrl, ProxiedUrl, ProxiedUrl];
  const db = quietPool(postgres.url);
  const address: StageAddress = {
    databaseUrl: toPostgres.url,
    redisUrl: toRedis.url,
    rabbitmqUrl: toRabbitmq.url,
    keyPrefix: "soak",
    eventsExchange: "events.jobs",
    outboundExchange: "erp.outbound",
  };
  await makeTables(postgres.url, db);
  return {
    all: [
      { name: "PostgreSQL", server: postgres, network: toPostgres },
      { name: "Redis", server: redis, network: toRedis },
      { name: "RabbitMQ", server: rabbitmq, network: toRabbitmq },
    ],
    address,
    db,
    rabbitmqUrl: rabbitmq.url,
    queue: "soak",
    async [Symbol.asyncDispose]() {
      await db.end();
      await Promise.all(networks.map((network) => network.close()));
      await Promise.all([postgres, redis, rabbitmq].map((server) => server.stop()));
    },
  };
}

async function makeTables(databaseUrl: string, db: pg.Pool): Promise<void> {
  await using reporter = createProgressReporter(databaseUrl);
  await reporter.migrate();
  await keepJournal(db);
  await inbox(new Kysely({ dialect: new PostgresDialect({ pool: db }) })).migrate();
  await makeEffects(db);
}

/** What the consumer's effects are: nothing but the inbox keeps one from happening twice. */
export async function makeEffects(db: pg.Pool): Promise<void> {
  await db.query("create table effects (seq bigint generated always as identity, event_id uuid, job_id text)");
}
