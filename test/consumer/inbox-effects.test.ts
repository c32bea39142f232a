import { Kysely, PostgresDialect, sql } from "kysely";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type EventContext, type InboxExtra, inbox, type JobEventPayload } from "../../src/consumer/index.js";
import { newEvent } from "../adapters/new-event.js";
import { quietPool } from "../adapters/postgres-subject.js";
import { eventually } from "../support/eventually.js";
import { rabbitmqUrl, type TestDatabase, testDatabase } from "../support/servers.js";
import { tcpProxy } from "../support/tcp-proxy.js";
import { openStage, type Stage } from "./consumer-stage.js";

interface Tables {
  effects: { event_id: string; status: string };
}

let stage: Stage;
let database: TestDatabase;
let db: Kysely<Tables>;
beforeEach(async () => {
  [stage, database] = [await openStage(), await testDatabase()];
  const pool = quietPool({ connectionString: database.url });
  db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  // No key: an effect that happens twice leaves two rows.
  await sql`create table effects (event_id uuid not null, status text not null)`.execute(db);
  await inbox(db).migrate();
});
afterEach(async () => {
  await stage.dispose();
  await db.destroy();
  await database.drop();
});

type Context = EventContext & InboxExtra<Tables>;

const store = async ({ event_id, status }: JobEventPayload, { trx }: Context) => {
  await trx.insertInto("effects").values({ event_id, status }).execute();
};
const effects = async () =>
  (await db.selectFrom("effects").select("event_id").orderBy("event_id").execute()).map((row) => row.event_id);
const inboxRows = async () =>
  Number((await sql<{ n: string }>`select count(*) n from worker_progress_inbox`.execute(db)).rows[0]?.n);

test("what the handler wrote is undone with the inbox row when it throws, and done by the next try", async () => {
  const seen: number[] = [];
  const handler = async (event: JobEventPayload, context: Context) => {
    await store(event, context);
    seen.push(await inboxRows());
    if (context.attempt === 1) throw new Error("not yet");
  };
  await stage.consumer<InboxExtra<Tables>>({ handler, dedupe: inbox(db) }).start();
  const event = newEvent();
  await stage.publish([event]);
  await eventually(async () => expect(await effects()).toEqual([event.id]));
  // Others never saw the row of the try that failed.
  expect(seen).toEqual([0, 0]);
  expect(await inboxRows()).toBe(1);
});

test("two consumers, each event published three times, connections cut again and again: each effect once", async () => {
  const proxy = await tcpProxy(rabbitmqUrl());
  const url = new URL(rabbitmqUrl());
  url.port = String(proxy.port);
  const options = { handler: store, dedupe: inbox(db), prefetch: 8 };
  const consumers = [
    stage.consumer<InboxExtra<Tables>>(options, url.href),
    stage.consumer<InboxExtra<Tables>>(options),
  ];
  for (const consumer of consumers) await consumer.start();
  const events = Array.from({ length: 60 }, (_, job_id) => newEvent({ job_id }));
  for (let time = 0; time < 3; time++) {
    await stage.publish(events);
    proxy.cut();
  }
  await eventually(async () => expect(await effects()).toHaveLength(60));
  await eventually(async () => {
    for (const consumer of consumers) expect(consumer.state()).toEqual({ kind: "consuming", inHand: 0 });
    expect(await stage.waiting(stage.queue)).toBe(0);
  });
  expect(await effects()).toEqual(events.map(({ id }) => id).sort());
  await proxy.close();
});

test("while the inbox is out of reach no try counts, and no event is given up", async () => {
  await sql`alter table worker_progress_inbox rename to away`.execute(db);
  const retry = { firstMs: 1, maxMs: 5, maxAttempts: 2 };
  await stage.consumer<InboxExtra<Tables>>({ handler: store, dedupe: inbox(db), retry }).start();
  const event = newEvent();
  await stage.publish([event]);
  const failures = () => stage.log.lines.filter((line) => line.includes('"attempts":0'));
  await eventually(() => expect(failures().length).toBeGreaterThan(4));
  await sql`alter table away rename to worker_progress_inbox`.execute(db);
  await eventually(async () => expect(await effects()).toEqual([event.id]));
  expect(await stage.waiting(stage.deadQueue)).toBe(0);
});
