import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "amqplib";
import { Redis } from "ioredis";
import pg from "pg";
import type { TestRun } from "./global-setup.js";

/** The file where test processes note the RabbitMQ names they took: AMQP cannot list names. */
export function namesFile(run: TestRun): string {
  return join(run.folder, "rabbitmq-names");
}

/** Removes what the tests of a run left on shared servers, failed tests included. */
export async function sweepRun(run: TestRun): Promise<void> {
  await Promise.all([sweepDatabases(run), sweepKeys(run), sweepNames(run)]);
}

async function sweepDatabases(run: TestRun): Promise<void> {
  const client = new pg.Client(run.urls.PostgreSQL);
  await client.connect();
  const { rows } = await client.query("select datname from pg_database where datname like $1", [`wp_${run.id}_%`]);
  for (const { datname } of rows) await client.query(`drop database if exists "${datname}" with (force)`);
  await client.end();
}

async function sweepKeys(run: TestRun): Promise<void> {
  const redis = new Redis(run.urls.Redis);
  for await (const keys of redis.scanStream({ match: `*wp:${run.id}:*`, count: 1_000 })) {
    if (keys.length > 0) await redis.unlink(keys);
  }
  await redis.quit();
}

async function sweepNames(run: TestRun): Promise<void> {
  if (!existsSync(namesFile(run))) return;
  const connection = await connect(run.urls.RabbitMQ);
  const channel = await connection.createChannel();
  for (const name of readFileSync(namesFile(run), "utf8").trim().split("\n")) {
    await channel.deleteQueue(name);
    await channel.deleteExchange(name);
  }
  await connection.close();
}
