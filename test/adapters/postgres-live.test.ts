import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { memoryLive } from "../../src/adapters/memory/index.js";
import { Database } from "../../src/adapters/postgres/database.js";
import type { PostgresSource, PostgresStorageOptions } from "../../src/adapters/postgres/index.js";
import { listeningClients } from "../../src/adapters/postgres/listening-client.js";
import { notify } from "../../src/adapters/postgres/notify.js";
import { openPostgres } from "../../src/adapters/postgres/open-postgres.js";
import { runOnFirstUse } from "../../src/adapters/postgres/run-statement.js";
import { tableChannels } from "../../src/adapters/postgres/table-channels.js";
import { liveConformance } from "../../src/conformance/index.js";
import { cancellationOf, progressOf, recorder, storedOf } from "../../src/conformance/live-fixtures.js";
import type { LiveAdapter } from "../../src/ports/live.js";
import { eventually } from "../support/eventually.js";
import { type LiveProcess, listeners, liveProcess } from "./postgres-live-subject.js";
import { quietPool, type ServerDatabase, serverDatabase } from "./postgres-subject.js";

let database: ServerDatabase;
let running: LiveProcess[] = [];
const warnings: string[] = [];
const log = { warn: (message: string) => void warnings.push(message) };

beforeAll(async () => {
  database = await serverDatabase();
  await database.reset("create schema tenant");
  for (const schema of ["public", "tenant"]) await openPostgres(database.pool, { schema }).storage.schema.migrate();
});

afterEach(async () => {
  await Promise.all(running.map((each) => each.close()));
  running = [];
  expect(warnings.splice(0)).toEqual([]);
});

afterAll(() => database.drop());

/** Waits until the connections are gone that are being ended. */
async function nobodyListens(): Promise<void> {
  await eventually(async () => expect(await listeners(database)).toBe(0));
}

function liveOn(source: PostgresSource, options: PostgresStorageOptions = {}): LiveAdapter {
  const started = liveProcess(source, log, options);
  running.push(started);
  return started.live;
}

describe.each(["a pool", "a URL"])("PostgreSQL live updates by %s", (name) => {
  liveConformance({
    test,
    reach: "shared",
    supports: {
      unwritten: "every notification costs the server and every listener",
      latest: "PostgreSQL keeps no notification",
    },
    factory: async () => {
      const sources = name === "a URL" ? [database.url, database.url] : [database.pool, database.otherPool];
      const quiet = { warn: () => {} };
      const [one, other] = sources.map((source) => liveProcess(source, quiet)) as [LiveProcess, LiveProcess];
      const dispose = async () => void (await Promise.all([one.close(), other.close()]));
      return { live: one.live, peer: other.live, dispose };
    },
  });
});

describe("what is told", () => {
  test("fits into payloads: a round of 2,000 jobs arrives whole, each job's text with it", async () => {
    const [live, peer] = [liveOn(database.pool), liveOn(database.otherPool)];
    const all = Array.from({ length: 2_000 }, (_, index) => ({
      ...storedOf(`job ${index}`, index % 100),
      step: "Bearbeitung",
      message: `Zażółć gęślą jaźń 🚀 "${index}"\n`,
    }));
    const listeners = all.map(recorder);
    await Promise.all(all.map(({ jobId }, index) => peer.subscribe(jobId, listeners[index] ?? recorder())));
    await live.publish(all);
    await Promise.all(listeners.map((listener) => listener.hears(1)));
    expect(listeners.flatMap(({ heard }) => heard)).toEqual(all);
  });

  test("fits into payloads to the byte, whatever a character takes", async () => {
    const [live, peer] = [liveOn(database.pool), liveOn(database.otherPool)];
    const listener = recorder();
    await peer.subscribe("job", listener);
    const all = ["x", "é", "€", "🚀"].flatMap((character) =>
      Array.from({ length: 12 }, (_, index) => ({
        ...storedOf("job", index),
        message: character.repeat(Math.ceil((7_770 + 10 * index) / Buffer.byteLength(character))),
      })),
    );
    // What is equal in one transaction PostgreSQL delivers once.
    for (const [attempt, message] of all.entries()) await live.publish([message, { ...storedOf("job", 99), attempt }]);
    await listener.hears(2 * all.length);
    const told = listener.heard.filter((_, index) => index % 2 === 0);
    const isWhole = all.map((each, index) => told[index]?.kind === "stored" && told[index].message === each.message);
    expect(told).toEqual(all.map((each, index) => (isWhole[index] ? each : { ...each, message: null })));
    // Each character's run has both: texts that fit, then texts that do not.
    for (let from = 0; from < all.length; from += 12) {
      const run = isWhole.slice(from, from + 12);
      expect(run).toEqual(run.toSorted().reverse());
      expect(new Set(run).size).toBe(2);
    }
  });

  test("goes without its text where that is too long by itself", async () => {
    const [live, peer] = [liveOn(database.pool), liveOn(database.otherPool)];
    const listener = recorder();
    await peer.subscribe("job", listener);
    const huge = { ...storedOf("job", 50), step: "mesh", message: "€".repeat(64_000) };
    await live.publish([storedOf("job", 49), huge, storedOf("job", 51)]);
    await listener.hears(3);
    expect(listener.heard).toEqual([storedOf("job", 49), { ...huge, step: null, message: null }, storedOf("job", 51)]);
    expect(await live.latest(["job"])).toEqual([storedOf("job", 51)]);
  });

  test("goes without its reason where that is too long by itself", async () => {
    const [live, peer] = [liveOn(database.pool), liveOn(database.otherPool)];
    const listener = recorder();
    await peer.subscribeCancellations(listener);
    await live.publish([cancellationOf("a", "€".repeat(64_000)), cancellationOf("b", "€".repeat(2_000))]);
    await listener.hears(2);
    expect(listener.heard).toEqual([cancellationOf("a"), cancellationOf("b", "€".repeat(2_000))]);
  });

  test("within the process is told whole, stored or not", async () => {
    const live = liveOn(database.pool);
    const listener = recorder();
    await live.subscribe("job", listener);
    const huge = { ...progressOf("job", 50), message: "x".repeat(64_000) };
    await live.publish([huge]);
    expect(listener.heard).toEqual([huge]);
  });

  test("of another table is not heard", async () => {
    const [live, other] = [liveOn(database.pool), liveOn(database.pool, { schema: "tenant" })];
    const [job, cancellations] = [recorder(), recorder()];
    const hearing = liveOn(database.otherPool);
    await hearing.subscribe("42", job);
    await hearing.subscribeCancellations(cancellations);
    await other.publish([storedOf("42", 1), cancellationOf("42")]);
    await live.publish([storedOf("42", 2), cancellationOf("43")]);
    await Promise.all([job.hears(1), cancellations.hears(1)]);
    expect([job.heard, cancellations.heard]).toEqual([[storedOf("42", 2)], [cancellationOf("43")]]);
  });

  test("of a table is heard whether its schema is named or found by the search path", async () => {
    const searching = quietPool({ connectionString: database.url, options: "-c search_path=tenant" });
    const [bySearch, byName] = [liveOn(searching), liveOn(database.pool, { schema: "tenant" })];
    const [one, other] = [recorder(), recorder()];
    await bySearch.subscribe("42", one);
    await byName.subscribe("42", other);
    await bySearch.publish([storedOf("42", 1)]);
    await byName.publish([storedOf("42", 2)]);
    await Promise.all([one.hears(2), other.hears(2)]);
    await searching.end();
  });
});

test("garbage on the channels is ignored, and text out of it is never believed to be another kind", async () => {
  const live = liveOn(database.pool);
  const [job, cancellations] = [recorder(), recorder()];
  await live.subscribe("job", job);
  await live.subscribeCancellations(cancellations);
  const valid = {
    kind: "stored",
    jobId: "job",
    attempt: 1,
    progress: 50,
    step: null,
    message: null,
    at: 1,
    rate: null,
    status: "running",
  };
  const garbage = [
    "no JSON",
    "null",
    "{}",
    "[]",
    "[42]",
    JSON.stringify([valid]),
    JSON.stringify(["x", null, 42, "text", [], {}]),
    JSON.stringify(["x", { ...valid, jobId: 42 }]),
    JSON.stringify(["x", { ...valid, kind: "other" }]),
    JSON.stringify(["x", { ...valid, progress: 101 }]),
    JSON.stringify(["x", { ...valid, attempt: -1 }]),
    JSON.stringify(["x", { ...valid, at: null }]),
    JSON.stringify(["x", { ...valid, at: 1e300 }]),
    JSON.stringify(["x", { ...valid, status: "exploded" }]),
    JSON.stringify(["x", { kind: "cancellation", jobId: 42 }]),
    JSON.stringify(["x", { kind: "cancellation", jobId: "job", reason: 42 }]),
    `["x", {"__proto__": ${JSON.stringify(valid)}}]`,
  ];
  const source = { kind: "pool", pool: database.pool } as const;
  const run = runOnFirstUse(new Database(source, 10_000));
  const channels = await tableChannels(run, { name: "worker_progress_jobs", schema: undefined });
  const say = (payload: string) =>
    notify(
      run,
      [channels.news, channels.cancellations].map((channel) => ({ channel, payload })),
    );
  for (const payload of garbage) await say(payload);
  await say(JSON.stringify(["x", { ...valid, later: "field" }, null, cancellationOf("job")]));
  await Promise.all([job.hears(2), cancellations.hears(2)]);
  expect(job.heard).toEqual([valid, valid]);
  expect(cancellations.heard).toEqual([cancellationOf("job"), cancellationOf("job")]);
});

describe("the connection that listens", () => {
  test("is not there while nobody listens, though everything is told", async () => {
    const live = liveOn(database.pool);
    await nobodyListens();
    await live.publish([storedOf("job", 1), cancellationOf("job")]);
    expect(live.reach).toBe("process");
    expect(await listeners(database)).toBe(0);
  });

  test("is one for a thousand jobs and all cancellations, and gone after the last listener", async () => {
    const live = liveOn(database.pool);
    await nobodyListens();
    const ids = Array.from({ length: 1_000 }, (_, index) => `job ${index}`);
    const leave = await Promise.all([
      ...ids.map((id) => live.subscribe(id, recorder())),
      live.subscribeCancellations(recorder()),
    ]);
    expect(live.reach).toBe("shared");
    expect(await listeners(database)).toBe(1);
    for (const unsubscribe of leave) unsubscribe();
    await nobodyListens();
    expect(live.reach).toBe("process");
  });

  test("takes no slot of a pool of one, which tells all the same", async () => {
    const single = quietPool({ connectionString: database.url, max: 1 });
    const [live, peer] = [liveOn(single), liveOn(database.pool)];
    const [here, there] = [recorder(), recorder()];
    await live.subscribe("job", here);
    await peer.subscribe("job", there);
    const { rows } = await single.query("select 1 as free");
    expect(rows).toEqual([{ free: 1 }]);
    await live.publish([storedOf("job", 1)]);
    await there.hears(1);
    await peer.publish([storedOf("job", 2)]);
    await here.hears(2);
    await single.end();
  });

  test("logs in as the pool does, with a password that pg hides, too", async () => {
    const { hostname, port, pathname } = new URL(database.url);
    const where = { host: hostname, port: Number(port || 5432), database: pathname.slice(1) };
    const pool = quietPool({ ...where, user: "postgres", password: "secret", application_name: "mine" });
    const client = await listeningClients({ kind: "pool", pool })?.make();
    expect(client).toMatchObject({ ...where, user: "postgres", password: "secret" });
    await pool.end();
  });

  test("is closed by close(), which leaves the pool as it was", async () => {
    const pool = quietPool({ connectionString: database.url });
    const started = liveProcess(pool, log);
    await nobodyListens();
    await started.live.subscribe("job", recorder());
    const names = () => pool.eventNames().map((name) => [name, pool.listenerCount(name)]);
    const before = names();
    expect(await listeners(database)).toBe(1);
    await started.close();
    await nobodyListens();
    expect(names()).toEqual(before);
    expect((await pool.query("select 1 as alive")).rows).toEqual([{ alive: 1 }]);
    await pool.end();
  });

  test("is given up when the caller has ended the pool", async () => {
    const pool = quietPool({ connectionString: database.url });
    await liveOn(pool).subscribe("job", recorder());
    await pool.end();
    await nobodyListens();
  });
});

describe("a source that cannot listen", () => {
  test("tells what it stores all the same, and leaves hearing to the poll: a Kysely", async () => {
    const [live, peer] = [liveOn(database.camelCase), liveOn(database.otherPool)];
    const [here, there] = [recorder(), recorder()];
    await live.subscribe("job", here);
    await peer.subscribe("job", there);
    await live.publish([progressOf("job", 1), storedOf("job", 2)]);
    await there.hears(1);
    expect([live.reach, peer.reach]).toEqual(["process", "shared"]);
    expect(here.heard).toEqual([progressOf("job", 1), storedOf("job", 2)]);
  });

  test.each<[string, PostgresSource, PostgresStorageOptions]>([
    ["a PGlite", "memory://", {}],
    ["a pool that shall not notify", "postgres://127.0.0.1/never", { notify: false }],
  ])("has live updates within its process alone: %s", (_, source, options) => {
    const inProcess = memoryLive({ log });
    expect(openPostgres(source, options).live(inProcess, log)).toBe(inProcess);
  });

  test("is told apart by an option that must be true or false", () => {
    expect(() => openPostgres(database.pool, { notify: "no" as never })).toThrow("Option notify must be true or false");
  });
});
