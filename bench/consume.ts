/**
 * How many events a second the consumer handles, with each dedupe and a handler that does nothing, beside a bare amqplib
 * consumer that acknowledges one by one. The rounds are interleaved; the medians are printed.
 * Run: npm run bench:consume (RABBITMQ_URL, REDIS_URL, DATABASE_URL; defaults are the standard local ports)
 */
import { randomUUID } from "node:crypto";
import { type ChannelModel, connect } from "amqplib";
import { Redis } from "ioredis";
import { Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import { createEventConsumer, type EventDedupe, inbox, memoryMarks, redisMarks } from "worker-progress/consumer";

const amqpUrl = process.env.RABBITMQ_URL ?? "amqp://guest:guest@127.0.0.1:5672";
const redisUrl = process.env.REDIS_URL ?? "redis://127.0.0.1:6379";
const databaseUrl = process.env.DATABASE_URL ?? "postgres://postgres@127.0.0.1:5432/postgres";
const prefetch = 20;
const rounds = Number(process.env.ROUNDS ?? 5);
const eventsEach = Number(process.env.EVENTS ?? 2_000);

const run = randomUUID();
const queue = `bench.consume.${run}`;
const exchange = `${queue}.outbound`;
const table = `bench_inbox_${run.replaceAll("-", "_")}`;
const rabbit = await connect(amqpUrl);
const channel = await rabbit.createConfirmChannel();
const redis = new Redis(redisUrl);
const pool = new pg.Pool({ connectionString: databaseUrl, max: prefetch });
const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
const handled = inbox(db, { table });
await handled.migrate();

/** Every event is new. */
const nothing: EventDedupe = {
  async once(_key, effect) {
    await effect({});
    return "done";
  },
};

/** Reads until `count` events are handled; answers what ends the reading. */
type Reader = (count: number) => Promise<{ readonly done: Promise<void>; end(): Promise<unknown> }>;

const reading =
  <Extra extends object>(dedupe: EventDedupe<Extra>): Reader =>
  async (count) => {
    const { done, handle } = counter(count);
    const consumer = createEventConsumer<Extra>(amqpUrl, {
      queue,
      bind: [{ exchange }],
      prefetch,
      dedupe,
      handler: async () => handle(),
    });
    await consumer.start();
    return { done, end: () => consumer.stop() };
  };

const bare: Reader = async (count) => {
  const { done, handle } = counter(count);
  const model: ChannelModel = await connect(amqpUrl, { noDelay: true });
  const own = await model.createChannel();
  await own.prefetch(prefetch);
  await own.consume(queue, (message) => {
    if (message === null) return;
    JSON.parse(message.content.toString());
    own.ack(message);
    handle();
  });
  return { done, end: () => model.close() };
};

const readers: Readonly<Record<string, Reader>> = {
  "bare amqplib, an ack each": bare,
  "no dedupe": reading(nothing),
  "memoryMarks()": reading(memoryMarks()),
  "redisMarks(redis)": reading(redisMarks(redis, { keyPrefix: queue })),
  "inbox(db)": reading(handled),
};

const declaring = await reading(nothing)(1);
await declaring.end();
const rates = new Map<string, number[]>();
// The first round warms up.
for (let round = 0; round <= rounds; round++) {
  for (const [name, open] of Object.entries(readers)) {
    await publish(eventsEach);
    const start = performance.now();
    const { done, end } = await open(eventsEach);
    await done;
    const perSecond = (eventsEach / (performance.now() - start)) * 1_000;
    await end();
    if (round > 0) rates.set(name, [...(rates.get(name) ?? []), perSecond]);
  }
}
const base = median(rates.get("bare amqplib, an ack each"));
console.log(`${rounds} rounds of ${eventsEach} events, prefetch ${prefetch}, quorum queue, opening included\n`);
console.log("| consumer | events/s | of bare |\n|---|---|---|");
for (const [name, each] of rates) {
  console.log(`| ${name} | ${Math.round(median(each))} | ${((median(each) / base) * 100).toFixed(0)} % |`);
}

for (const each of [queue, `${queue}.dead`]) await channel.deleteQueue(each);
await channel.deleteExchange(exchange);
await rabbit.close();
for await (const keys of redis.scanStream({ match: `${queue}*`, count: 1_000 }))
  if (keys.length > 0) await redis.del(keys);
await redis.quit();
await sql`drop table ${sql.id(table)}`.execute(db);
await db.destroy();

function counter(count: number): { readonly done: Promise<void>; handle(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let seen = 0;
  return {
    done: promise,
    handle() {
      if (++seen === count) resolve();
    },
  };
}

async function publish(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const event = {
      event_id: randomUUID(),
      event_type: "job.status.changed",
      timestamp: new Date().toISOString(),
      job_id: i,
      status: "running",
      progress: 50,
      attempt: 1,
      previous_status: "queued",
      previous_progress: 0,
      step: "processing",
      message: "Processing data",
    };
    const body = Buffer.from(JSON.stringify(event));
    channel.publish(exchange, "", body, { persistent: true, contentType: "application/json" });
  }
  await channel.waitForConfirms();
}

function median(values: readonly number[] = []): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
