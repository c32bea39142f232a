import { connect } from "amqplib";
import { expect, test } from "vitest";
import type { JobEventPayload } from "worker-progress";
import { eventually } from "../support/eventually.js";
import { eventsWaiting } from "./journal.js";
import { listen } from "./listener.js";
import { openStage } from "./stage.js";
import { startWorkerOn } from "./start-worker-on.js";
import type { TakesJobsTask } from "./workers/takes-jobs.js";

type Told = Omit<JobEventPayload, "event_id" | "timestamp" | "event_type" | "job_id" | "attempt">;

const begun: readonly Told[] = [
  {
    status: "running",
    progress: 0,
    previous_status: "pending",
    previous_progress: 0,
    step: null,
    message: "Beginning processing",
  },
  {
    status: "running",
    progress: 50,
    previous_status: "running",
    previous_progress: 0,
    step: "processing",
    message: "Halfway done",
  },
  {
    status: "running",
    progress: 75,
    previous_status: "running",
    previous_progress: 50,
    step: "writing",
    message: "Processing data",
  },
];
const completion: Told = {
  status: "completed",
  progress: 100,
  previous_status: "running",
  previous_progress: 75,
  step: "writing",
  message: "Success!",
};
const failure: Told = {
  status: "failed",
  progress: 80,
  previous_status: "running",
  previous_progress: 75,
  step: "writing",
  message: "Processing data",
  error_code: "ERR_001",
  error_message: "Something went wrong",
};

test("a worker takes jobs off a queue, and the outside receives each status event once, in order, in full", async () => {
  await using stage = await openStage();
  await using outside = await listen(stage);
  const [good, bad] = (await stage.jobs(2)) as [string, string];
  const queue = stage.queue("jobs");
  const producer = await connect(stage.address.rabbitmqUrl as string);
  const channel = await producer.createConfirmChannel();
  await channel.assertQueue(queue, { durable: true });
  const begin = Date.now();
  for (const job of [{ id: Number(good) }, { id: Number(bad), fails: true }]) {
    channel.sendToQueue(queue, Buffer.from(JSON.stringify(job)), { persistent: true });
  }
  await channel.waitForConfirms();

  const worker = await startWorkerOn("takes-jobs", stage.address, { queue } satisfies TakesJobsTask);
  await eventually(() => expect(outside.deliveries.length).toBeGreaterThanOrEqual(8));
  await worker.message(() => true);
  worker.send("end");
  expect(await worker.exit).toMatchObject({ code: 0, stderr: "" });

  const { deliveries } = outside;
  expect(deliveries.length).toBe(8);
  expect(new Set(deliveries.map(({ payload }) => payload.event_id)).size).toBe(8);
  for (const { payload, ...properties } of deliveries) {
    const at = Date.parse(payload.timestamp);
    expect(payload.event_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(new Date(at).toISOString()).toBe(payload.timestamp);
    expect(at).toBeGreaterThanOrEqual(begin);
    expect(properties).toEqual({
      messageId: payload.event_id,
      type: "job.status.changed",
      contentType: "application/json",
      deliveryMode: 2,
      timestamp: Math.floor(at / 1000),
      routingKey: "job.status.changed",
    });
  }
  for (const [id, told] of [
    [good, [...begun, completion]],
    [bad, [...begun, failure]],
  ] as const) {
    const ofJob = deliveries.map(({ payload }) => payload).filter(({ job_id }) => job_id === Number(id));
    expect(ofJob).toEqual(
      told.map((event) => ({
        event_id: expect.any(String),
        event_type: "job.status.changed",
        timestamp: expect.any(String),
        job_id: Number(id),
        attempt: 1,
        ...event,
      })),
    );
  }

  expect(await stage.row(good)).toMatchObject({ status: "completed", progress: 100, message: "Success!" });
  expect(await stage.row(bad)).toMatchObject({ status: "failed", progress: 80 });
  expect(await channel.checkQueue(queue)).toMatchObject({ messageCount: 0 });
  expect(await eventsWaiting(stage.db)).toBe(0);
  await producer.close();
});
