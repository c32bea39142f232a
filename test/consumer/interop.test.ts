import { execFile, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type JobEventPayload, jobEventSchema } from "../../src/consumer/index.js";
import { newEvent } from "../adapters/new-event.js";
import { startWorker } from "../support/child-process.js";
import { eventually } from "../support/eventually.js";
import { pythonWith } from "../support/python-programs.js";
import { rabbitmqUrl, testDatabase, testNames } from "../support/servers.js";
import { howToGetTool, pikaAndJsonschema } from "../support/tool-plan.js";
import { openStage, type Stage } from "./consumer-stage.js";
import type { ReportingTask } from "./workers/reports-jobs.js";

const run = promisify(execFile);
const text = 'Größe 5 µm – \u{1F680} "quoted" \\ and\ttab';

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage.dispose());

async function declareQueue(): Promise<void> {
  const declaring = stage.consumer({ handler: async () => {} });
  await declaring.start();
  await declaring.stop();
}

test("a client in C reads the events, and its JSON matches the schema", async () => {
  const events = [
    newEvent({ message: text }),
    newEvent({ status: "failed", step: null, error_code: "ERR_001", error_message: 'He said "no"\n' }),
  ];
  await declareQueue();
  await stage.publish(events);
  const printed = await amqpConsume(stage.queue, events.length);
  const read = linesOf(printed).map((line) => jobEventSchema.parse(line));
  expect(read).toEqual(events.map(({ payload }) => payload));
});

test("a client in Python gets what a worker reports, and its own validator takes it by the schemas in docs/", async () => {
  await declareQueue();
  const handled: JobEventPayload[] = [];
  const [queue, deadLetter] = [testNames().queue("node"), testNames().queue("node.dead")];
  await stage.consumer({ queue, deadLetter, prefetch: 1, handler: async (event) => void handled.push(event) }).start();
  await reportJobs();
  await eventually(() => expect(handled).toHaveLength(8));
  await stage.send(JSON.stringify({ ...handled[0], progress: "50" }), { type: "wrong" });

  const messages = await readInPython(9);
  const [wrong, events] = [messages.pop(), messages];
  expect(wrong?.problems).toEqual(["'50' is not of type 'number'"]);
  for (const { problems, ...message } of events) {
    expect(problems).toEqual([]);
    expect(message).toMatchObject({
      content_encoding: null,
      delivery_mode: 2,
      message_id: payloadOf(message).event_id,
      type: "job.status.changed",
      routing_key: "job.status.changed",
      headers: {},
      timestamp: Math.floor(Date.parse(payloadOf(message).timestamp) / 1_000),
    });
  }
  expect(events.map(payloadOf)).toEqual(handled);
  const [plain, enveloped] = [events.slice(0, 5), events.slice(5)];
  expect(new Set(plain.map(({ content_type }) => content_type))).toEqual(new Set(["application/json"]));
  expect(new Set(enveloped.map(({ content_type }) => content_type))).toEqual(new Set([cloudEvents]));
  expect(plain.map(payloadOf)).toMatchObject([
    { job_id: 1, status: "running", progress: 0 },
    { job_id: 1, status: "running", progress: 33, message: text },
    { job_id: 1, status: "completed", progress: 100 },
    { job_id: 2, status: "running", progress: 0 },
    { job_id: 2, status: "failed", error_code: "ERR_001", error_message: text },
  ]);
  expect(enveloped.map(({ body }) => body)).toMatchObject([
    { subject: renderId, source: "/workers/cad", data: { job_id: renderId, progress: 0 } },
    { subject: renderId, source: "/workers/cad", data: { job_id: renderId, progress: 66.6 } },
    { subject: renderId, source: "/workers/cad", data: { job_id: renderId, progress: 100 } },
  ]);
});

const renderId = "0b8d7a52-6a3c-4a58-9f57-6d8f0a6d2c11";
const cloudEvents = "application/cloudevents+json";

/** A process of its own reports three jobs in eight events. */
async function reportJobs(): Promise<void> {
  const database = await testDatabase();
  const client = new pg.Client(database.url);
  await client.connect();
  await client.query(`
    create table renders (id uuid primary key, status text, progress numeric, attempts integer, message text);
    insert into renders values ('${renderId}', 'pending', 0, 0)`);
  await client.end();
  const exchanges = { eventsExchange: stage.events, outboundExchange: stage.outbound };
  const servers = { databaseUrl: database.url, amqpUrl: rabbitmqUrl() };
  const task = { ...servers, ...exchanges, renderId, text } satisfies ReportingTask;
  const script = new URL("./workers/reports-jobs.ts", import.meta.url);
  const worker = await startWorker(script, { args: [JSON.stringify(task)] });
  expect(await worker.exit).toMatchObject({ code: 0, stderr: "" });
  await database.drop();
}

/** A message as the Python program saw it. */
interface SeenMessage {
  readonly content_type: string;
  readonly body: JobEventPayload | { readonly data: JobEventPayload; readonly subject: string };
  readonly problems: readonly string[];
}

function payloadOf({ body }: Pick<SeenMessage, "body">): JobEventPayload {
  return "data" in body ? body.data : body;
}

/** What pika and jsonschema make of the messages of the queue. */
async function readInPython(count: number): Promise<SeenMessage[]> {
  const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const schemas = [
    `application/json=${path("../../docs/schema/job-event.schema.json")}`,
    `${cloudEvents}=${path("../../docs/schema/job-event.cloudevents.schema.json")}`,
  ];
  const args = [path("./read_events.py"), rabbitmqUrl(), stage.queue, String(count), ...schemas];
  const python = pythonWith(pikaAndJsonschema.pythonModules);
  if (python === null) throw new Error(howToGetTool(pikaAndJsonschema));
  return linesOf((await run(python, args)).stdout) as SeenMessage[];
}

function linesOf(printed: string): unknown[] {
  return printed
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** What amqp-consume, which is written in C on rabbitmq-c, hands to its command: a line per message. */
function amqpConsume(queue: string, count: number): Promise<string> {
  const args = [`--url=${rabbitmqUrl()}`, `--queue=${queue}`, `--count=${count}`, "--", "sh", "-c", "cat; echo"];
  return new Promise((resolve, reject) => {
    const child = spawn("amqp-consume", args, { stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on("error", ({ code }: NodeJS.ErrnoException) =>
      reject(new Error(`No amqp-consume can be had (${code}): install it (Debian: apt-get install amqp-tools)`)),
    );
    child.on("close", (code) =>
      code === 0 ? resolve(stdout) : reject(new Error(`amqp-consume ended (${code}): ${stderr}`)),
    );
  });
}
