import { type ChannelModel, connect } from "amqplib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "../support/eventually.js";
import { rabbitmqUrl } from "../support/servers.js";
import { gate, openStage, type Stage } from "./consumer-stage.js";

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage.dispose());

const handler = async () => {};

/** A connection, and whether it is closed. */
async function watched(): Promise<{ readonly model: ChannelModel; readonly closed: Promise<void> }> {
  const model = await connect(rabbitmqUrl());
  model.on("error", () => {});
  const closed = gate();
  model.on("close", () => closed.open());
  return { model, closed: closed.opened };
}

test("a source that fails is asked again after waits that double, and complained of once", async () => {
  const asked: number[] = [];
  const consumer = stage.consumer({ handler }, async () => {
    asked.push(performance.now());
    throw new Error("no route");
  });
  consumer.start().catch(() => {});
  await eventually(() => expect(asked.length).toBeGreaterThanOrEqual(4));
  await consumer.stop();
  const waits = asked.slice(1, 4).map((at, index) => at - Number(asked[index]));
  // Up to half of 200, 400 and 800 ms is taken off by chance.
  for (const [index, wait] of waits.entries()) expect(wait).toBeGreaterThan(95 * 2 ** index);
  expect(stage.log.lines.filter((line) => line.includes("no route"))).toHaveLength(1);
});

test("a source that never answers is given up after connectTimeoutMs, and asked again", async () => {
  let asked = 0;
  const source = () => (++asked === 1 ? new Promise<ChannelModel>(() => {}) : connect(rabbitmqUrl()));
  const consumer = stage.consumer({ handler, connectTimeoutMs: 2_000 }, source);
  await consumer.start();
  expect(asked).toBe(2);
  expect(stage.log.lines.join()).toContain("no answer came within 2000 ms");
});

test("a connection that comes too late is let go", async () => {
  const [blocked, late] = [gate(), watched()];
  const source = async () => {
    await blocked.opened;
    return (await late).model;
  };
  const consumer = stage.consumer({ handler, connectTimeoutMs: 20 }, source);
  consumer.start().catch(() => {});
  await eventually(() => expect(stage.log.lines.join()).toContain("no answer came within 20 ms"));
  const stopping = consumer.stop();
  blocked.open();
  await Promise.all([stopping, (await late).closed]);
});

test("stop while a connection is being opened ends start, and closes the connection", async () => {
  const [asked, blocked, opening] = [gate(), gate(), watched()];
  const consumer = stage.consumer({ handler }, async () => {
    asked.open();
    await blocked.opened;
    return (await opening).model;
  });
  const starting = consumer.start();
  await asked.opened;
  const stopping = consumer.stop();
  blocked.open();
  await expect(starting).rejects.toMatchObject({ code: "REPORTER_CLOSED" });
  await Promise.all([stopping, (await opening).closed]);
  expect(consumer.state()).toEqual({ kind: "stopped" });
});

test("stop closes the connection that the factory opened", async () => {
  const opened = await watched();
  const consumer = stage.consumer({ handler }, async () => opened.model);
  await consumer.start();
  await Promise.all([consumer.stop(), opened.closed]);
});
