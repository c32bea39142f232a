/**
 * How many events a second RabbitMQ confirms: one at a time, and in pipelined batches. Takes less than 20 seconds.
 * Run: npm run bench:publish (RABBITMQ_URL, default amqp://guest:guest@127.0.0.1:5672)
 */
import { randomUUID } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { connect } from "amqplib";
import { rabbitmqPublisher } from "worker-progress/rabbitmq";

const url = process.env.RABBITMQ_URL ?? "amqp://guest:guest@127.0.0.1:5672";
const secondsEach = 3;
const cases = [
  { batch: 1, inFlight: 1 },
  { batch: 100, inFlight: 1 },
  { batch: 100, inFlight: 4 },
  { batch: 1_000, inFlight: 4 },
];

const id = randomUUID();
const names = { eventsExchange: `bench.events.${id}`, outboundExchange: `bench.outbound.${id}` };
const consumer = await connect(url);
const channel = await consumer.createChannel();
const publisher = rabbitmqPublisher(url, names);
await publisher.setup();
const { queue } = await channel.assertQueue("", { exclusive: true });
await channel.bindQueue(queue, names.outboundExchange, "");
let consumed = 0;
await channel.consume(queue, () => consumed++, { noAck: true });

let drawn = 0;
function nextEvents(count: number) {
  return Array.from({ length: count }, () => {
    const eventId = `${id.slice(0, 24)}${(++drawn).toString(16).padStart(12, "0")}`;
    return {
      id: eventId,
      jobId: "123",
      payload: {
        event_id: eventId,
        event_type: "job.status.changed",
        timestamp: new Date().toISOString(),
        job_id: 123,
        status: "running",
        progress: 50,
        attempt: 1,
        previous_status: "queued",
        previous_progress: 0,
        step: "processing",
        message: "Processing data",
      },
    } as const;
  });
}

async function publishFor(seconds: number, batch: number): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let published = 0;
  while (performance.now() < end) published += (await publisher.publish(nextEvents(batch))).length;
  return published;
}

await publishFor(1, 100);
console.log("batch  in flight  events/s  event loop delay p99");
for (const { batch, inFlight } of cases) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const startedAt = performance.now();
  const counts = await Promise.all(Array.from({ length: inFlight }, () => publishFor(secondsEach, batch)));
  const seconds = (performance.now() - startedAt) / 1000;
  delay.disable();
  const perSecond = counts.reduce((sum, count) => sum + count) / seconds;
  const columns = [String(batch).padStart(5), String(inFlight).padStart(9), perSecond.toFixed(0).padStart(8)];
  console.log(`${columns.join("  ")}  ${(delay.percentile(99) / 1e6).toFixed(1).padStart(17)} ms`);
}
await publisher.close();
console.log(`${consumed} events reached the consumer in this process`);
for (const exchange of Object.values(names)) await channel.deleteExchange(exchange);
await consumer.close();
