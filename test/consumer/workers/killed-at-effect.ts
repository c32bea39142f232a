import { once } from "node:events";
import { Redis } from "ioredis";
import { Kysely, PostgresDialect, type Transaction } from "kysely";
import pg from "pg";
import {
  createEventConsumer,
  type EventDedupe,
  inbox,
  type JobEventPayload,
  memoryMarks,
  redisMarks,
} from "worker-progress/consumer";
import { eventually } from "../../support/eventually.js";

/** A moment in the handling of an event. With an inbox the effect is committed between the last two. */
export type Moment = "before the effect" | "after the effect" | "before the acknowledgement";

/** Consumes a queue, and kills itself at a moment of one event. */
export interface ConsumerTask {
  readonly amqpUrl: string;
  readonly queue: string;
  readonly deadLetter: string;
  readonly exchange: string;
  readonly prefetch: number;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly keyPrefix: string;
  readonly lockMs: number;
  readonly dedupe: "inbox" | "redisMarks" | "memoryMarks";
  readonly dies: { readonly eventId: string; readonly moment: Moment } | null;
}

export interface EffectTables {
  /** Without a key: an effect that happens twice leaves two rows. */
  effects: { event_id: string; pid: number };
}

const task: ConsumerTask = JSON.parse(process.argv[2] as string);
const pool = new pg.Pool({ connectionString: task.databaseUrl });
const db = new Kysely<EffectTables>({ dialect: new PostgresDialect({ pool }) });
const redis = new Redis(task.redisUrl);

async function pass(moment: Moment, eventId: string): Promise<void> {
  if (task.dies?.moment !== moment || task.dies.eventId !== eventId) return;
  process.kill(process.pid, "SIGKILL");
  await new Promise(() => {});
}

/** The dedupe itself, and what comes between its end and the acknowledgement. */
function dyingBehind<Extra extends object>(dedupe: EventDedupe<Extra>): EventDedupe<Extra> {
  return {
    async once(key, effect, signal) {
      const outcome = await dedupe.once(key, effect, signal);
      await pass("before the acknowledgement", key.eventId);
      return outcome;
    },
  };
}

function consumerWith<Extra extends object>(
  dedupe: EventDedupe<Extra>,
  through: (extra: Extra) => Kysely<EffectTables> | Transaction<EffectTables>,
) {
  const { amqpUrl, queue, deadLetter, exchange, prefetch } = task;
  const handler = async ({ event_id }: JobEventPayload, extra: Extra) => {
    await pass("before the effect", event_id);
    await through(extra).insertInto("effects").values({ event_id, pid: process.pid }).execute();
    await pass("after the effect", event_id);
  };
  const bind = [{ exchange }];
  return createEventConsumer(amqpUrl, { queue, deadLetter, bind, prefetch, handler, dedupe: dyingBehind(dedupe) });
}

const consumers = {
  inbox: () => consumerWith(inbox(db), ({ trx }) => trx),
  redisMarks: () => consumerWith(redisMarks(redis, { keyPrefix: task.keyPrefix, lockMs: task.lockMs }), () => db),
  memoryMarks: () => consumerWith(memoryMarks(), () => db),
};
const consumer = consumers[task.dedupe]();
await consumer.start();
process.send?.("consuming");
await once(process, "message");
await eventually(() => {
  const state = consumer.state();
  if (state.kind !== "consuming" || state.inHand > 0) throw new Error("Events are in hand");
});
await consumer.stop({ deadlineMs: 600_000 });
await Promise.all([db.destroy(), redis.quit()]);
process.disconnect();
