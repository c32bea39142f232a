import { v7 as uuidv7 } from "uuid";
import { inProcessPublisher } from "./adapters/memory/in-process-publisher.js";
import { memoryDedupe } from "./adapters/memory/memory-dedupe.js";
import { memoryLive } from "./adapters/memory/memory-live.js";
import { memoryThrottle } from "./adapters/memory/memory-throttle.js";
import { isPostgresSource, type PostgresSource } from "./adapters/postgres/index.js";
import { type OpenedPostgres, openPostgres } from "./adapters/postgres/open-postgres.js";
import { isRabbitmqSource, type RabbitmqSource, rabbitmqPublisher } from "./adapters/rabbitmq/index.js";
import { isRedisSource, type RedisSource, redisDedupe, redisLive, redisThrottle } from "./adapters/redis/index.js";
import type { BackoffPolicy } from "./domain/backoff.js";
import { createEngine } from "./engine/create-engine.js";
import { DirectDelivery } from "./engine/direct-delivery.js";
import type { EventDelivery } from "./engine/event-delivery.js";
import { Publishing } from "./engine/publishing.js";
import { Relay } from "./engine/relay.js";
import { Unrelayed } from "./engine/unrelayed.js";
import { type ParsedOptions, parseOptions, type ReporterOptions } from "./options.js";
import type { Clock } from "./ports/clock.js";
import type { DedupeAdapter } from "./ports/dedupe.js";
import type { LiveAdapter } from "./ports/live.js";
import type { Log } from "./ports/log.js";
import type { PublisherAdapter } from "./ports/publisher.js";
import type { StorageAdapter } from "./ports/storage.js";
import type { ThrottleAdapter } from "./ports/throttle.js";
import type { ProgressReporter } from "./reporter/progress-reporter.js";
import { reporterOver } from "./reporter/reporter.js";
import { systemClock } from "./system-clock.js";

/** Where jobs are: a pg `Pool`, a `Kysely`, a PGlite, a URL, or an adapter. */
export type DatabaseArgument = PostgresSource | StorageAdapter;
/** Where windows are shared: an ioredis `Redis` or `Cluster`, a URL, or an adapter. */
export type RedisArgument = RedisSource | ThrottleAdapter;
/** Where events go: an amqplib `ChannelModel`, a factory of one, a URL, or an adapter. */
export type AmqpArgument = RabbitmqSource | PublisherAdapter;

// A second at most, so that all is stored and told two seconds after a server is back.
const storageBackoff: BackoffPolicy = { firstMs: 50, maxMs: 1_000 };
const publisherBackoff: BackoffPolicy = { firstMs: 100, maxMs: 1_000 };

/**
 * Creates a reporter. Each argument is a client, a URL, an adapter, or nothing; what is passed in stays open at
 * `close()`, what is opened from a URL is closed.
 *
 * Without `db` jobs are in an embedded PGlite, made and migrated on first use. Without `redis` windows hold per process.
 * Without `amqp` events of an embedded reporter go to listeners in the process; with a `db` they wait in the outbox for a
 * process that has a publisher.
 *
 * @throws TypeError for an argument of no known kind, and for an unknown or wrong option, which it names
 * @example
 * const { startJob, progress, completeJob } = createProgressReporter(pool, redis, amqp);
 */
export function createProgressReporter(
  db?: DatabaseArgument | null,
  redis?: RedisArgument | null,
  amqp?: AmqpArgument | null,
  options: ReporterOptions = {},
): ProgressReporter {
  const parsed = parseOptions(options);
  const clock = systemClock;
  const opened: { close(): Promise<void> }[] = [];
  const own = <T extends { close(): Promise<void> }>(adapter: T): T => {
    opened.push(adapter);
    return adapter;
  };
  const postgres = postgresOf(db, parsed);
  const storage = storageOf(db, postgres, own);
  const live = liveOf(redis, postgres, parsed, own);
  const throttle = throttleOf(redis, parsed, own);
  const publisher = publisherOf(db, amqp, parsed, own);
  const delivery = deliveryOf(storage, publisher, { redis, amqp }, parsed, clock, own);
  const { log, limits, closeTimeoutMs } = parsed;
  const { engine, reader, hub } = createEngine({
    storage,
    throttle,
    live,
    delivery,
    clock,
    log,
    random: Math.random,
    newEventId: uuidv7,
    storageBackoff,
    settings: parsed,
  });
  const release = async () => {
    // What it has still to tell goes over the storage's connections.
    await live.close();
    await Promise.all(opened.map((adapter) => adapter.close()));
  };
  return reporterOver({ engine, reader, hub, storage, delivery, clock, log, limits, closeTimeoutMs, release });
}

type Own = <T extends { close(): Promise<void> }>(adapter: T) => T;

function postgresOf(db: DatabaseArgument | null | undefined, options: ParsedOptions): OpenedPostgres | null {
  const source = db ?? "memory://";
  if (!isPostgresSource(source)) return null;
  return openPostgres(source, { outbox: options.delivery === "outbox", ...options.postgres });
}

function storageOf(db: DatabaseArgument | null | undefined, postgres: OpenedPostgres | null, own: Own): StorageAdapter {
  if (isAdapter<StorageAdapter>(db, "commit", "load")) return db;
  if (postgres === null) {
    throw unknownArgument("db", db, "a pg Pool, a Kysely, a PGlite, a postgres:// URL or a StorageAdapter");
  }
  return own(db === undefined || db === null ? embedded(postgres.storage) : postgres.storage);
}

function throttleOf(redis: RedisArgument | null | undefined, options: ParsedOptions, own: Own): ThrottleAdapter {
  if (isAdapter<ThrottleAdapter>(redis, "acquire")) return redis;
  if (redis === undefined || redis === null) return own(memoryThrottle());
  if (isRedisSource(redis)) return own(redisThrottle(redis, { log: options.log, ...options.redis }));
  throw unknownArgument("redis", redis, "an ioredis Redis or Cluster, a redis:// URL or a ThrottleAdapter");
}

function liveOf(
  redis: RedisArgument | null | undefined,
  postgres: OpenedPostgres | null,
  { log, redis: options }: ParsedOptions,
  own: Own,
): LiveAdapter {
  if (isRedisSource(redis)) return own(redisLive(redis, { log, ...options }));
  const inProcess = memoryLive({ log });
  return own(postgres?.live(inProcess, log) ?? inProcess);
}

function publisherOf(
  db: DatabaseArgument | null | undefined,
  amqp: AmqpArgument | null | undefined,
  options: ParsedOptions,
  own: Own,
): PublisherAdapter | null {
  if (isAdapter<PublisherAdapter>(amqp, "publish", "setup")) return amqp;
  if (amqp === undefined || amqp === null) return db === undefined || db === null ? own(inProcessPublisher()) : null;
  if (isRabbitmqSource(amqp)) return own(rabbitmqPublisher(amqp, { log: options.log, ...options.rabbitmq }));
  throw unknownArgument(
    "amqp",
    amqp,
    "an amqplib ChannelModel, a factory of one, an amqp:// URL or a PublisherAdapter",
  );
}

function deliveryOf(
  storage: StorageAdapter,
  publisher: PublisherAdapter | null,
  {
    redis,
    amqp,
  }: { readonly redis?: RedisArgument | null | undefined; readonly amqp?: AmqpArgument | null | undefined },
  options: ParsedOptions,
  clock: Clock,
  own: Own,
): EventDelivery {
  const { log, delivery, relay } = options;
  const random = Math.random;
  if (delivery === "direct") {
    if (publisher === null) throw new TypeError('Cannot create a progress reporter: delivery "direct" needs amqp');
    return new DirectDelivery({
      publishing: new Publishing(publisher, "drop", log),
      dedupe: own(dedupeOf(redis, options)),
      clock,
      log,
      random,
      batchSize: relay.batchSize,
      maxWaiting: 10_000,
      rememberMs: 3_600_000,
      backoff: publisherBackoff,
    });
  }
  if (storage.outbox === null) {
    throw new TypeError('Cannot create a progress reporter: the storage keeps no outbox; pass delivery "direct"');
  }
  if (publisher === null) return new Unrelayed(log);
  const nobodyCanListen = amqp === undefined || amqp === null;
  const publishing = new Publishing(publisher, options.unroutable, nobodyCanListen ? silence : log);
  return new Relay({
    outbox: storage.outbox,
    publishing,
    clock,
    log,
    random,
    owner: uuidv7(),
    ...relay,
    depth: 4,
    backoff: publisherBackoff,
  });
}

function dedupeOf(redis: RedisArgument | null | undefined, options: ParsedOptions): DedupeAdapter {
  return isRedisSource(redis) ? redisDedupe(redis, { log: options.log, ...options.redis }) : memoryDedupe();
}

const silence: Log = { warn() {} };

/** An embedded storage makes its tables itself: there is nobody else to. */
function embedded(storage: StorageAdapter): StorageAdapter {
  let migrated: Promise<void> | null = null;
  const prepare = async () => {
    migrated ??= storage.schema.migrate();
    await migrated;
    return storage.prepare();
  };
  return { ...storage, prepare };
}

function isAdapter<T extends object>(value: unknown, ...methods: readonly (keyof T & string)[]): value is T {
  if (typeof value !== "object" || value === null) return false;
  return methods.every((method) => typeof (value as Record<string, unknown>)[method] === "function");
}

function unknownArgument(name: string, value: unknown, expected: string): TypeError {
  const shown = typeof value === "string" ? "a string that is no such URL" : typeof value;
  return new TypeError(`Cannot create a progress reporter: ${name} must be ${expected}, got ${shown}`);
}
