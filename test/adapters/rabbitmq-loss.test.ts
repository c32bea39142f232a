import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type RabbitmqPublisher,
  type RabbitmqPublisherOptions,
  rabbitmqPublisher,
} from "../../src/adapters/rabbitmq/index.js";
import { watch } from "../engine/engine-on.js";
import { eventually } from "../support/eventually.js";
import { rabbitmqUrl } from "../support/servers.js";
import { elapse, simulateTimers } from "../support/simulated-timers.js";
import { type TcpProxy, tcpProxy } from "../support/tcp-proxy.js";
import { type Consumer, idsOf, newEvents, openConsumer } from "./rabbitmq-subject.js";

const unavailable = { code: "PUBLISHER_UNAVAILABLE" };

let consumer: Consumer;
let proxy: TcpProxy;
let publisher: RabbitmqPublisher;

beforeEach(async () => {
  consumer = await openConsumer();
  proxy = await tcpProxy(rabbitmqUrl());
});
afterEach(async () => {
  vi.useRealTimers();
  await publisher.close();
  await proxy.close();
  await consumer.dispose();
});

function throughProxy(options: RabbitmqPublisherOptions = {}): RabbitmqPublisher {
  const url = new URL(rabbitmqUrl());
  url.port = String(proxy.port);
  return rabbitmqPublisher(url.href, { ...consumer.names, ...options });
}

describe("a connection that is lost", () => {
  test("with events in flight fails their publish, and the same events go out on the next connection", async () => {
    publisher = throughProxy();
    await publisher.setup();
    await consumer.listen();
    const events = newEvents(100);
    proxy.dropReplies();
    const inFlight = [publisher.publish(events.slice(0, 60)), publisher.publish(events.slice(60))];
    await consumer.received(100);
    proxy.cut();
    for (const publishing of inFlight) await expect(publishing).rejects.toMatchObject(unavailable);
    expect(publisher.state().kind).toBe("lost");
    await proxy.accept();
    await publisher.setup();
    expect(await publisher.publish(events)).toEqual(events.map(() => "confirmed"));
    const messages = await consumer.received(200);
    // The confirms were lost, not the messages: consumers see each id twice and deduplicate.
    expect(idsOf(messages)).toEqual([...idsOf(events), ...idsOf(events)]);
    expect(messages.map(({ properties }) => properties.messageId)).toEqual(idsOf(messages));
  });

  test("takes calls that wait to be written along, so that none overtakes an earlier one", async () => {
    publisher = throughProxy();
    await publisher.setup();
    await consumer.listen();
    proxy.blackhole();
    const calls = Array.from({ length: 8 }, () => publisher.publish(newEvents(1_000)));
    await eventually(() => expect(publisher.state()).toEqual({ kind: "ready", waiting: 8 }));
    proxy.cut();
    await proxy.accept();
    for (const call of calls) await expect(call).rejects.toMatchObject(unavailable);
    const after = newEvents(3);
    await publisher.publish(after);
    expect(idsOf(await consumer.received(3)).slice(-3)).toEqual(idsOf(after));
  });

  test("while idle is found out by nobody's exception and replaced by the next publish", async () => {
    publisher = throughProxy();
    await publisher.setup();
    proxy.cut();
    await eventually(() => expect(publisher.state().kind).toBe("lost"));
    expect(await publisher.publish(newEvents(2))).toEqual(["unroutable", "unroutable"]);
  });

  test("during setup fails the setup, again and again, until the server is back", async () => {
    publisher = throughProxy();
    await proxy.refuse();
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(publisher.setup()).rejects.toMatchObject(unavailable);
    }
    await proxy.accept();
    for (let attempt = 0; attempt < 20; attempt++) {
      const setup = publisher.setup();
      setImmediate(() => proxy.cut());
      await setup.then(
        () => publisher.publish(newEvents(1)).catch(() => {}),
        (error) => expect(error).toMatchObject(unavailable),
      );
    }
    expect(await publisher.publish(newEvents(1))).toEqual(["unroutable"]);
  });
});

describe("a network that swallows everything", () => {
  test("fails a publish after the confirm timeout", async () => {
    simulateTimers();
    publisher = throughProxy({ confirmTimeoutMs: 200 });
    await publisher.setup();
    proxy.blackhole();
    const publishing = watch(publisher.publish(newEvents(1)));
    await eventually(() => expect(proxy.held).toBeGreaterThan(0));
    await elapse(199);
    expect(publishing.error).toBeUndefined();
    await elapse(1);
    expect(publishing.error).toMatchObject({
      ...unavailable,
      message: "Lost RabbitMQ, publish again: no confirm came within 200 ms",
    });
    await proxy.accept();
    expect(await publisher.publish(newEvents(1))).toEqual(["unroutable"]);
  });

  test("does not fail a publish whose confirms are merely slow", async () => {
    simulateTimers();
    publisher = throughProxy({ confirmTimeoutMs: 400 });
    await publisher.setup();
    await consumer.listen();
    proxy.delay(150);
    // Each next event leaves before the one before is confirmed: some event waits all the time, none for long.
    const calls: Promise<unknown>[] = [];
    for (let round = 1; round <= 5; round++) {
      calls.push(publisher.publish(newEvents(1)));
      await eventually(() => expect(proxy.held).toBeGreaterThan(0));
      await elapse(150);
      await consumer.received(round);
      await eventually(() => expect(proxy.heldReplies).toBeGreaterThan(0));
    }
    await elapse(150);
    expect(await Promise.all(calls)).toEqual(calls.map(() => ["confirmed"]));
  });

  test("fails a setup after the connect timeout", async () => {
    publisher = throughProxy({ connectTimeoutMs: 200 });
    proxy.blackhole();
    await expect(publisher.setup()).rejects.toMatchObject({
      ...unavailable,
      message: expect.stringMatching(/^Cannot connect to RabbitMQ at "127\.0\.0\.1:\d+": .*(200 ms|ETIMEDOUT)$/),
    });
    await proxy.accept();
    await eventually(() => publisher.setup());
  });

  test("does not keep close from ending, nor the sockets open", async () => {
    publisher = throughProxy({ confirmTimeoutMs: 200, connectTimeoutMs: 200 });
    await eventually(() => publisher.setup());
    proxy.blackhole();
    const publishing = publisher.publish(newEvents(10));
    const closing = publisher.close();
    await expect(publishing).rejects.toThrow();
    await closing;
    await proxy.accept();
    await eventually(() => expect(proxy.connections).toBe(0));
  });
});
