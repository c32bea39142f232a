import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { postgresStorage } from "../../src/adapters/postgres/index.js";
import { runningAt, stored, versionOf, write } from "../../src/conformance/storage-fixtures.js";
import type { JobSnapshot } from "../../src/domain/job-snapshot.js";
import type { StorageAdapter } from "../../src/ports/storage.js";
import { watch } from "../engine/engine-on.js";
import { eventually } from "../support/eventually.js";
import { type TcpProxy, tcpProxy } from "../support/tcp-proxy.js";
import { quietPool, type ServerDatabase, serverDatabase } from "./postgres-subject.js";

const unavailable = { name: "WorkerProgressError", code: "STORAGE_UNAVAILABLE" };

let database: ServerDatabase;
let proxy: TcpProxy;
let storage: StorageAdapter;
let job: JobSnapshot;

beforeAll(async () => {
  database = await serverDatabase();
});
beforeEach(async () => {
  await database.reset();
  proxy = await tcpProxy(database.url);
  storage = postgresStorage(throughProxy(), { lockTimeoutMs: 30_000 });
  await storage.schema.migrate();
  job = await stored(storage, await storage.create({ id: null, type: null, status: "pending", at: 0 }));
});
afterEach(async () => {
  await proxy.accept();
  await storage.close();
  await proxy.close();
});
afterAll(() => database.drop());

describe("a connection of a pool opened from a URL", () => {
  test("that is cut in flight fails its statement and not the process, and the next one works", async () => {
    const failures = await uncaughtWhile(async () => {
      const patient = postgresStorage(throughProxy(), { lockTimeoutMs: 30_000 });
      await patient.prepare();
      const client = await database.pool.connect();
      await client.query("begin");
      await client.query("select from worker_progress_jobs for update");
      const outcomes = patient.commit([write(job, runningAt(40))]);
      const rejected = expect(outcomes).rejects.toMatchObject(unavailable);
      await eventually(async () => {
        const { rows } = await client.query(
          "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        );
        expect(rows.length).toBeGreaterThan(0);
      });
      proxy.cut();
      await rejected;
      await client.query("rollback");
      client.release();
      await eventually(async () => {
        const current = await stored(patient, job.id);
        if (current.progress === 40) return;
        expect(await patient.commit([write(current, runningAt(40))])).toMatchObject([{ kind: "committed" }]);
      });
      await patient.close();
    });
    expect(failures).toEqual([]);
    expect(versionOf(await stored(postgresStorage(database.pool), job.id))).toEqual(runningAt(40));
  });

  test("that is cut while idle is replaced", async () => {
    const failures = await uncaughtWhile(async () => {
      await storage.load([job.id]);
      proxy.cut();
      await eventually(async () => expect(await storage.load([job.id])).toHaveLength(1));
    });
    expect(failures).toEqual([]);
  });

  test("that the server ends is replaced", async () => {
    const failures = await uncaughtWhile(async () => {
      await database.pool.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'worker-progress' and datname = current_database()",
      );
      await eventually(async () => expect(await storage.load([job.id])).toHaveLength(1));
    });
    expect(failures).toEqual([]);
  });

  test("that never answers is given up after statementTimeoutMs and not used again", async () => {
    const waiting = postgresStorage(throughProxy(), { statementTimeoutMs: 5_000 });
    await waiting.load([job.id]);
    proxy.blackhole();
    simulateTime();
    const loading = watch(waiting.load([job.id]));
    await eventually(() => expect(proxy.held).toBeGreaterThan(0));
    await vi.advanceTimersByTimeAsync(4_999);
    expect(loading.error).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(loading.error).toMatchObject(unavailable);
    vi.useRealTimers();
    proxy.cut();
    await proxy.accept();
    expect(await waiting.load([job.id])).toHaveLength(1);
    await waiting.close();
  });

  test("that takes no writes, as a standby's, is not used again", async () => {
    const { rows } = await database.pool.query<{ name: string }>("select current_database() as name");
    const alter = (setting: string) => database.pool.query(`alter database "${rows[0]?.name}" ${setting}`);
    await alter("set default_transaction_read_only = on");
    const late = postgresStorage(database.url, { lockTimeoutMs: 30_000 });
    await expect(late.commit([write(job, runningAt(40))])).rejects.toMatchObject(unavailable);
    await alter("reset default_transaction_read_only");
    expect(await late.commit([write(job, runningAt(40))])).toMatchObject([{ kind: "committed" }]);
    await late.close();
  });

  test("that cannot be had is refused at once, and had again when the server is back", async () => {
    await proxy.refuse();
    await eventually(async () => expect(storage.load([job.id])).rejects.toMatchObject(unavailable));
    await proxy.accept();
    await eventually(async () => expect(await storage.load([job.id])).toHaveLength(1));
  });
});

describe("closing", () => {
  test("ends the pool that was opened from a URL", async () => {
    expect(proxy.connections).toBeGreaterThan(0);
    await storage.close();
    await eventually(() => expect(proxy.connections).toBe(0));
    await expect(storage.load([job.id])).rejects.toMatchObject({ code: "REPORTER_CLOSED" });
  });

  test("leaves open what the caller passed in", async () => {
    for (const source of [database.pool, database.camelCase]) {
      const borrowed = postgresStorage(source);
      await borrowed.prepare();
      await borrowed.close();
      await expect(borrowed.load([job.id])).rejects.toMatchObject({ code: "REPORTER_CLOSED" });
    }
    expect((await database.pool.query("select 1 as alive")).rows).toEqual([{ alive: 1 }]);
  });

  test("opens nothing where nothing was opened", async () => {
    const before = proxy.connections;
    const unused = postgresStorage(throughProxy());
    await unused.close();
    expect(proxy.connections).toBe(before);
  });
});

test("a pool with no connection to spare is unavailable, not wrong", async () => {
  const pool = quietPool({ connectionString: database.url, max: 1, connectionTimeoutMillis: 300 });
  const client = await eventually(() => pool.connect());
  await expect(postgresStorage(pool).load([job.id])).rejects.toMatchObject(unavailable);
  client.release();
  expect(await postgresStorage(pool).load([job.id])).toHaveLength(1);
  await pool.end();
});

test("an error tells no password", async () => {
  const secret = "hunter2hunter2";
  for (const url of [
    `postgres://postgres:${secret}@127.0.0.1:1/nowhere`,
    `postgres://postgres:${secret}@no-such-host.invalid/nowhere`,
    `postgres://postgres:${secret}@127.0.0.1:notaport/nowhere`,
  ]) {
    const hopeless = postgresStorage(url);
    const error = await hopeless.prepare().then(
      () => null,
      (reason: Error) => reason,
    );
    expect(error?.message).toBeTruthy();
    expect(error?.message).not.toContain(secret);
    await hopeless.close();
  }
});

function simulateTime(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
}

function throughProxy(): string {
  const url = new URL(database.url);
  url.hostname = "127.0.0.1";
  url.port = String(proxy.port);
  return url.href;
}

/** What would have ended the process meanwhile. */
async function uncaughtWhile(body: () => Promise<void>): Promise<readonly unknown[]> {
  const failures: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => failures.push(error));
  try {
    await body();
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
  }
  return failures;
}
