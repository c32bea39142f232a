import { Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import { createEventConsumer, type EventDedupe, type InboxExtra, inbox } from "worker-progress/consumer";
import type { ConsumerNews, ConsumerTask } from "./soak-messages.js";
import { tellMemory } from "./told-memory.js";

const { databaseUrl, rabbitmqUrl, queue, exchange, memoryEveryMs } = JSON.parse(
  process.argv[2] as string,
) as ConsumerTask;
const pool = new pg.Pool({
  connectionString: databaseUrl,
  max: 8,
  query_timeout: 3_000,
  connectionTimeoutMillis: 3_000,
});
pool.on("error", () => {});
pool.on("connect", (client) => void client.on("error", () => {}));
const rows = inbox(new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool }) }));
let deliveries = 0;
let known = 0;
const dedupe: EventDedupe<InboxExtra<Record<string, never>>> = {
  async once(key, effect, signal) {
    deliveries++;
    const outcome = await rows.once(key, effect, signal);
    if (outcome === "known") known++;
    return outcome;
  },
};

const consumer = createEventConsumer(rabbitmqUrl, {
  queue,
  bind: [{ exchange }],
  dedupe,
  handler: async (event, { trx }) => {
    await sql`insert into effects (event_id, job_id) values (${event.event_id}::uuid, ${String(event.job_id)})`.execute(
      trx,
    );
  },
  retry: { firstMs: 50, maxMs: 1_000, maxAttempts: Number.POSITIVE_INFINITY },
  log: { warn() {} },
});
const tellCounts = () => process.send?.({ kind: "counts", deliveries, known } satisfies ConsumerNews);
const timers = [tellMemory(memoryEveryMs), setInterval(tellCounts, 2_000)];
await consumer.start();
process.send?.({ kind: "ready" } satisfies ConsumerNews);

process.on("message", async () => {
  for (const timer of timers) clearInterval(timer);
  await consumer.stop();
  await pool.end();
  tellCounts();
  process.disconnect();
});
