import { appendFileSync } from "node:fs";
import pg from "pg";
import { inject } from "vitest";
import type { TestRun } from "./global-setup.js";
import type { PrivateRabbitmq } from "./private-rabbitmq.js";
import type { PrivateRedisCluster } from "./private-redis-cluster.js";
import type { PrivateServer } from "./private-server.js";
import { namesFile } from "./run-sweep.js";
import { howToGet, type ServerName } from "./server-plan.js";
import { hasPrograms } from "./server-programs.js";
import { dockerWorks } from "./server-search.js";

export type { PrivateRabbitmq } from "./private-rabbitmq.js";
export type { PrivateRedisCluster } from "./private-redis-cluster.js";
export type { PrivateServer } from "./private-server.js";

/** An empty database of the test's own on the shared server. */
export interface TestDatabase {
  readonly url: string;
  /** Drops it, whoever is connected. The end of the run drops what was forgotten. */
  drop(): Promise<void>;
}

/** Creates an empty database with a unique name. */
export async function testDatabase(): Promise<TestDatabase> {
  const { urls } = run();
  const name = `wp_${uniquePart("_")}`;
  await asAdmin(urls.PostgreSQL, `create database "${name}"`);
  const url = new URL(urls.PostgreSQL);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => asAdmin(urls.PostgreSQL, `drop database if exists "${name}" with (force)`) };
}

async function asAdmin(url: string, statement: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** The shared Redis. Keep to keys that begin with {@link testKeyPrefix}. */
export function redisUrl(): string {
  return run().urls.Redis;
}

/** A unique prefix for keys, which the end of the run removes: "wp:…" without a colon at its end. */
export function testKeyPrefix(): string {
  return `wp:${uniquePart(":")}`;
}

/** The shared RabbitMQ. Keep to names of {@link testNames}. */
export function rabbitmqUrl(): string {
  return run().urls.RabbitMQ;
}

/** Unique names, which the end of the run removes; `queue` makes more of them. */
export interface TestNames {
  /** For the topic exchange of events. */
  readonly events: string;
  /** For the fanout exchange to the outside. */
  readonly outbound: string;
  queue(label: string): string;
}

/** Unique names for exchanges and queues. */
export function testNames(): TestNames {
  const prefix = `wp.${uniquePart(".")}`;
  const take = (label: string) => {
    appendFileSync(namesFile(run()), `${prefix}.${label}\n`);
    return `${prefix}.${label}`;
  };
  return { events: take("events"), outbound: take("outbound"), queue: take };
}

/** A PostgreSQL to kill, cut and restart at will. Takes about two seconds. */
export async function privatePostgres(): Promise<PrivateServer> {
  return privately("PostgreSQL", async () => (await import("./private-postgres.js")).startPostgres());
}

/** A Redis to kill, cut and restart at will; `settings` are further arguments of `redis-server`. */
export async function privateRedis(settings: readonly string[] = []): Promise<PrivateServer> {
  return privately("Redis", async () => (await import("./private-redis.js")).startRedis(settings), settings);
}

/** A Redis Cluster of three masters. */
export async function privateRedisCluster(): Promise<PrivateRedisCluster> {
  if (!hasPrograms("Redis") && !(await dockerWorks())) throw new Error(howToGet("Redis"));
  return (await import("./private-redis-cluster.js")).startRedisCluster();
}

/** A RabbitMQ to kill, cut and restart at will. Takes about six seconds. */
export async function privateRabbitmq(): Promise<PrivateRabbitmq> {
  return privately("RabbitMQ", async () => (await import("./private-rabbitmq.js")).startRabbitmq());
}

async function privately<Server>(
  name: ServerName,
  start: () => Promise<Server>,
  settings: readonly string[] = [],
): Promise<Server | PrivateRabbitmq> {
  if (hasPrograms(name)) return start();
  if (await dockerWorks()) return (await import("./docker-server.js")).startContainer(name, settings);
  throw new Error(howToGet(name));
}

let taken = 0;

function uniquePart(separator: string): string {
  return [run().id, process.pid.toString(36), (taken++).toString(36)].join(separator);
}

function run(): TestRun {
  return inject("run");
}
