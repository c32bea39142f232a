import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createProgressReporter, type ProgressReporter } from "../../src/index.js";
import { RecordingLog } from "../engine/engine-on.js";
import { eventually } from "../support/eventually.js";
import { freePort } from "../support/free-port.js";
import { startPgbouncer } from "../support/private-pgbouncer.js";
import { type TestDatabase, testDatabase } from "../support/servers.js";
import { tcpProxy } from "../support/tcp-proxy.js";

let database: TestDatabase;
let log: RecordingLog;

beforeAll(async () => {
  database = await testDatabase();
  await using reporter = createProgressReporter(database.url);
  await reporter.migrate();
});

afterAll(() => database.drop());

beforeEach(() => {
  log = new RecordingLog();
});

function onPorts(...ports: readonly number[]): ProgressReporter {
  const hosts = ports.map((port) => `127.0.0.1:${port}`).join(",");
  const url = database.url.replace(new URL(database.url).host, hosts);
  return createProgressReporter(url, null, null, { log, changeTimeoutMs: 5_000, watchPollMs: 60_000 });
}

const port = () => Number(new URL(database.url).port);
const warnings = () => log.warnings.filter((warning) => !warning.startsWith("No publisher was given"));

describe("a URL that names several hosts", () => {
  test("leads to the one that can be reached, and nobody is told of the other", async () => {
    await using reporter = onPorts(await freePort(), port());
    const job = await reporter.startJob(await reporter.createJob());
    expect(await job.progress(10)).toMatchObject({ outcome: "written" });
    expect(warnings()).toEqual([]);
  });

  test("leads to another when the one in use dies", async () => {
    const network = await tcpProxy(database.url);
    await using reporter = onPorts(network.port, port());
    const job = await reporter.startJob(await reporter.createJob());
    await network.refuse();
    await job.complete();
    expect(await reporter.getJob(job.id)).toMatchObject({ status: "completed" });
    await network.close();
  });

  test("leads past a pooler whose server is away, which still takes connections", async () => {
    const network = await tcpProxy(database.url);
    const url = new URL(database.url);
    url.port = String(network.port);
    await using pooler = await startPgbouncer(url.href);
    const others = new pg.Pool({ connectionString: pooler.url, query_timeout: 200 });
    others.on("error", () => {});
    await others.query("select");
    await network.refuse();
    await eventually(() => expect(others.query("select")).rejects.toThrow("server login has been failing"));
    await using reporter = onPorts(pooler.port, port());
    expect(await reporter.findStalled({ olderThanMs: 60_000 })).toEqual([]);
    await others.end();
    await network.close();
  });

  test("is heard through the one that can be reached", async () => {
    await using worker = onPorts(await freePort(), port());
    await using watcher = onPorts(await freePort(), port());
    const job = await worker.startJob(await worker.createJob());
    const seen: number[] = [];
    void (async () => {
      for await (const { progress } of watcher.watch(job.id)) seen.push(progress.percent);
    })();
    await eventually(() => expect(seen).toEqual([0]));
    void job.progress(10);
    // The next poll would come much later.
    await eventually(() => expect(seen).toContain(10));
    expect(warnings()).toEqual([]);
  });

  test("leads nowhere while none can be reached", async () => {
    await using reporter = onPorts(await freePort(), await freePort());
    await expect(reporter.getJob(1)).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  });
});
