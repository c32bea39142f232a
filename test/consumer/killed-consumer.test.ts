import { Kysely, PostgresDialect, sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inbox } from "../../src/consumer/index.js";
import { newEvent } from "../adapters/new-event.js";
import { quietPool } from "../adapters/postgres-subject.js";
import { startWorker } from "../support/child-process.js";
import { eventually } from "../support/eventually.js";
import { rabbitmqUrl, redisUrl, type TestDatabase, testDatabase, testKeyPrefix } from "../support/servers.js";
import { openStage } from "./consumer-stage.js";
import type { ConsumerTask, EffectTables, Moment } from "./workers/killed-at-effect.js";

let database: TestDatabase;
let db: Kysely<EffectTables>;
beforeAll(async () => {
  database = await testDatabase();
  db = new Kysely({ dialect: new PostgresDialect({ pool: quietPool({ connectionString: database.url }) }) });
  await sql`create table effects (event_id uuid not null, pid integer not null)`.execute(db);
  await inbox(db).migrate();
});
afterAll(async () => {
  await db.destroy();
  await database.drop();
});

interface Case extends Pick<ConsumerTask, "dedupe" | "prefetch"> {
  readonly moment: Moment;
}

const lockMs = 800;
const script = new URL("./workers/killed-at-effect.ts", import.meta.url);

/**
 * A process is killed by SIGKILL at a moment of the third of six events, and another takes the queue over. Answers how often
 * that event, and each of the others, had its effect.
 */
async function takenOver({ dedupe, prefetch, moment }: Case) {
  const stage = await openStage();
  try {
    const declaring = stage.consumer({ handler: async () => {} });
    await declaring.start();
    await declaring.stop();
    const events = Array.from({ length: 6 }, (_, job_id) => newEvent({ job_id }));
    const struck = events[2]?.id ?? "";
    const { queue, deadQueue: deadLetter, outbound: exchange } = stage;
    const servers = { amqpUrl: rabbitmqUrl(), databaseUrl: database.url, redisUrl: redisUrl() };
    const task = { ...servers, queue, deadLetter, exchange, prefetch, dedupe, lockMs, keyPrefix: testKeyPrefix() };
    const start = (dies: ConsumerTask["dies"]) =>
      startWorker(script, { args: [JSON.stringify({ ...task, dies } satisfies ConsumerTask)] });
    const allEffects = async () => {
      const rows = await db.selectFrom("effects").select("event_id").execute();
      return events.map(({ id }) => rows.filter((row) => row.event_id === id).length);
    };
    const effectsOf = async (id: string) => Number((await allEffects())[events.findIndex((event) => event.id === id)]);

    await stage.publish(events);
    const first = await start({ eventId: struck, moment });
    expect((await first.exit).signal).toBe("SIGKILL");
    await stage.untilUnread();
    const second = await start(null);
    const before = await effectsOf(struck);
    await second.message((message) => message === "consuming");
    await eventually(
      async () => {
        expect(Math.min(...(await allEffects()))).toBeGreaterThan(0);
        expect(await stage.waiting(queue)).toBe(0);
      },
      { timeoutMs: 30_000, everyMs: 50 },
    );
    second.send("end when nothing is in hand");
    expect(await second.exit).toMatchObject({ code: 0, stderr: "" });
    expect([await stage.waiting(queue), await stage.waiting(deadLetter)]).toEqual([0, 0]);
    const others = (await allEffects()).filter((_, index) => events[index]?.id !== struck);
    return { before, struck: await effectsOf(struck), others: new Set(others) };
  } finally {
    await stage.dispose();
  }
}

const once = new Set([1]);

describe("a process killed in its third event, and another that takes over:", { timeout: 60_000 }, () => {
  test("with the inbox, killed after the effect is committed and before the acknowledgement, each effect once", async () => {
    const outcome = await takenOver({ dedupe: "inbox", prefetch: 4, moment: "before the acknowledgement" });
    expect(outcome).toEqual({ before: 1, struck: 1, others: once });
  });

  test("with the inbox, killed before the commit, each effect once: the first half is undone", async () => {
    const outcome = await takenOver({ dedupe: "inbox", prefetch: 4, moment: "after the effect" });
    expect(outcome).toEqual({ before: 0, struck: 1, others: once });
  });

  test("with redisMarks, killed after the mark and before the acknowledgement, each effect once", async () => {
    const outcome = await takenOver({ dedupe: "redisMarks", prefetch: 1, moment: "before the acknowledgement" });
    expect(outcome).toEqual({ before: 1, struck: 1, others: once });
  });

  test("with redisMarks, killed between lock and effect, each effect once: the next waits for the lock to run out", async () => {
    const outcome = await takenOver({ dedupe: "redisMarks", prefetch: 1, moment: "before the effect" });
    expect(outcome).toEqual({ before: 0, struck: 1, others: once });
  });

  test("with redisMarks, killed between effect and mark, that one effect happens twice and no event is lost", async () => {
    const outcome = await takenOver({ dedupe: "redisMarks", prefetch: 1, moment: "after the effect" });
    expect(outcome).toEqual({ before: 1, struck: 2, others: once });
  });

  test("with memoryMarks, killed before the acknowledgement, that one effect happens twice and no event is lost", async () => {
    const outcome = await takenOver({ dedupe: "memoryMarks", prefetch: 1, moment: "before the acknowledgement" });
    expect(outcome).toEqual({ before: 1, struck: 2, others: once });
  });
});
