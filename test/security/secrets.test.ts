import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { Redis } from "ioredis";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AmqpArgument, createProgressReporter } from "worker-progress";
import { type AmqpConsumerSource, createEventConsumer } from "worker-progress/consumer";
import { type RabbitmqSource, rabbitmqPublisher } from "worker-progress/rabbitmq";
import { runProgram } from "../cli/run-program.js";
import { eventually } from "../support/eventually.js";
import { freePort } from "../support/free-port.js";
import { startPostgres } from "../support/private-postgres.js";
import { type PrivateServer, serverFolder } from "../support/private-server.js";
import { privateRedis, rabbitmqUrl, type TestDatabase, testDatabase } from "../support/servers.js";

/** What must never be read anywhere, as it is and as a URL spells it. */
const password = "hunter2/s3cr3t@ü%";
const spelled = encodeURIComponent(password);
// Too long for a name: known not to exist without asking a name server, which may take its time.
const noSuchHost = `${"no-such-host-".repeat(5)}.invalid`;
const traces = [password, spelled, "hunter2", "s3cr3t"];

let folder: string;
let postgres: PrivateServer;
let redis: PrivateServer;
let nobody: number;
/** Where nothing fails, for what is asked of the other servers. */
let plain: TestDatabase;
let jobId: string | number;

beforeAll(async () => {
  folder = serverFolder("PostgreSQL");
  // The server runs as somebody else.
  chmodSync(folder, 0o755);
  const hbaFile = join(folder, "pg_hba.conf");
  const hba = "host all postgres 127.0.0.1/32 trust\nhost all secured 127.0.0.1/32 scram-sha-256\n";
  writeFileSync(hbaFile, hba, { mode: 0o644 });
  [postgres, redis, nobody, plain] = await Promise.all([
    startPostgres([`hba_file=${hbaFile}`]),
    privateRedis(["--requirepass", "another"]),
    freePort(),
    testDatabase(),
  ]);
  await using reporter = createProgressReporter(plain.url);
  await reporter.migrate();
  jobId = await reporter.createJob();
  const client = new pg.Client(postgres.url);
  await client.connect();
  await client.query("create role secured login password 'another'");
  await client.end();
});

afterAll(async () => {
  await Promise.all([postgres.stop(), redis.stop(), plain.drop()]);
  rmSync(folder, { recursive: true });
});

/** Everything a reporter says while it cannot use its servers: to the log, in errors, and in its health. */
async function everythingSaid(
  databaseUrl: string,
  redisUrl: string | null,
  amqp: AmqpArgument | null,
): Promise<string> {
  const said: unknown[] = [];
  const log = { warn: (message: string, details?: object) => void said.push(message, details) };
  // One that has to close while a broker keeps it waiting leaves its lease behind, for the next to wait out.
  const waits = { changeTimeoutMs: 200, closeTimeoutMs: 300, windowMs: 10, relay: { leaseMs: 1_000 } };
  try {
    const reporter = createProgressReporter(databaseUrl, redisUrl, amqp, { log, ...waits });
    const changes = [reporter.migrate(), reporter.startJob(jobId), reporter.getJob(jobId), reporter.createJob()];
    said.push(...(await Promise.all(changes.map((change) => change.catch((error: unknown) => error)))));
    said.push(await reporter.progress(jobId, 10));
    if (redisUrl) await eventually(() => expect(inspect(said)).toContain("Redis is out of reach"));
    if (amqp) {
      await eventually(() => expect(inspect(said)).toContain("The publisher is away"));
      const setup = rabbitmqPublisher(amqp as RabbitmqSource, { log }).setup();
      said.push(await setup.catch((error: unknown) => error));
    }
    said.push(await reporter.health());
    said.push(await reporter.close());
  } catch (error) {
    said.push(error);
  }
  return inked(said);
}

/** The same of a consumer. */
async function everythingAConsumerSays(source: AmqpConsumerSource): Promise<string> {
  const said: unknown[] = [];
  const log = { warn: (message: string, details?: object) => void said.push(message, details) };
  try {
    const consumer = createEventConsumer(source, { queue: "q", handler: async () => {}, log });
    const started = consumer.start().catch((error: unknown) => error);
    await eventually(() => expect(said).not.toEqual([]));
    said.push(consumer.state());
    await consumer.stop();
    said.push(await started, consumer.state());
  } catch (error) {
    said.push(error);
  }
  return inked(said);
}

function inked(said: readonly unknown[]): string {
  const stacks = said.map((each) => (each instanceof Error ? `${each.stack} ${each.message}` : JSON.stringify(each)));
  return [...stacks, inspect(said, { depth: 10, showHidden: true, maxStringLength: null, maxArrayLength: null })].join(
    "\n",
  );
}

function expectNoTrace(text: string): void {
  expect(text.length).toBeGreaterThan(20);
  expect(tracesIn(text)).toEqual([]);
}

function tracesIn(text: string): string[] {
  return traces.filter((trace) => text.includes(trace));
}

const atNobody = () => `127.0.0.1:${nobody}`;
const credentials = `secured:${spelled}`;

describe("no password is read in what is said of PostgreSQL", () => {
  test.each<[string, () => string]>([
    ["that is out of reach", () => `postgres://${credentials}@${atNobody()}/db`],
    ["that is out of reach, the password in the query", () => `postgres://${atNobody()}/db?user=u&password=${spelled}`],
    ["that refuses the password", () => `postgres://${credentials}@127.0.0.1:${postgres.port}/postgres`],
    [
      "that refuses the password of the query",
      () => `postgres://127.0.0.1:${postgres.port}/postgres?user=secured&password=${spelled}`,
    ],
    ["whose host has no name", () => `postgres://${credentials}@${noSuchHost}/db`],
    ["whose port is none", () => `postgres://${credentials}@127.0.0.1:port/db`],
    ["whose port is out of range", () => `postgres://${credentials}@127.0.0.1:99999/db`],
    ["whose password is not encoded", () => `postgres://u:${password}@127.0.0.1:${nobody}/db`],
    ["whose certificate file is not there", () => `postgres://${credentials}@127.0.0.1/db?sslrootcert=/nowhere`],
    ["whose scheme is another's", () => `mysql://${credentials}@127.0.0.1/db`],
  ])("%s", async (_, url) => {
    expectNoTrace(await everythingSaid(url(), null, null));
  });
});

describe("no password is read in what is said of Redis", () => {
  test.each<[string, () => string]>([
    ["that is out of reach", () => `redis://:${spelled}@${atNobody()}`],
    ["that refuses the password", () => `redis://:${spelled}@127.0.0.1:${redis.port}`],
    ["that refuses the user", () => `redis://somebody:${spelled}@127.0.0.1:${redis.port}`],
    ["that refuses the password of the query", () => `redis://127.0.0.1:${redis.port}?password=${spelled}`],
    ["whose port is none", () => `redis://:${spelled}@127.0.0.1:port`],
    ["whose password is not encoded", () => `redis://:${password}@127.0.0.1:${nobody}`],
    ["that speaks no TLS", () => `rediss://:${spelled}@127.0.0.1:${redis.port}`],
    ["whose host has no name", () => `redis://:${spelled}@${noSuchHost}`],
  ])("%s", async (_, url) => {
    expectNoTrace(await everythingSaid(plain.url, url(), null));
  });
});

function vhostUrl(path: string): string {
  return new URL(`/${path}`, rabbitmqUrl()).href;
}

const rabbitmq: readonly [string, () => string][] = [
  ["that is out of reach", () => `amqp://${credentials}@${atNobody()}`],
  ["that refuses the password", () => `amqp://guest:${spelled}@127.0.0.1:${new URL(rabbitmqUrl()).port || 5672}`],
  ["whose vhost is not there", () => vhostUrl(`nowhere?password=${spelled}`)],
  ["whose port is none", () => `amqp://${credentials}@127.0.0.1:port`],
  ["whose password is not encoded", () => `amqp://u:${password}@127.0.0.1:${nobody}`],
  ["whose host has no name", () => `amqp://${credentials}@${noSuchHost}`],
];

describe("no password is read in what is said of RabbitMQ", () => {
  test.each(rabbitmq)("%s", async (_, url) => {
    expectNoTrace(await everythingSaid(plain.url, null, url()));
  });
});

describe("no password is read in what is said of a connection that the caller opens, whose error", () => {
  test.each([
    ["names its URL", `amqp://${credentials}@host`],
    ["names a URL whose password is not encoded", `amqp://u:${password}@host`],
  ])("%s", async (_, url) => {
    const open = async () => {
      throw new Error(`connect failed: ${url}/`, { cause: { url } });
    };
    expectNoTrace(await everythingSaid(plain.url, null, open));
    expectNoTrace(await everythingAConsumerSays(open));
  });
});

test("no password is read in the messages about a pool of the caller's, whose error names its URL", async () => {
  const pool = new pg.Pool();
  pool.connect = async () => {
    throw new Error(`connect failed: postgres://${credentials}@host/db`);
  };
  const said: unknown[] = [];
  const log = { warn: (message: string, details?: object) => void said.push(message, details) };
  await using reporter = createProgressReporter(pool, null, null, { log, changeTimeoutMs: 0, closeTimeoutMs: 0 });
  // The error itself is the cause, and the caller's own.
  said.push(await reporter.startJob(jobId).catch(({ message }: Error) => message));
  said.push(await reporter.progress(jobId, 10).then((answer) => "error" in answer && answer.error.message));
  said.push(await reporter.health());
  expect(inked(said)).toContain("connect failed");
  expectNoTrace(inked(said));
});

describe("no password is read in what a consumer says of RabbitMQ", () => {
  test.each(rabbitmq)("%s", async (_, url) => {
    expectNoTrace(await everythingAConsumerSays(url()));
  });
});

describe("no password is read in what the program prints", () => {
  test.each<[string, string, () => string]>([
    ["migrate", "--database-url", () => `postgres://${credentials}@127.0.0.1:${postgres.port}/postgres`],
    ["migrate", "--database-url", () => `postgres://${atNobody()}/db?user=u&password=${spelled}`],
    ["migrate", "--database-url", () => `postgres://${credentials}@127.0.0.1:99999/db`],
    ["init-exchanges", "--amqp-url", () => `amqp://guest:${spelled}@127.0.0.1:${new URL(rabbitmqUrl()).port || 5672}`],
  ])("%s %s to debug", async (command, flag, url) => {
    const { code, stdout, stderr } = await runProgram([command, flag, url(), "--debug"]);
    expect(code).not.toBe(0);
    expectNoTrace(stdout + stderr);
  });
});

describe("no password is read in what the program prints of a word that no flag names:", () => {
  test.each([
    ["a URL", `postgres://${credentials}@host/db`],
    ["a URL whose password is not encoded", `postgres://u:${password}@host/db`],
    ["a URL whose user is the secret", `postgres://${spelled}@host/db`],
    ["a URL with the password in the query", `postgres://host/db?user=u&password=${spelled}`],
  ])("%s", async (_, word) => {
    const { stderr } = await runProgram(["migrate", word]);
    expect(stderr).toContain("Unexpected argument");
    expectNoTrace(stderr);
  });
});

describe("a password that is said is found", () => {
  test.each<[string, unknown]>([
    ["in a warning", `away: ${password}`],
    ["in the details of a warning", { reason: `connect failed: amqp://${credentials}@host` }],
    ["in the message of an error", new Error(`connect failed: amqp://${credentials}@host`)],
    [
      "in the cause of an error",
      new Error("away", { cause: new Error("away", { cause: { url: `amqp://${spelled}` } }) }),
    ],
    ["in what an error does not show", Object.defineProperty(new Error("away"), "input", { value: password })],
    ["deep in a state", { events: { publisher: { connections: [{ url: `amqp://${spelled}` }] } } }],
  ])("%s", (_, said) => {
    expect(tracesIn(inked(["before", said, "after"]))).not.toEqual([]);
  });

  test("in the error of the raw client", async () => {
    const client = new Redis(`redis://:${spelled}@127.0.0.1:${redis.port}`, { lazyConnect: true, retryStrategy: null });
    const errors: unknown[] = [];
    client.on("error", (error) => errors.push(error));
    errors.push(await client.connect().catch((error: unknown) => error));
    expect(tracesIn(inked(errors))).toContain(password);
  });

  // Hosts are said: this one stands for a password.
  test.each<[string, (host: string) => Promise<string>]>([
    ["PostgreSQL", (host) => everythingSaid(`postgres://${host}/db`, null, null)],
    ["Redis", (host) => everythingSaid(plain.url, `redis://${host}`, null)],
    ["RabbitMQ", (host) => everythingSaid(plain.url, null, `amqp://${host}`)],
    ["RabbitMQ by a consumer", (host) => everythingAConsumerSays(`amqp://${host}`)],
    [
      "a connection that the caller opens",
      (host) => everythingSaid(plain.url, null, () => Promise.reject(new Error(host))),
    ],
    [
      "PostgreSQL by the program",
      async (host) => (await runProgram(["migrate", "--database-url", `postgres://${host}/db`])).stderr,
    ],
  ])("in what is said of %s", async (_, everything) => {
    expect(tracesIn(await everything(`hunter2.${noSuchHost}`))).toEqual(["hunter2"]);
  });
});
