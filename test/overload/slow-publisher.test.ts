import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createProgressReporter, type ProgressReporter } from "worker-progress";
import { journaledEvents, keepJournal } from "../guarantees/journal.js";
import { listen } from "../guarantees/listener.js";
import { openStage, type Stage } from "../guarantees/stage.js";
import { optionsOn } from "../guarantees/stage-address.js";
import { type ProxiedUrl, viaProxy } from "../guarantees/via-proxy.js";
import { eventually } from "../support/eventually.js";
import { type PrivateServer, privatePostgres, rabbitmqUrl } from "../support/servers.js";
import { tableFigures } from "./outbox-figures.js";

// Five events each: begun, 25, 50, 75, and completed.
const jobs = 4_000;
const events = jobs * 5;

let postgres: PrivateServer;
let network: ProxiedUrl;
let stage: Stage;
let reporter: ProgressReporter;

beforeAll(async () => {
  postgres = await privatePostgres();
  await vacuumOften(postgres.url);
  network = await viaProxy(rabbitmqUrl());
  stage = await openStage({ databaseUrl: postgres.url, redisUrl: null });
  await keepJournal(stage.db);
  const options = optionsOn(stage.address, { log: { warn() {} } });
  reporter = createProgressReporter(postgres.url, null, network.url, options);
});
afterAll(async () => {
  await reporter.close();
  await network.close();
  await stage.close();
  await postgres.stop();
});

test("20,000 events for a slow publisher wait in the outbox, are told of, leave in order, and leave no bloat", async () => {
  await using listener = await listen(stage);
  const ids = await stage.jobs(jobs);
  // About 200 events a second.
  network.throttle(150_000);
  await tellFiveEventsOfEach(ids);

  const first = await reporter.health();
  expect(first.outbox?.waiting).toBeGreaterThan(events / 2);
  await eventually(async () => {
    const before = await oldestAt();
    const later = await reporter.health();
    expect(later.events.published).toBeGreaterThan(first.events.published);
    // What is published is taken out of the outbox a moment later.
    expect(later.outbox?.waiting).toBeLessThan(first.outbox?.waiting ?? 0);
    expect(later.outbox?.oldestAt).toBeGreaterThanOrEqual(before);
    expect(later.outbox?.oldestAt).toBeLessThanOrEqual(await oldestAt());
    expect(Date.now() - (later.outbox?.oldestAt ?? Date.now())).toBeGreaterThan(1_000);
  });
  const full = await tableFigures(stage.db);

  await network.accept();
  await eventually(async () => expect((await reporter.health()).outbox).toEqual({ waiting: 0, oldestAt: null }), {
    timeoutMs: 60_000,
    everyMs: 100,
  });
  await eventually(() => expect(listener.deliveries.length).toBeGreaterThanOrEqual(events));
  expect(listener.firstArrivals()).toEqual(await storedEvents());

  await eventually(
    async () => {
      const { deadRows, vacuums } = await tableFigures(stage.db);
      expect(deadRows).toBeLessThan(1_000);
      expect(vacuums).toBeGreaterThan(0);
    },
    { timeoutMs: 20_000, everyMs: 200 },
  );
  // Vacuum gives the end of the table back only when nobody is in its way; and unless it is told to clean the indexes, not
  // while less than 2 % of the pages hold dead line pointers, which bar the way as rows would.
  await eventually(
    async () => {
      await stage.db.query("vacuum (index_cleanup on) worker_progress_outbox");
      expect((await tableFigures(stage.db)).bytes).toBeLessThan(full.bytes / 4);
    },
    { everyMs: 200 },
  );
}, 100_000);

/** Four of each job's five events are made in four rounds, the fifth when it is completed. */
async function tellFiveEventsOfEach(ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map((id) => reporter.startJob(id)));
  for (const percent of [25, 50, 75]) await Promise.all(ids.map((id) => reporter.forceProgress(id, percent)));
  await Promise.all(ids.map((id) => reporter.completeJob(id)));
}

/** The ids of each job's events, as they were committed. */
async function storedEvents(): Promise<ReadonlyMap<string, readonly string[]>> {
  const byJob = new Map<string, string[]>();
  for (const { job_id, event_id } of await journaledEvents(stage.db)) {
    byJob.set(job_id, [...(byJob.get(job_id) ?? []), event_id]);
  }
  return byJob;
}

/** When the event was stored that is the next to leave, in milliseconds since the epoch. */
async function oldestAt(): Promise<number> {
  const { rows } = await stage.db.query<{ created_at: Date }>(
    "select created_at from worker_progress_outbox order by position limit 1",
  );
  return rows[0]?.created_at.getTime() ?? Number.NaN;
}

/** A server looks once a minute otherwise. */
async function vacuumOften(databaseUrl: string): Promise<void> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  await client.query("alter system set autovacuum_naptime = '1s'");
  await client.query("select pg_reload_conf()");
  await client.end();
}
