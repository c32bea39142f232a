import type { ChannelModel } from "amqplib";
import { expect, test } from "vitest";
import { rabbitmqPublisher } from "../../src/adapters/rabbitmq/index.js";
import { rabbitmqUrl } from "../support/servers.js";
import { idsOf, newEvents, openConsumer } from "./rabbitmq-subject.js";

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

test("writing a large window leaves turns to the rest of the process, and waits for drain", async () => {
  const consumer = await openConsumer();
  const written = await watchWrites(consumer.connection);
  const publisher = rabbitmqPublisher(consumer.connection, consumer.names);
  await publisher.setup();
  await publisher.publish(newEvents(5_000));
  expect(written.mostInTurn).toBeLessThanOrEqual(200);
  expect(written.whileSaturated).toBe(0);
  written.stop();
  await publisher.close();
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

interface WatchedWrites {
  readonly mostInTurn: number;
  readonly whileSaturated: number;
  stop(): void;
}

/** Counts what is written on confirm channels of a real connection, per turn of the event loop. */
async function watchWrites(connection: ChannelModel): Promise<WatchedWrites> {
  let [inTurn, mostInTurn, whileSaturated, stopped, saturated] = [0, 0, 0, false, false];
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
      if (saturated) whileSaturated++;
      mostInTurn = Math.max(mostInTurn, ++inTurn);
      const more = publish(...message);
      saturated = !more;
      return more;
    };
    return channel;
  };
  return {
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
