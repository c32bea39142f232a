import { spawn } from "node:child_process";
import { afterEach, beforeEach, expect, test } from "vitest";
import { jobEventSchema } from "../../src/consumer/index.js";
import { newEvent } from "../adapters/new-event.js";
import { rabbitmqUrl } from "../support/servers.js";
import { openStage, type Stage } from "./consumer-stage.js";

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage.dispose());

test("a client in C reads the events, and its JSON matches the schema", async () => {
  const events = [
    newEvent({ message: "Größe 5 µm – \u{1F680}" }),
    newEvent({ status: "failed", step: null, error_code: "ERR_001", error_message: 'He said "no"\n' }),
  ];
  // Declares the queue and its binding, and reads nothing.
  const declaring = stage.consumer({ handler: async () => {} });
  await declaring.start();
  await declaring.stop();
  await stage.publish(events);
  const printed = await amqpConsume(stage.queue, events.length);
  const read = printed
    .trim()
    .split("\n")
    .map((line) => jobEventSchema.parse(JSON.parse(line)));
  expect(read).toEqual(events.map(({ payload }) => payload));
});

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
