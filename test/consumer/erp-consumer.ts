import type { Kysely } from "kysely";
import { createEventConsumer, type EventConsumer, inbox } from "worker-progress/consumer";

/** The ERP's own tables. */
export interface ErpTables {
  orders: { job_id: string; status: string; percent: number };
}

export async function startErp(db: Kysely<ErpTables>, amqpUrl: string): Promise<EventConsumer> {
  const handled = inbox(db);
  await handled.migrate(); // or run handled.sql() with your own migrations
  const consumer = createEventConsumer(amqpUrl, {
    queue: "erp.jobs",
    singleActiveConsumer: true, // an order gets its events in order, however many processes run this
    dedupe: handled,
    handler: async (event, { trx }) => {
      await trx
        .updateTable("orders")
        .set({ status: event.status, percent: event.progress })
        .where("job_id", "=", String(event.job_id))
        .execute();
    },
  });
  await consumer.start();
  process.once("SIGTERM", () => void consumer.stop({ deadlineMs: 20_000 }));
  return consumer;
}
