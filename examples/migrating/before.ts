// A worker as it was: an UPDATE at every tick, events by hand. node examples/migrating/before.ts <jobId>
import { randomUUID } from "node:crypto";
import { connect } from "amqplib";
import pg from "pg";
import { render } from "./render.ts";

const outbound = process.env.OUTBOUND_EXCHANGE ?? "erp.outbound";
const jobId = Number(process.argv[2]);
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const connection = await connect(process.env.RABBITMQ_URL ?? "amqp://127.0.0.1");
const channel = await connection.createChannel();
await channel.assertExchange(outbound, "fanout", { durable: true });

let status = "pending";
let percent = 0;
try {
  await start();
  const output = await render((frame, of) => {
    return progress(Math.floor((frame / of) * 100), "render", `Frame ${frame} of ${of}`, { frame });
  });
  await complete(output, "Rendered");
} catch (error) {
  const { code = "Error", message } = error as Error & { code?: string };
  await fail(code, message);
}
await channel.close();
await connection.close();
await pool.end();

async function start(): Promise<void> {
  await pool.query(
    `update jobs set status = 'running', progress = 0, attempts = attempts + 1, started_at = coalesce(started_at, now()),
       updated_at = now() where id = $1`,
    [jobId],
  );
  publish("running", 0);
}

/** One write per tick; whoever calls last wins, whatever the value. */
async function progress(now: number, step: string, message: string, metrics: object): Promise<void> {
  const stamp = { progress_step: step, progress_message: message, last_progress_update: new Date().toISOString() };
  await pool.query(
    `update jobs set progress = $2, metrics = coalesce(metrics, '{}') || $3::jsonb, updated_at = now() where id = $1`,
    [jobId, now, JSON.stringify({ ...metrics, ...stamp })],
  );
  if (now >= percent + 10) publish("running", now, step, message);
}

async function complete(output: object, message: string): Promise<void> {
  await pool.query(
    `update jobs set status = 'completed', progress = 100, output_data = $2, finished_at = now(), updated_at = now(),
       metrics = metrics || jsonb_build_object('progress_message', $3::text) where id = $1`,
    [jobId, JSON.stringify(output), message],
  );
  publish("completed", 100, "render", message);
}

async function fail(code: string, message: string): Promise<void> {
  await pool.query(
    `update jobs set status = 'failed', error_code = $2, error_message = $3, finished_at = now(), updated_at = now()
       where id = $1`,
    [jobId, code, message],
  );
  publish("failed", percent);
}

/** A crash between the UPDATE and this loses the event; nobody would know. */
function publish(
  nextStatus: string,
  progress: number,
  step: string | null = null,
  message: string | null = null,
): void {
  const event = {
    event_id: randomUUID(),
    event_type: "job.status.changed",
    timestamp: new Date().toISOString(),
    job_id: jobId,
    status: nextStatus,
    progress,
    previous_status: status,
    previous_progress: percent,
    step,
    message,
  };
  [status, percent] = [nextStatus, progress];
  channel.publish(outbound, "job.status.changed", Buffer.from(JSON.stringify(event)), { persistent: true });
}
