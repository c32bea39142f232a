import { connect } from "amqplib";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { rabbitmqPublisher } from "../../src/adapters/rabbitmq/index.js";
import { eventually } from "../support/eventually.js";
import { type PrivateRabbitmq, privateRabbitmq } from "../support/servers.js";
import { elapse, simulateTimers } from "../support/simulated-timers.js";
import { newEvents, rememberingLog } from "./rabbitmq-subject.js";

const startMs = 120_000;
const unavailable = { code: "PUBLISHER_UNAVAILABLE" };

let server: PrivateRabbitmq;

beforeAll(async () => {
  server = await privateRabbitmq();
}, startMs);
afterEach(() => void vi.useRealTimers());
afterAll(() => server.stop());

async function raiseAlarm(): Promise<void> {
  await server.ctl("set_vm_memory_high_watermark", "0.0001");
}

async function clearAlarm(): Promise<void> {
  await server.ctl("set_vm_memory_high_watermark", "0.4");
}

test(
  "a memory alarm makes publishing wait beyond the confirm timeout, is told, and ends well",
  async () => {
    const { log, lines } = rememberingLog();
    const confirmTimeoutMs = 300;
    const publisher = rabbitmqPublisher(server.url, { confirmTimeoutMs, log });
    await publisher.setup();
    await raiseAlarm();
    simulateTimers();
    const publishing = publisher.publish(newEvents(10));
    await eventually(() => expect(publisher.state()).toEqual({ kind: "blocked", waiting: 1, reason: "low on memory" }));
    const later = publisher.publish(newEvents(1));
    await elapse(3 * confirmTimeoutMs);
    expect(publisher.state()).toMatchObject({ kind: "blocked", waiting: 2 });
    await clearAlarm();
    expect(await publishing).toHaveLength(10);
    expect(await later).toEqual(["unroutable"]);
    expect(publisher.state()).toEqual({ kind: "ready", waiting: 0 });
    expect(lines).toEqual([
      'RabbitMQ takes no events for the time being: they wait {"reason":"low on memory"}',
      "RabbitMQ takes events again {}",
    ]);
    await publisher.close();
  },
  startMs,
);

test(
  "close does not wait for an alarm to clear, and a connection that others got blocked is not waited for",
  async () => {
    const { log } = rememberingLog();
    const publisher = rabbitmqPublisher(server.url, { log });
    await publisher.setup();
    const given = await connect(server.url);
    await raiseAlarm();
    const blocked = new Promise((resolve) => given.once("blocked", resolve));
    (await given.createChannel()).publish("", "nowhere", Buffer.from("x"));
    await blocked;
    await expect(rabbitmqPublisher(given).setup()).rejects.toMatchObject({
      ...unavailable,
      message: "RabbitMQ has blocked the connection: publish again later",
    });
    const held = publisher.publish(newEvents(1));
    await eventually(() => expect(publisher.state().kind).toBe("blocked"));
    const closing = publisher.close();
    await expect(held).rejects.toMatchObject({ code: "REPORTER_CLOSED" });
    await closing;
    await clearAlarm();
    await given.close();
  },
  startMs,
);

test(
  "heartbeats are the option's, unless the URL has its own",
  async () => {
    const publishers = [
      rabbitmqPublisher(server.url, { heartbeatSeconds: 17 }),
      rabbitmqPublisher(`${server.url}?heartbeat=23`, { heartbeatSeconds: 19 }),
    ];
    for (const publisher of publishers) await publisher.setup();
    const timeouts = await server.ctl("list_connections", "timeout", "--silent", "--no-table-headers");
    expect(timeouts.split(/\s+/)).toEqual(expect.arrayContaining(["17", "23"]));
    for (const publisher of publishers) await publisher.close();
  },
  startMs,
);

test(
  "a server that is killed or shut down fails what is in flight and serves again once it is back",
  async () => {
    const publisher = rabbitmqPublisher(server.url);
    await publisher.setup();
    const sending = publisher.publish(newEvents(5_000));
    await Promise.all([expect(sending).rejects.toMatchObject(unavailable), server.kill()]);
    await expect(publisher.publish(newEvents(1))).rejects.toMatchObject(unavailable);
    await server.restart();
    expect(await publisher.publish(newEvents(2))).toEqual(["unroutable", "unroutable"]);
    await server.shutDown();
    expect(publisher.state()).toEqual({ kind: "lost", reason: expect.stringContaining("CONNECTION_FORCED") });
    await publisher.close();
  },
  startMs,
);
