import { once } from "node:events";
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from "node:net";
import { type ChannelModel, connect } from "amqplib";
import { expect, test, vi } from "vitest";
import { rabbitmqPublisher } from "../../src/adapters/rabbitmq/index.js";
import { eventually } from "../support/eventually.js";
import { rabbitmqUrl } from "../support/servers.js";
import { idsOf, newEvent, newEvents, openConsumer } from "./rabbitmq-subject.js";

test("5,000 events in pipelined batches arrive once each and in order", async () => {
  const consumer = await openConsumer();
  const publisher = rabbitmqPublisher(rabbitmqUrl(), consumer.names);
  await publisher.setup();
  await consumer.listen();
  const events = newEvents(5_000);
  const batches = Array.from({ length: 10 }, (_, batch) => events.slice(batch * 500, batch * 500 + 500));
  const outcomes = await Promise.all(batches.map((batch) => publisher.publish(batch)));
  expect(outcomes.flat()).toEqual(events.map(() => "confirmed"));
  await publisher.publish(newEvents(1));
  expect(idsOf(await consumer.received(5_001)).slice(0, 5_000)).toEqual(idsOf(events));
  await publisher.close();
  await consumer.dispose();
});

test("writing a large window leaves turns to the rest of the process", async () => {
  const consumer = await openConsumer();
  const written = await watchWrites(consumer.connection);
  const publisher = rabbitmqPublisher(consumer.connection, consumer.names);
  await publisher.setup();
  await publisher.publish(newEvents(5_000));
  expect(written.mostInTurn).toBeLessThanOrEqual(200);
  written.stop();
  await publisher.close();
  await consumer.dispose();
});

test("a network that takes nothing more makes writing wait for drain, in bounded memory", async () => {
  const consumer = await openConsumer();
  const network = await pausingProxy(rabbitmqUrl());
  const connection = await connect(network.url);
  const written = await watchWrites(connection);
  const publisher = rabbitmqPublisher(connection, consumer.names);
  await publisher.setup();
  network.pause(true);
  const events = Array.from({ length: 4_000 }, () => newEvent({ message: "x".repeat(10_000) }));
  const publishing = publisher.publish(events);
  await eventually(() => expect(written.saturated).toBe(true));
  network.pause(false);
  expect(await publishing).toHaveLength(events.length);
  expect(written.total).toBe(events.length);
  expect(written.whileSaturated).toBe(0);
  written.stop();
  await publisher.close();
  await connection.close();
  await network.close();
  await consumer.dispose();
});

test("close waits for the confirms of what is under way", async () => {
  const consumer = await openConsumer();
  const publisher = rabbitmqPublisher(rabbitmqUrl(), consumer.names);
  const publishing = publisher.publish(newEvents(3_000));
  await publisher.close();
  expect(publisher.state()).toEqual({ kind: "closed" });
  expect(await publishing).toHaveLength(3_000);
  await consumer.dispose();
});

test("an event that a queue refuses fails its publish", async () => {
  const consumer = await openConsumer();
  const publisher = rabbitmqPublisher(rabbitmqUrl(), consumer.names);
  await publisher.setup();
  const channel = await consumer.connection.createChannel();
  const full = `${consumer.names.outboundExchange}.full`;
  await channel.assertQueue(full, { exclusive: true, maxLength: 1, arguments: { "x-overflow": "reject-publish" } });
  await channel.bindQueue(full, consumer.names.outboundExchange, "");
  expect(await publisher.publish(newEvents(1))).toEqual(["confirmed"]);
  await expect(publisher.publish(newEvents(2))).rejects.toMatchObject({
    code: "PUBLISHER_UNAVAILABLE",
    message: "RabbitMQ refused an event: publish it again",
  });
  await channel.purgeQueue(full);
  expect(await publisher.publish(newEvents(1))).toEqual(["confirmed"]);
  await publisher.close();
  await consumer.dispose();
});

test("a publish after a refused one gets a channel of its own", async () => {
  const consumer = await openConsumer();
  const model = await connect(rabbitmqUrl());
  const opened = vi.spyOn(model, "createConfirmChannel");
  const publisher = rabbitmqPublisher(model, consumer.names);
  await publisher.setup();
  const channel = await consumer.connection.createChannel();
  const full = `${consumer.names.outboundExchange}.full`;
  await channel.assertQueue(full, { exclusive: true, maxLength: 1, arguments: { "x-overflow": "reject-publish" } });
  await channel.bindQueue(full, consumer.names.outboundExchange, "");
  await publisher.publish(newEvents(1));
  await expect(publisher.publish(newEvents(1))).rejects.toMatchObject({ code: "PUBLISHER_UNAVAILABLE" });
  expect(opened).toHaveBeenCalledTimes(1);
  expect(publisher.state()).toEqual({ kind: "lost", reason: "it refused an event" });
  await channel.purgeQueue(full);
  expect(await publisher.publish(newEvents(1))).toEqual(["confirmed"]);
  expect(opened).toHaveBeenCalledTimes(2);
  await publisher.close();
  await model.close();
  await consumer.dispose();
});

test("an event that cannot be encoded fails alone", async () => {
  const consumer = await openConsumer();
  const publisher = rabbitmqPublisher(rabbitmqUrl(), consumer.names);
  const [good, bad] = newEvents(2);
  const broken = { ...bad, payload: { ...bad?.payload, step: 1n } };
  await expect(publisher.publish([broken as never])).rejects.toThrow(TypeError);
  expect(await publisher.publish([good as never])).toEqual(["unroutable"]);
  await publisher.close();
  await consumer.dispose();
});

/** A network that stops reading, so that what is written piles up at the writer. */
async function pausingProxy(url: string) {
  const target = new URL(url);
  const port = Number(target.port || 5672);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const broker = connectTcp(port, target.hostname);
    client.pipe(broker).pipe(client);
    sockets.add(client);
    for (const socket of [client, broker]) socket.on("error", () => {});
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  target.port = String((server.address() as AddressInfo).port);
  return {
    url: target.href,
    pause(paused: boolean) {
      for (const socket of sockets) paused ? socket.pause() : socket.resume();
    },
    async close() {
      server.close();
      await once(server, "close");
    },
  };
}

interface WatchedWrites {
  readonly total: number;
  readonly saturated: boolean;
  readonly mostInTurn: number;
  readonly whileSaturated: number;
  stop(): void;
}

/** Counts what is written on confirm channels of a real connection, per turn of the event loop. */
async function watchWrites(connection: ChannelModel): Promise<WatchedWrites> {
  let [total, inTurn, mostInTurn, whileSaturated, stopped, saturated] = [0, 0, 0, 0, false, false];
  const turn = () => {
    inTurn = 0;
    if (!stopped) setImmediate(turn);
  };
  turn();
  const create = connection.createConfirmChannel.bind(connection);
  connection.createConfirmChannel = async (...options) => {
    const channel = await create(...options);
    const publish = channel.publish.bind(channel);
    channel.on("drain", () => {
      saturated = false;
    });
    channel.publish = (...message) => {
      total++;
      if (saturated) whileSaturated++;
      mostInTurn = Math.max(mostInTurn, ++inTurn);
      const more = publish(...message);
      saturated = !more;
      return more;
    };
    return channel;
  };
  return {
    get total() {
      return total;
    },
    get saturated() {
      return saturated;
    },
    get mostInTurn() {
      return mostInTurn;
    },
    get whileSaturated() {
      return whileSaturated;
    },
    stop() {
      stopped = true;
    },
  };
}
