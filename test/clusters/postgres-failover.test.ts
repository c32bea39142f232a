import type pg from "pg";
import { expect, test } from "vitest";
import { journaledChanges, keepJournal } from "../guarantees/journal.js";
import { listen } from "../guarantees/listener.js";
import { openStage, quietPool } from "../guarantees/stage.js";
import { viaProxy } from "../guarantees/via-proxy.js";
import { eventually } from "../support/eventually.js";
import { startPgbouncer } from "../support/private-pgbouncer.js";
import { replicateSynchronously, startStandby } from "../support/private-postgres-standby.js";
import { privatePostgres } from "../support/servers.js";
import {
  expectCallsReturnedAtOnce,
  expectConsistent,
  lostChanges,
  patience,
  storedEvents,
  untilLastIsStored,
  untilWorkGoesOn,
} from "./audit.js";
import { startLoad } from "./load.js";
import type { LoadReport } from "./workers/load-messages.js";

const options = { windowMs: 100, relay: { pollMs: 100, leaseMs: 1_000 } };

test("a synchronous standby that is promoted under load has every change that was acknowledged and every event that was sent", async () => {
  await using primary = await privatePostgres();
  await using replication = closing(await viaProxy(primary.url));
  await using standby = await startStandby(replication.url);
  await replicateSynchronously(primary.url);
  await using stage = await openStage({ databaseUrl: primary.url, redisUrl: null });
  await keepJournal(stage.db);
  const jobIds = await stage.jobs(10);
  await using listener = await listen(stage);
  const load = await startLoad(
    { ...stage.address, databaseUrl: onBoth(stage.address.databaseUrl, standby) },
    { ownJobIds: jobIds, options },
  );
  await eventually(() => expect(listener.deliveries.length).toBeGreaterThan(60), patience);
  // A standby that its URL names first is no outage.
  expect(load.messages.flatMap(({ warned }) => warned ?? [])).toEqual([]);

  // What the standby does not get from now on may be stored here, but nobody is to be told so.
  replication.blackhole();
  await untilStandbyIsAwaited(stage.db);
  load.fault();
  const killedAt = Date.now();
  await primary.kill();
  await standby.promote();
  const promotedMs = Date.now() - killedAt;
  const db = quietPool(standby.url);
  const pauseMs = await untilWorkGoesOn(db, killedAt);
  const report = await load.stop();
  await untilLastIsStored(db, jobIds);
  await expectConsistent(db, listener);
  expect(await lostChanges(db, report.acknowledged)).toEqual([]);
  expectCallsReturnedAtOnce(report);
  expect(await load.end()).toBe(0);
  await db.end();
  say("synchronous standby, several hosts", report, { promotedMs, pauseMs, lost: 0 });
});

test("an asynchronous standby that is promoted under load lacks what it had not received, and work goes on from what it has", async () => {
  await using primary = await privatePostgres();
  await using replication = closing(await viaProxy(primary.url));
  await using standby = await startStandby(replication.url);
  await using bouncer = await startPgbouncer(primary.url);
  await using stage = await openStage({ databaseUrl: bouncer.url, redisUrl: null });
  await keepJournal(stage.db);
  const jobIds = await stage.jobs(15);
  await using listener = await listen(stage);
  const load = await startLoad(stage.address, { ownJobIds: jobIds.slice(0, 10), options });
  // Their windows outlast the outage: this process learns of it only by rows that are behind what it remembers.
  const slowIds = jobIds.slice(10);
  const slow = await startLoad(stage.address, {
    ownJobIds: slowIds,
    options: { ...options, windowMs: 3_000 },
    attemptMs: 15_000,
  });
  await eventually(() => expect(listener.deliveries.length).toBeGreaterThan(60), patience);

  await untilRunningOn(standby.url, slowIds);
  replication.blackhole();
  const arrived = listener.deliveries.length;
  await eventually(() => expect(listener.deliveries.length).toBeGreaterThan(arrived + 60), patience);
  await untilWritten(stage.db, slowIds);
  load.fault();
  const killedAt = Date.now();
  await primary.kill();
  await standby.promote();
  await bouncer.repoint(standby.url);
  const promotedAt = Date.now();
  const pauseMs = await untilWorkGoesOn(stage.db, killedAt);
  const [report] = await Promise.all([load.stop(), slow.stop()]);
  await untilLastIsStored(stage.db, jobIds);

  const stored = new Set([...(await storedEvents(stage.db)).values()].flat());
  const untold = () => listener.deliveries.filter(({ messageId }) => !stored.has(messageId));
  // The consumer was told what the new primary does not know.
  expect(untold().length).toBeGreaterThan(0);
  await expectConsistent(stage.db, listener, (id) => stored.has(id));
  const lost = await lostChanges(stage.db, report.acknowledged);
  expect(lost.length).toBeGreaterThan(0);
  // A worker that was held up meanwhile notes only now what the old primary had told it.
  expect(lost.filter(({ askedAt }) => askedAt > promotedAt)).toEqual([]);
  expectCallsReturnedAtOnce(report);
  for (const each of [load, slow]) expect(await each.end()).toBe(0);
  say("asynchronous standby, PgBouncer re-pointed", report, {
    promotedMs: promotedAt - killedAt,
    pauseMs,
    lost: lost.length,
    untold: untold().length,
  });
});

/** The URL of a database on both servers; the standby is the first that is asked. */
function onBoth(databaseUrl: string, standby: { readonly port: number }): string {
  const { host } = new URL(databaseUrl);
  return databaseUrl.replace(host, `127.0.0.1:${standby.port},${host}`);
}

/** Waits until a change of a job is stored and waits for the standby. */
async function untilStandbyIsAwaited(db: pg.Pool): Promise<void> {
  const waiting =
    "select from pg_stat_activity where wait_event = 'SyncRep' and query like '%\"worker_progress_jobs\"%'";
  await eventually(async () => expect((await db.query(waiting)).rowCount).toBeGreaterThan(0));
}

/** Waits until a standby knows that jobs were begun: a start that it lacks when it is promoted fences their worker off. */
async function untilRunningOn(standbyUrl: string, jobIds: readonly string[]): Promise<void> {
  const db = quietPool(standbyUrl);
  const select = "select id::text from worker_progress_jobs where id::text = any($1) and status = 'running'";
  await eventually(async () => expect((await db.query(select, [jobIds])).rowCount).toBe(jobIds.length));
  await db.end();
}

/** Waits until each of the jobs is written once more. */
async function untilWritten(db: pg.Pool, jobIds: readonly string[]): Promise<void> {
  const since = (await journaledChanges(db)).length;
  await eventually(async () => {
    const written = (await journaledChanges(db)).slice(since).map(({ job_id }) => job_id);
    expect(written).toEqual(expect.arrayContaining([...jobIds]));
  }, patience);
}

function closing<T extends { close(): Promise<void> }>(opened: T): T & AsyncDisposable {
  return Object.assign(opened, { [Symbol.asyncDispose]: () => opened.close() });
}

function say(how: string, { fault, acknowledged }: LoadReport, figures: Readonly<Record<string, number>>): void {
  const { calls, outcomes, changes, longestOwnMs, longestChangeMs } = fault;
  const shown = {
    ...figures,
    acknowledged: acknowledged.length,
    calls,
    outcomes,
    changes,
    longestOwnMs,
    longestChangeMs,
  };
  console.log(`PostgreSQL, ${how}: ${JSON.stringify(shown)}`);
}
