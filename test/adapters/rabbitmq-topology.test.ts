import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { rabbitmqPublisher } from "../../src/adapters/rabbitmq/index.js";
import { rabbitmqUrl } from "../support/servers.js";
import { type Consumer, idsOf, newEvent, newEvents, openConsumer, rememberingLog } from "./rabbitmq-subject.js";

let consumer: Consumer;

beforeEach(async () => {
  consumer = await openConsumer();
});
afterEach(() => consumer.dispose());

describe("the topology", () => {
  test("is a durable topic exchange that feeds a durable fanout exchange", async () => {
    const publisher = rabbitmqPublisher(rabbitmqUrl(), consumer.names);
    await publisher.setup();
    await publisher.close();
    const { eventsExchange, outboundExchange } = consumer.names;
    const channel = await consumer.connection.createChannel();
    // Declaring again with the same type and durability is what RabbitMQ checks.
    await channel.assertExchange(eventsExchange, "topic", { durable: true });
    await channel.assertExchange(outboundExchange, "fanout", { durable: true });
    await consumer.listen();
    for (const [key, body] of [
      ["job.status.changed", '{"event_id":"a"}'],
      ["job.status.changed.really", '{"event_id":"b"}'],
      ["job.other", '{"event_id":"c"}'],
      ["job.status", '{"event_id":"d"}'],
    ] as const) {
      channel.publish(eventsExchange, key, Buffer.from(body));
    }
    expect(idsOf(await consumer.received(3))).toEqual(["a", "b", "d"]);
  });

  test("an exchange of another type is named, with what to do about it", async () => {
    const { eventsExchange, outboundExchange } = consumer.names;
    const channel = await consumer.connection.createChannel();
    await channel.assertExchange(eventsExchange, "fanout", { durable: true });
    const publisher = rabbitmqPublisher(rabbitmqUrl(), consumer.names);
    await expect(publisher.setup()).rejects.toMatchObject({
      code: "TOPOLOGY_MISMATCH",
      message: expect.stringMatching(
        `^Cannot use exchange "${eventsExchange}": it exists with other properties, delete it or name another one in option eventsExchange`,
      ),
    });
    await expect(publisher.publish(newEvents(1))).rejects.toMatchObject({ code: "TOPOLOGY_MISMATCH" });
    await channel.deleteExchange(eventsExchange);
    await channel.assertExchange(outboundExchange, "topic", { durable: true });
    await expect(publisher.setup()).rejects.toMatchObject({
      code: "TOPOLOGY_MISMATCH",
      message: expect.stringContaining(outboundExchange),
    });
    await channel.deleteExchange(outboundExchange);
    await publisher.setup();
    expect(publisher.state()).toEqual({ kind: "ready", waiting: 0 });
    await publisher.close();
  });

  test("a mismatch leaves the given connection usable", async () => {
    const channel = await consumer.connection.createChannel();
    await channel.assertExchange(consumer.names.eventsExchange, "direct", { durable: true });
    const publisher = rabbitmqPublisher(consumer.connection, consumer.names);
    await expect(publisher.setup()).rejects.toMatchObject({ code: "TOPOLOGY_MISMATCH" });
    await channel.checkExchange(consumer.names.eventsExchange);
    await publisher.close();
  });

  test("exchanges that were deleted meanwhile are declared again by the next publish", async () => {
    const publisher = rabbitmqPublisher(rabbitmqUrl(), consumer.names);
    await publisher.setup();
    const channel = await consumer.connection.createChannel();
    await channel.deleteExchange(consumer.names.eventsExchange);
    await expect(publisher.publish(newEvents(3))).rejects.toMatchObject({
      code: "PUBLISHER_UNAVAILABLE",
      message: expect.stringContaining("no exchange"),
    });
    expect(publisher.state().kind).toBe("lost");
    await publisher.setup();
    await consumer.listen();
    expect(await publisher.publish(newEvents(1))).toEqual(["confirmed"]);
    await publisher.close();
  });
});

describe("a message", () => {
  test("is persistent, typed, timestamped and carries the event's id", async () => {
    const publisher = rabbitmqPublisher(rabbitmqUrl(), consumer.names);
    await publisher.setup();
    await consumer.listen();
    const event = newEvent();
    await publisher.publish([event]);
    await publisher.close();
    const [message] = await consumer.received(1);
    expect(message).toMatchObject({
      payload: event.payload,
      fields: { exchange: consumer.names.eventsExchange, routingKey: "job.status.changed" },
      properties: {
        deliveryMode: 2,
        contentType: "application/json",
        messageId: event.id,
        type: "job.status.changed",
        timestamp: 1705746600,
      },
    });
  });

  test("is a CloudEvents 1.0 envelope on request", async () => {
    const format = { cloudEvents: { source: "/workers/cad" } };
    const publisher = rabbitmqPublisher(rabbitmqUrl(), { ...consumer.names, format });
    await publisher.setup();
    await consumer.listen();
    const event = newEvent();
    await publisher.publish([event]);
    await publisher.close();
    const [message] = await consumer.received(1);
    expect(message?.payload).toEqual({
      specversion: "1.0",
      id: event.id,
      source: "/workers/cad",
      type: "job.status.changed",
      subject: "123",
      time: "2024-01-20T10:30:00.900Z",
      datacontenttype: "application/json",
      data: event.payload,
    });
    expect(message?.properties).toMatchObject({ contentType: "application/cloudevents+json", messageId: event.id });
  });

  test("goes out with the routing key of the options", async () => {
    const publisher = rabbitmqPublisher(rabbitmqUrl(), {
      ...consumer.names,
      routingKey: "cad.job.changed",
      bindingKey: "cad.#",
    });
    await publisher.setup();
    await consumer.listen();
    expect(await publisher.publish(newEvents(1))).toEqual(["confirmed"]);
    expect((await consumer.received(1))[0]?.fields.routingKey).toBe("cad.job.changed");
    await publisher.close();
  });
});

describe("events that no queue is bound for", () => {
  test("are told from those that one is bound for, also when sent again", async () => {
    const publisher = rabbitmqPublisher(rabbitmqUrl(), { ...consumer.names, log: rememberingLog().log });
    await publisher.setup();
    const queue = `${consumer.names.outboundExchange}.short`;
    const channel = await consumer.connection.createChannel();
    await channel.assertQueue(queue, { exclusive: true });
    const events = newEvents(2);
    const outcomes = [];
    for (let round = 0; round < 3; round++) {
      outcomes.push(await publisher.publish(events));
      await channel.bindQueue(queue, consumer.names.outboundExchange, "");
      outcomes.push(await publisher.publish(events));
      await channel.unbindQueue(queue, consumer.names.outboundExchange, "");
    }
    const round = [
      ["unroutable", "unroutable"],
      ["confirmed", "confirmed"],
    ];
    expect(outcomes).toEqual([...round, ...round, ...round]);
    await publisher.close();
  });

  test("are told apart when the same event is under way many times", async () => {
    const publisher = rabbitmqPublisher(rabbitmqUrl(), consumer.names);
    const event = newEvent();
    const outcomes = await publisher.publish(Array.from({ length: 500 }, () => event));
    expect(outcomes).toEqual(outcomes.map(() => "unroutable"));
    await publisher.close();
  });
});
