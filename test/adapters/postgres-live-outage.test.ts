import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { memoryLive } from "../../src/adapters/memory/index.js";
import { Database } from "../../src/adapters/postgres/database.js";
import { listeningClients } from "../../src/adapters/postgres/listening-client.js";
import { NotificationListener } from "../../src/adapters/postgres/notification-listener.js";
import { notify } from "../../src/adapters/postgres/notify.js";
import { openPostgres } from "../../src/adapters/postgres/open-postgres.js";
import { postgresLive } from "../../src/adapters/postgres/postgres-live.js";
import { runOnFirstUse } from "../../src/adapters/postgres/run-statement.js";
import { type Topic, tableChannels } from "../../src/adapters/postgres/table-channels.js";
import { cancellationOf, recorder, storedOf } from "../../src/conformance/live-fixtures.js";
import type { LiveAdapter } from "../../src/ports/live.js";
import { type ProxiedUrl, viaProxy } from "../guarantees/via-proxy.js";
import { eventually } from "../support/eventually.js";
import { freePort } from "../support/free-port.js";
import { type TestDatabase, testDatabase } from "../support/servers.js";
import { type LiveProcess, liveProcess, testWaits } from "./postgres-live-subject.js";
import { type ServerDatabase, serverDatabase } from "./postgres-subject.js";

const notHeard = "PostgreSQL notifications are not heard: watched jobs are polled until they are";
const heardAgain = "PostgreSQL notifications are heard again";
const notTaken = "PostgreSQL takes no notifications: other processes see changes late until it does";
const takenAgain = "PostgreSQL takes notifications again";

let database: ServerDatabase;
let elsewhere: TestDatabase;
let network: ProxiedUrl;
let warnings: string[];
let open: { close(): Promise<void> }[];
const log = { warn: (message: string) => void warnings.push(message) };

beforeAll(async () => {
  [database, elsewhere] = await Promise.all([serverDatabase(), testDatabase()]);
  await openPostgres(database.pool).storage.schema.migrate();
});

beforeEach(async () => {
  network = await viaProxy(database.url);
  [warnings, open] = [[], []];
});

afterEach(async () => {
  await network.accept();
  await Promise.all(open.map((each) => each.close()));
  await network.close();
});

afterAll(async () => {
  await Promise.all([database.drop(), elsewhere.drop()]);
});

/** A process behind the network that breaks, and one beside it. */
function processes(waits = testWaits): { readonly away: LiveAdapter; readonly peer: LiveAdapter } {
  const [one, other] = [liveProcess(network.url, log, {}, waits), liveProcess(database.pool, { warn: () => {} })] as [
    LiveProcess,
    LiveProcess,
  ];
  open.push(one, other);
  return { away: one.live, peer: other.live };
}

async function listenersIn({ url }: TestDatabase): Promise<number> {
  const { rows } = await database.pool.query<{ count: number }>(
    "select count(*)::int as count from pg_stat_activity where application_name = 'worker-progress-listener' and datname = $1",
    [new URL(url).pathname.slice(1)],
  );
  return rows[0]?.count ?? 0;
}

/** When the connection that listens gave a sign of life that is not the one `before`; one that was cut may be there still. */
async function signOfLife(before: string | null): Promise<string> {
  return await eventually(async () => {
    const { rows } = await database.pool.query<{ at: string; query: string }>(
      "select (pid, query_start)::text as at, query from pg_stat_activity where application_name = 'worker-progress-listener' and datname = current_database() order by backend_start desc limit 1",
    );
    const [newest] = rows;
    if (newest?.query !== "select 1" || newest.at === before) throw new Error("No sign of life");
    return newest.at;
  });
}

/** A listener that counts what may have been missed. */
function gapCounter() {
  const listener = recorder();
  const counter = { ...listener, gaps: 0, onGap: () => void counter.gaps++ };
  return counter;
}

test("a connection that is cut is replaced, each listener is told of the gap, and nothing is said of it", async () => {
  const { away, peer } = processes();
  const [job, cancellations] = [gapCounter(), gapCounter()];
  await away.subscribe("job", job);
  await away.subscribeCancellations(cancellations);
  expect([away.reach, job.gaps]).toEqual(["shared", 0]);
  network.cut();
  await eventually(() => expect([job.gaps, cancellations.gaps]).toEqual([1, 1]));
  expect(away.reach).toBe("shared");
  await peer.publish([storedOf("job", 1)]);
  await job.hears(1);
  expect(warnings).toEqual([]);
});

test("a connection that has lived is replaced at once, however often one was cut before", async () => {
  const { away } = processes({ ...testWaits, lifeMs: 50, backoff: { firstMs: 1_000_000, maxMs: 1_000_000 } });
  const job = gapCounter();
  await away.subscribe("job", job);
  for (const gaps of [1, 2]) {
    network.cut();
    await eventually(() => expect([job.gaps, away.reach]).toEqual([gaps, "shared"]));
    // The second sign is given when the first has been answered.
    const first = await signOfLife(null);
    await signOfLife(first);
  }
});

test("while the server refuses, the reach is the process, which is said once, and its end once", async () => {
  const { away, peer } = processes();
  const { peer: besides } = processes();
  const job = gapCounter();
  await away.subscribe("job", job);
  await network.refuse();
  await eventually(() => expect(warnings).toEqual([notHeard]));
  expect(away.reach).toBe("process");
  // Who comes during the outage waits for nothing.
  const [late, witness] = [gapCounter(), recorder()];
  await away.subscribe("late", late);
  // It is told behind the back of who publishes, and must not be when the network is back.
  await besides.subscribe("job", witness);
  await peer.publish([storedOf("job", 1)]);
  await witness.hears(1);
  await network.accept();
  await eventually(() => expect([job.gaps, late.gaps, away.reach]).toEqual([1, 1, "shared"]));
  await peer.publish([storedOf("late", 2)]);
  await late.hears(1);
  expect([job.heard, warnings]).toEqual([[], [notHeard, heardAgain]]);
});

test("a connection that is silently dead is found out by its missing sign of life", async () => {
  const { away, peer } = processes({ ...testWaits, answerMs: 1_000 });
  const job = gapCounter();
  await away.subscribe("job", job);
  await eventually(() => expect(away.reach).toBe("shared"));
  const { gaps } = job;
  network.blackhole();
  await eventually(() => expect(away.reach).toBe("process"));
  network.cut();
  await network.accept();
  await eventually(() => expect([job.gaps, away.reach]).toEqual([gaps + 1, "shared"]));
  await eventually(async () => {
    await peer.publish([storedOf("job", 1)]);
    expect(job.heard).toContainEqual(storedOf("job", 1));
  });
});

test("a connection that does not answer to LISTEN is given up", async () => {
  const { away } = processes({ ...testWaits, answerMs: 500, lifeMs: 1_000_000 });
  await away.subscribe("job", recorder());
  network.blackhole();
  await away.subscribeCancellations(recorder());
  expect(away.reach).toBe("process");
});

test("a table that is not there yet is heard of once it is", async () => {
  const live = liveProcess(database.pool, log, { schema: "later" });
  open.push(live);
  await live.live.subscribe("job", recorder());
  expect([live.live.reach, warnings]).toEqual(["process", [notHeard]]);
  await database.pool.query("create schema later");
  await openPostgres(database.pool, { schema: "later" }).storage.schema.migrate();
  await eventually(() => expect(live.live.reach).toBe("shared"));
});

test("what cannot be sent is kept, and sent when the server is back; publishing waits for nothing", async () => {
  const { away, peer } = processes();
  const [here, there] = [recorder(), recorder()];
  await away.subscribe("job", here);
  await peer.subscribe("job", there);
  await network.refuse();
  await away.publish([storedOf("job", 1)]);
  await away.publish([storedOf("job", 2), cancellationOf("job")]);
  expect(here.heard).toEqual([storedOf("job", 1), storedOf("job", 2)]);
  await eventually(() => expect(warnings).toContain(notTaken));
  await network.accept();
  await eventually(() => expect(there.heard).toEqual([storedOf("job", 1), storedOf("job", 2)]));
  await eventually(() => expect(warnings).toContain(takenAgain));
  expect(warnings.filter((warning) => warning === notTaken)).toHaveLength(1);
});

// LISTEN in another database is accepted and hears nothing of this one: as behind a pooler in transaction mode.
test("a connection that takes LISTEN and delivers nothing does not count, until one does that hears", async () => {
  const source = (url: string) => ({ kind: "postgres-url", url }) as const;
  const run = new Database(source(database.url), 5_000);
  let target = elsewhere.url;
  const live = postgresLive({
    run: runOnFirstUse(run),
    clients: {
      hosts: 1,
      make: async () => (await listeningClients(source(target))?.make()) as never,
      isOver: () => false,
    },
    table: { name: "worker_progress_jobs", schema: undefined },
    inProcess: memoryLive({ log }),
    log,
    waits: { ...testWaits, echoMs: 100 },
  });
  open.push({ close: () => live.close().then(() => run.close()) });
  const job = gapCounter();
  await live.subscribe("job", job);
  expect([live.reach, warnings]).toEqual(["process", [notHeard]]);
  await eventually(async () => expect(await listenersIn(elsewhere)).toBe(0));
  target = database.url;
  // It hears from here on; an echo may take longer than 100 ms on a busy machine, and is tried again.
  await eventually(() => expect([live.reach, job.gaps]).toEqual(["shared", 1]));
  expect(warnings).toEqual([notHeard, heardAgain]);
});

test("who comes during an outage is heard after it, though nobody was there when the next try was due", async () => {
  const source = (url: string) => ({ kind: "postgres-url", url }) as const;
  const away = new URL(database.url);
  away.port = String(await freePort());
  let [target, asked] = [away.href, 0];
  const sending = new Database(source(database.url), 5_000);
  const run = runOnFirstUse(sending);
  const wanted = new Set<Topic>(["news"]);
  const listener = new NotificationListener({
    clients: {
      hosts: 1,
      make: async () => (await listeningClients(source(target))?.make()) as never,
      isOver: () => false,
    },
    channels: () => tableChannels(run, { name: "worker_progress_jobs", schema: undefined }),
    ownChannel: "worker_progress_test",
    send: (notification) => notify(run, [notification]),
    wanted: () => {
      asked++;
      return [...wanted];
    },
    onPayload: () => {},
    onStands: () => {},
    onLost: () => {},
    log,
    waits: testWaits,
  });
  open.push({ close: () => listener.close().then(() => sending.close()) });
  await listener.listen("news");
  expect(warnings).toEqual([notHeard]);
  wanted.clear();
  const askedBefore = asked;
  await eventually(() => expect(asked).toBeGreaterThan(askedBefore));
  target = database.url;
  wanted.add("news");
  await listener.listen("news");
  await eventually(() => expect(listener.hears("news")).toBe(true));
  expect(warnings).toEqual([notHeard, heardAgain]);
});
