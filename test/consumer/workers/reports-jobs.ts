import { createProgressReporter } from "worker-progress";

/** Reports jobs with numbers and jobs with UUIDs for ids, as plain events and in envelopes, and ends. */
export interface ReportingTask {
  readonly databaseUrl: string;
  readonly amqpUrl: string;
  readonly eventsExchange: string;
  readonly outboundExchange: string;
  /** Of a row in the table `renders`. */
  readonly renderId: string;
  readonly text: string;
}

const { databaseUrl, amqpUrl, renderId, text, ...exchanges }: ReportingTask = JSON.parse(process.argv[2] as string);
const plain = createProgressReporter(databaseUrl, null, amqpUrl, { rabbitmq: exchanges });
await plain.migrate();
await plain.run(await plain.createJob(), async (job) => {
  await job.forceProgress(33.333, "meshing", text);
  await job.complete({ output: "result.stl" });
});
const failing = await plain.startJob(await plain.createJob());
await failing.fail("ERR_001", text);
await plain.close();

const format = { cloudEvents: { source: "/workers/cad" } };
const table = {
  name: "renders",
  columns: { id: "id", status: "status", progress: "progress", attempts: "attempts", message: "message" },
};
const enveloping = createProgressReporter(databaseUrl, null, amqpUrl, {
  rabbitmq: { ...exchanges, format },
  postgres: { table },
});
const render = await enveloping.startJob(renderId, text);
await render.forceProgress(66.6, "rendering");
await render.complete();
await enveloping.close();
