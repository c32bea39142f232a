import { Redis } from "ioredis";
import { CamelCasePlugin, Kysely, PostgresDialect, sql, type Transaction } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type EventDedupe, inbox, memoryMarks, redisMarks } from "../../src/consumer/index.js";
import { quietPool } from "../adapters/postgres-subject.js";
import { redisUrl, type TestDatabase, testDatabase, testKeyPrefix } from "../support/servers.js";
import { gate } from "./consumer-stage.js";

let database: TestDatabase;
let db: Kysely<unknown>;
let redis: Redis;
let keyPrefix: string;
beforeAll(async () => {
  database = await testDatabase();
  const pool = quietPool({ connectionString: database.url });
  db = new Kysely({ dialect: new PostgresDialect({ pool }) });
  await Promise.all([inbox(db).migrate(), inbox(db).migrate()]);
  redis = new Redis(redisUrl());
});
beforeEach(() => {
  keyPrefix = testKeyPrefix();
});
afterAll(async () => {
  await redis.quit();
  await db.destroy();
  await database.drop();
});

let drawn = 0;
const newKey = (queue = "erp") => ({ queue, eventId: `0190f0a0-0000-7000-8000-${String(++drawn).padStart(12, "0")}` });
const never = new AbortController().signal;

describe.each<[string, () => EventDedupe]>([
  ["memoryMarks", () => memoryMarks()],
  ["redisMarks", () => redisMarks(redis, { keyPrefix })],
  ["inbox", () => inbox(db)],
])("%s", (_, open) => {
  test("lets an effect happen once, also when ten ask at once", async () => {
    const [dedupe, key] = [open(), newKey()];
    let effects = 0;
    const ask = () =>
      dedupe.once(
        key,
        async () => {
          effects++;
        },
        never,
      );
    const outcomes = await Promise.all(Array.from({ length: 10 }, ask));
    expect(outcomes.filter((outcome) => outcome === "done")).toHaveLength(1);
    expect(await ask()).toBe("known");
    expect(effects).toBe(1);
  });

  test("forgets an effect that failed", async () => {
    const [dedupe, key] = [open(), newKey()];
    const fail = async () => {
      throw new Error("no room");
    };
    await expect(dedupe.once(key, fail, never)).rejects.toThrow("no room");
    expect(await dedupe.once(key, async () => {}, never)).toBe("done");
  });

  test("lets another have the effect when the first one fails", async () => {
    const [dedupe, key, begun, blocked] = [open(), newKey(), gate(), gate()];
    const first = dedupe.once(
      key,
      async () => {
        begun.open();
        await blocked.opened;
        throw new Error("no room");
      },
      never,
    );
    first.catch(() => {});
    await begun.opened;
    const second = dedupe.once(key, async () => {}, never);
    blocked.open();
    await expect(first).rejects.toThrow("no room");
    expect(await second).toBe("done");
  });

  test("tells the queues apart", async () => {
    const [dedupe, key] = [open(), newKey()];
    await dedupe.once(key, async () => {}, never);
    expect(await dedupe.once({ ...key, queue: "mail" }, async () => {}, never)).toBe("done");
  });
});

test("memoryMarks forgets the oldest", async () => {
  const dedupe = memoryMarks({ maxIds: 2 });
  const keys = [newKey(), newKey(), newKey()] as const;
  for (const key of keys) await dedupe.once(key, async () => {}, never);
  expect(await dedupe.once(keys[2], async () => {}, never)).toBe("known");
  expect(await dedupe.once(keys[0], async () => {}, never)).toBe("done");
});

test("numbers that make no sense are refused", async () => {
  expect(() => memoryMarks({ maxIds: 0 })).toThrow(RangeError);
  expect(() => redisMarks(redis, { lockMs: 0 })).toThrow("Option lockMs");
  expect(() => redisMarks(redis, { rememberMs: 0.5 })).toThrow("Option rememberMs");
  expect(() => redisMarks({ sendCommand() {} } as never)).toThrow("redisMarks needs a client of ioredis or iovalkey");
  await expect(inbox(db).forget(-1)).rejects.toThrow(RangeError);
});

describe("redisMarks", () => {
  test("takes an event over from a consumer that died in its effect, when the lock has run out", async () => {
    const [dedupe, key, begun] = [redisMarks(redis, { keyPrefix, lockMs: 100 }), newKey(), gate()];
    const effect = async () => {
      begun.open();
      await new Promise(() => {});
    };
    void dedupe.once(key, effect, never);
    await begun.opened;
    expect(await dedupe.once(key, async () => {}, never)).toBe("done");
  });

  test("does not release the lock of the consumer that took its event over", async () => {
    const [key, begun, taken, failing] = [newKey(), gate(), gate(), gate()];
    const first = redisMarks(redis, { keyPrefix, lockMs: 50 }).once(
      key,
      async () => {
        begun.open();
        await failing.opened;
        throw new Error("too late");
      },
      never,
    );
    first.catch(() => {});
    await begun.opened;
    const hold = async () => {
      taken.open();
      await new Promise(() => {});
    };
    void redisMarks(redis, { keyPrefix }).once(key, hold, never);
    await taken.opened;
    failing.open();
    await expect(first).rejects.toThrow("too late");
    expect(await redis.exists(`${keyPrefix}:erp:${key.eventId}`)).toBe(1);
  });

  test("knows its own lock again when the answer to it was lost", async () => {
    let lost = false;
    const client = {
      async call(command: string, args: (string | number)[]) {
        const answer = await redis.call(command, args);
        if (lost || !args.includes("NX")) return answer;
        lost = true;
        return null;
      },
    };
    expect(await redisMarks(client, { keyPrefix }).once(newKey(), async () => {}, never)).toBe("done");
    expect(lost).toBe(true);
  });

  test("tries only its mark again when Redis failed after the effect", async () => {
    let [failures, effects] = [0, 0];
    const client = {
      async call(command: string, args: (string | number)[]) {
        if (args.includes("done") && ++failures <= 2) throw new Error("Redis is away");
        return redis.call(command, args);
      },
    };
    const [dedupe, key] = [redisMarks(client, { keyPrefix }), newKey()];
    const effect = async () => {
      effects++;
    };
    expect(await dedupe.once(key, effect, never)).toBe("done");
    expect(await dedupe.once(key, effect, never)).toBe("known");
    expect({ failures, effects }).toEqual({ failures: 3, effects: 1 });
  });

  test("tries its mark no longer than it is asked to", async () => {
    const stopping = new AbortController();
    const client = {
      async call(command: string, args: (string | number)[]) {
        if (!args.includes("done")) return redis.call(command, args);
        stopping.abort();
        throw new Error("Redis is away");
      },
    };
    const marking = redisMarks(client, { keyPrefix }).once(newKey(), async () => {}, stopping.signal);
    await expect(marking).rejects.toThrow("Redis is away");
  });

  test("waits for another consumer no longer than it is asked to", async () => {
    const [dedupe, key, begun, stopping] = [redisMarks(redis, { keyPrefix }), newKey(), gate(), new AbortController()];
    const effect = async () => {
      begun.open();
      await new Promise(() => {});
    };
    void dedupe.once(key, effect, never);
    await begun.opened;
    const waiting = dedupe.once(key, async () => {}, stopping.signal);
    stopping.abort();
    await expect(waiting).rejects.toThrow("Another consumer handles the event");
  });

  test("remembers as long as it was told", async () => {
    const [dedupe, key] = [redisMarks(redis, { keyPrefix, rememberMs: 5_000 }), newKey()];
    await dedupe.once(key, async () => {}, never);
    const left = await redis.pttl(`${keyPrefix}:erp:${key.eventId}`);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(5_000);
  });
});

describe("inbox", () => {
  test("uses the table and schema that it is told, and prints how to make it", async () => {
    await sql`create schema "Erp"`.execute(db);
    const own = inbox(db, { table: "Seen", schema: "Erp" });
    expect(own.sql()).toContain('create table if not exists "Erp"."Seen"');
    await sql.raw(own.sql()).execute(db);
    await own.once(newKey(), async () => {}, never);
    const { rows } = await sql<{ queue: string }>`select queue from "Erp"."Seen"`.execute(db);
    expect(rows).toEqual([{ queue: "erp" }]);
  });

  test("names nothing as your plugins would", async () => {
    const camelCase = db.withPlugin(new CamelCasePlugin());
    const [own, key] = [inbox(camelCase, { table: "seenEvents" }), newKey()];
    expect(own.sql()).toContain('"seenEvents"');
    await own.migrate();
    expect(await own.once(key, async () => {}, never)).toBe("done");
    expect(await own.once(key, async () => {}, never)).toBe("known");
    expect(await own.forget(0)).toBe(1);
  });

  test.each<[string, (trx: Transaction<unknown>) => Promise<unknown>]>([
    ["rolled its transaction back", (trx) => sql`rollback`.execute(trx)],
    ["passed over an error that ended its transaction", (trx) => sql`select 1 / 0`.execute(trx).catch(() => {})],
  ])("does not take an effect for done whose handler %s", async (_, undo) => {
    const [own, key] = [inbox(db), newKey()];
    await expect(own.once(key, ({ trx }) => undo(trx).then(() => {}), never)).rejects.toThrow(/rolled.* back|aborted/);
    expect(await own.once(key, async () => {}, never)).toBe("done");
  });

  test("is made once, whoever makes it at the same time", async () => {
    const own = inbox(db, { table: "contended" });
    await Promise.all(Array.from({ length: 10 }, () => own.migrate()));
    expect(await own.once(newKey(), async () => {}, never)).toBe("done");
  });

  test("forgets what is old enough", async () => {
    const [own, key] = [inbox(db, { table: "forgetful" }), newKey()];
    await own.migrate();
    await own.once(key, async () => {}, never);
    expect(await own.forget(3_600_000)).toBe(0);
    expect(await own.forget(0)).toBe(1);
    expect(await own.once(key, async () => {}, never)).toBe("done");
  });
});
