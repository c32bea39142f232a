import { existsSync } from "node:fs";
import { connect } from "amqplib";
import { Redis } from "ioredis";
import pg from "pg";
import { expect, test } from "vitest";
import { startWorker } from "./child-process.js";
import { eventually } from "./eventually.js";
import { problemOf } from "./server-answers.js";
import {
  privatePostgres,
  privateRabbitmq,
  privateRedis,
  rabbitmqUrl,
  redisUrl,
  testDatabase,
  testKeyPrefix,
  testNames,
} from "./servers.js";

test("each test database is empty, its own, and gone when dropped while in use", async () => {
  const [one, other] = await Promise.all([testDatabase(), testDatabase()]);
  expect(one.url).not.toBe(other.url);
  const client = new pg.Client(one.url);
  client.on("error", () => {});
  await client.connect();
  const { rows } = await client.query("select count(*)::int as tables from pg_tables where schemaname = 'public'");
  expect(rows).toEqual([{ tables: 0 }]);
  await Promise.all([one.drop(), other.drop()]);
  expect(await problemOf("PostgreSQL", one.url)).toMatch(/does not exist/);
});

test("key prefixes and names are unique", () => {
  expect(testKeyPrefix()).not.toBe(testKeyPrefix());
  const [one, other] = [testNames(), testNames()];
  expect(new Set([one.events, one.outbound, one.queue("a"), other.events, other.outbound, other.queue("a")]).size).toBe(
    6,
  );
});

test("the shared servers answer", async () => {
  expect(await problemOf("Redis", redisUrl())).toBeNull();
  expect(await problemOf("RabbitMQ", rabbitmqUrl())).toBeNull();
});

test("a private PostgreSQL comes back from a kill with its data, and stops for good", async () => {
  await using server = await privatePostgres();
  await query(server.url, "create table kept (id int)");
  const { pid } = server;
  await server.kill();
  expect(await problemOf("PostgreSQL", server.url)).toMatch(/ECONNREFUSED/);
  await server.restart();
  expect(server.pid).not.toBe(pid);
  await query(server.url, "select * from kept");
  await server.stop();
  expect(await problemOf("PostgreSQL", server.url)).toMatch(/ECONNREFUSED/);
});

test("a private Redis is empty and separate from the shared one", async () => {
  await using server = await privateRedis(["--maxmemory", "50mb"]);
  const client = new Redis(server.url);
  expect(await client.dbsize()).toBe(0);
  expect(await client.config("GET", "maxmemory")).toEqual(["maxmemory", String(50 * 1024 * 1024)]);
  await client.quit();
});

test("a private RabbitMQ takes control commands, and comes back from a kill on the same port", async () => {
  await using server = await privateRabbitmq();
  const before = await connect(server.url);
  before.on("error", () => {});
  await (await before.createChannel()).assertQueue("seen", { durable: true });
  expect(await server.ctl("list_queues", "--silent", "name")).toContain("seen");
  await server.kill();
  expect(await problemOf("RabbitMQ", server.url)).toMatch(/ECONNREFUSED/);
  await server.restart();
  expect(await problemOf("RabbitMQ", server.url)).toBeNull();
  expect(await problemOf("RabbitMQ", rabbitmqUrl())).toBeNull();
}, 60_000);

test("a private server dies, and its folder goes, with a process that is killed", async () => {
  const owner = await startWorker<{ readonly url: string; readonly folder: string }>(
    new URL("./private-server.fixture.ts", import.meta.url),
  );
  const { url, folder } = await owner.message(() => true);
  expect(existsSync(folder)).toBe(true);
  owner.kill("SIGKILL");
  await eventually(async () => expect(await problemOf("Redis", url)).toMatch(/ECONNREFUSED/));
  await eventually(() => expect(existsSync(folder)).toBe(false));
});

async function query(url: string, statement: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(statement);
  await client.end();
}
