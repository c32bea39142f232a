import { readFileSync } from "node:fs";
import { connect } from "amqplib";
import { Redis } from "ioredis";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createProgressReporter } from "worker-progress";
import { createEventConsumer } from "worker-progress/consumer";
import { startWorker } from "../support/child-process.js";
import { eventually } from "../support/eventually.js";
import { type TestDatabase, testDatabase } from "../support/servers.js";
import { type SecureServers, secureServers } from "./secure-servers.js";
import type { ReportsSecurelyMessage } from "./workers/reports-securely.js";

let servers: SecureServers;
let plain: TestDatabase;

beforeAll(async () => {
  [servers, plain] = await Promise.all([secureServers(), testDatabase()]);
  await using reporter = createProgressReporter(plain.url);
  await reporter.migrate();
});
afterAll(async () => {
  await Promise.all([servers[Symbol.asyncDispose](), plain.drop()]);
});

/** The certificate is not trusted: OpenSSL's words for it. */
const untrusted = /certificate/;
const anotherHost = /does not match certificate's altnames/;

class RecordingLog {
  readonly said: { readonly message: string; readonly reason: unknown }[] = [];

  warn(message: string, details: Readonly<Record<string, unknown>> = {}): void {
    this.said.push({ message, reason: details.reason });
  }

  reasons(about: string): string[] {
    return this.said.filter(({ message }) => message.includes(about)).map(({ reason }) => String(reason));
  }
}

// One that has to close while a broker keeps it waiting leaves its lease behind, for the next to wait out.
const waits = { closeTimeoutMs: 300, relay: { leaseMs: 1_000 } };

const verified = (url: string, mode = "verify-full") => `${url}?sslmode=${mode}`;
const byAddress = (url: string) => url.replace("localhost", "127.0.0.1");

describe("with the authority's certificate", () => {
  test("URLs work where NODE_EXTRA_CA_CERTS names it", async () => {
    const urls = [verified(servers.databaseUrl), servers.redisUrl, servers.rabbitmqUrl];
    const worker = await startWorker<ReportsSecurelyMessage>(
      new URL("./workers/reports-securely.ts", import.meta.url),
      { args: [JSON.stringify(urls)], env: { NODE_EXTRA_CA_CERTS: servers.authority.caFile } },
    );
    const { published, warned } = await worker.message(() => true);
    expect(published).toBe(3);
    expect(warned.filter((warning) => !warning.includes("no queue is bound"))).toEqual([]);
    expect((await worker.exit).code).toBe(0);
  });

  test("a pool, a client and a factory of connections that were given it work", async () => {
    const ca = readFileSync(servers.authority.caFile, "utf8");
    const pool = new pg.Pool({ connectionString: servers.databaseUrl, ssl: { ca }, max: 3 });
    const redis = new Redis(servers.redisUrl, { tls: { ca } });
    const log = new RecordingLog();
    const reporter = createProgressReporter(pool, redis, () => connect(servers.rabbitmqUrl, { ca }), {
      log,
      redis: { timeoutMs: 10_000 },
    });
    await reporter.migrate();
    await (await reporter.startJob(await reporter.createJob())).complete();
    expect(await reporter.close()).toEqual({ unwritten: [], unpublished: false });
    expect(log.reasons("Redis")).toEqual([]);
    await Promise.all([pool.end(), redis.quit()]);
  });

  test("a postgres:// URL may name it as sslrootcert", async () => {
    const url = `${verified(servers.databaseUrl)}&sslrootcert=${servers.authority.caFile}`;
    await using reporter = createProgressReporter(url);
    await reporter.migrate();
    expect((await reporter.health()).storage).toEqual({ state: "up", reason: null });
  });
});

describe("a certificate of an authority that is not known is refused, and that is said:", () => {
  test.each(["verify-full", "require"])("PostgreSQL with sslmode=%s", async (mode) => {
    const log = new RecordingLog();
    await using reporter = createProgressReporter(verified(servers.databaseUrl, mode), null, null, {
      log,
      changeTimeoutMs: 300,
      closeTimeoutMs: 300,
    });
    await expect(reporter.startJob(1)).rejects.toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      message: expect.stringMatching(untrusted),
    });
    expect(await reporter.progress(1, 10)).toMatchObject({ outcome: "deferred" });
    expect((await reporter.health()).storage).toMatchObject({
      state: "down",
      reason: expect.stringMatching(untrusted),
    });
    expect(log.reasons("storage").filter((reason) => untrusted.test(reason))).toHaveLength(1);
  });

  test("Redis, without which each process throttles for itself", async () => {
    const log = new RecordingLog();
    await using reporter = createProgressReporter(plain.url, servers.redisUrl, null, { log });
    const job = await reporter.startJob(await reporter.createJob());
    expect(await job.progress(10)).toMatchObject({ outcome: "written" });
    await eventually(() => expect(log.reasons("throttles for itself")).toHaveLength(1));
    expect(log.reasons("throttles for itself")[0]).toMatch(untrusted);
  });

  test("RabbitMQ, and the events wait", async () => {
    const log = new RecordingLog();
    await using reporter = createProgressReporter(plain.url, null, servers.rabbitmqUrl, { log, ...waits });
    await reporter.startJob(await reporter.createJob());
    await eventually(() => expect(log.reasons("publisher is away")).toHaveLength(1));
    expect(log.reasons("publisher is away")[0]).toMatch(untrusted);
    expect((await reporter.health()).events).toMatchObject({
      publisher: "down",
      reason: expect.stringMatching(untrusted),
    });
  });

  test("RabbitMQ, to a consumer, which tries again", async () => {
    const log = new RecordingLog();
    const consumer = createEventConsumer(servers.rabbitmqUrl, { queue: "q", handler: async () => {}, log });
    const started = consumer.start().catch((error: unknown) => error);
    await eventually(() => expect(log.reasons("Cannot read events")).toHaveLength(1));
    expect(log.reasons("Cannot read events")[0]).toMatch(untrusted);
    expect(consumer.state()).toMatchObject({ kind: expect.stringMatching(/lost|connecting/) });
    await consumer.stop();
    expect(await started).toMatchObject({ code: "REPORTER_CLOSED" });
  });
});

describe("a certificate for another host is refused, and that is said:", () => {
  test("Redis", async () => {
    const ca = readFileSync(servers.authority.caFile, "utf8");
    const log = new RecordingLog();
    const redis = new Redis(byAddress(servers.redisUrl), { tls: { ca }, lazyConnect: true });
    await using reporter = createProgressReporter(plain.url, redis, null, { log });
    await reporter.progress(await reporter.createJob(), 10);
    await eventually(() => expect(log.reasons("throttles for itself")).toHaveLength(1));
    expect(log.reasons("throttles for itself")[0]).toMatch(anotherHost);
  });

  test("RabbitMQ", async () => {
    const ca = readFileSync(servers.authority.caFile, "utf8");
    const log = new RecordingLog();
    const open = () => connect(byAddress(servers.rabbitmqUrl), { ca });
    await using reporter = createProgressReporter(plain.url, null, open, { log, ...waits });
    await reporter.startJob(await reporter.createJob());
    await eventually(() => expect(log.reasons("publisher is away")).toHaveLength(1));
    expect(log.reasons("publisher is away")[0]).toMatch(anotherHost);
  });

  test("PostgreSQL", async () => {
    await servers.renamePostgres("elsewhere.test");
    const log = new RecordingLog();
    const url = `${verified(servers.databaseUrl)}&sslrootcert=${servers.authority.caFile}`;
    await using reporter = createProgressReporter(url, null, null, { log, changeTimeoutMs: 300, closeTimeoutMs: 300 });
    await eventually(() =>
      expect(reporter.startJob(1)).rejects.toMatchObject({
        code: "STORAGE_UNAVAILABLE",
        message: expect.stringMatching(anotherHost),
      }),
    );
  });
});
