// Puts a job on the queue: node examples/celery-like/enqueue.ts <task> [args as JSON] [jobId]
import { connect } from "amqplib";
import { reporterFromEnvironment } from "../reporter-from-environment.ts";
import { encodeTask, queue } from "./task-message.ts";

const [task = "convert", args = "{}", existing] = process.argv.slice(2);
const reporter = reporterFromEnvironment();
await reporter.migrate();
const jobId = existing ?? (await reporter.createJob({ type: task, status: "queued" }));
const job = await reporter.getJob(jobId);
if (job === null) throw new Error(`There is no job "${jobId}"`);

const connection = await connect(process.env.RABBITMQ_URL ?? "amqp://127.0.0.1");
const channel = await connection.createConfirmChannel();
await channel.assertQueue(queue, { durable: true });
const message = { job_id: jobId, attempt: job.attempts + 1, task, args: JSON.parse(args) };
channel.sendToQueue(queue, encodeTask(message), { persistent: true });
await channel.waitForConfirms();
console.log(String(jobId));
await connection.close();
await reporter.close();
