import { once } from "node:events";
import { type AddressInfo, createConnection, createServer } from "node:net";
import { type ChannelModel, connect } from "amqplib";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { newEvents } from "../adapters/new-event.js";
import { eventually } from "../support/eventually.js";
import { rabbitmqUrl } from "../support/servers.js";
import { gate, openStage, type Stage } from "./consumer-stage.js";

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage.dispose());

const handler = async () => {};

/** A connection to whose errors nobody listens, and whether it is closed. */
async function watched(): Promise<{ readonly model: ChannelModel; readonly closed: Promise<void> }> {
  const model = await connect(rabbitmqUrl());
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
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const asked = gate();
  const answers = [() => new Promise<ChannelModel>(() => {}), () => connect(rabbitmqUrl())];
  const source = () => {
    asked.open();
    return (answers.shift() as (typeof answers)[number])();
  };
  const consumer = stage.consumer({ handler, connectTimeoutMs: 600_000 }, source);
  const starting = consumer.start();
  await asked.opened;
  await vi.advanceTimersByTimeAsync(599_999);
  expect(stage.log.lines).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(stage.log.lines.join()).toContain("no answer came within 600000 ms");
  await vi.advanceTimersByTimeAsync(200);
  await starting;
  expect(answers).toEqual([]);
});

test("a connection that its server never answers is let go", async () => {
  const [taken, ended] = [gate(), gate()];
  const silent = createServer((client) => {
    taken.open();
    client.resume().on("close", () => ended.open());
  }).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const consumer = stage.consumer({ handler, connectTimeoutMs: 50 }, `amqp://127.0.0.1:${port}`);
  consumer.start().catch(() => {});
  await taken.opened;
  await consumer.stop();
  await ended.opened;
  silent.close();
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

test("stop while events begin to be read hands none to the handler", async () => {
  const declaring = stage.consumer({ handler });
  await declaring.start();
  await declaring.stop();
  await stage.publish(newEvents(1));
  const [asked, begun] = [gate(), [] as string[]];
  const consumer = stage.consumer({ handler: async ({ event_id }) => void begun.push(event_id) }, async () => {
    const model = await connect(rabbitmqUrl());
    const open = model.createConfirmChannel.bind(model);
    const createConfirmChannel = async () => {
      const channel = await open();
      const consume = channel.consume.bind(channel);
      channel.consume = (...args) => {
        asked.open();
        return consume(...args);
      };
      return channel;
    };
    return Object.assign(model, { createConfirmChannel });
  });
  consumer.start().catch(() => {});
  await asked.opened;
  await consumer.stop();
  expect(begun).toEqual([]);
  await eventually(async () => expect(await stage.waiting(stage.queue)).toBe(1));
});

test("a log that throws ends nothing", async () => {
  const complained = gate();
  const log = {
    warn() {
      complained.open();
      throw new Error("No space left on device");
    },
  };
  let asked = 0;
  const consumer = stage.consumer({ handler, log }, async () => {
    if (++asked === 1) throw new Error("no route");
    return connect(rabbitmqUrl());
  });
  const starting = consumer.start();
  await complained.opened;
  await starting;
  expect(consumer.state().kind).toBe("consuming");
});

test("a vhost that is not there is said to be that", async () => {
  const url = new URL(rabbitmqUrl());
  url.pathname = `/${stage.queue}`;
  const consumer = stage.consumer({ handler }, url.href);
  consumer.start().catch(() => {});
  await eventually(() => expect(stage.log.lines.join()).toContain("the vhost does not exist, or the user has no"));
});

test.each([
  ["as it is by default", "", 30],
  ["as its URL says", "?heartbeat=7", 7],
])("the heartbeat of a connection is %s", async (_, query, seconds) => {
  const { port, hostname } = new URL(rabbitmqUrl());
  const sent: Buffer[] = [];
  const recorder = createServer((client) => {
    const server = createConnection({ host: hostname, port: Number(port) || 5_672 });
    client.on("data", (chunk) => sent.push(chunk)).pipe(server);
    server.pipe(client);
    for (const socket of [client, server]) socket.on("error", () => {});
  }).listen(0, "127.0.0.1");
  await once(recorder, "listening");
  const url = new URL(rabbitmqUrl());
  url.host = `127.0.0.1:${(recorder.address() as AddressInfo).port}`;
  const consumer = stage.consumer({ handler }, `${url.href}${query}`);
  await consumer.start();
  await consumer.stop();
  recorder.close();
  // Tune-Ok is class 10, method 31: channels (2 bytes), frame size (4 bytes), heartbeat (2 bytes).
  const bytes = Buffer.concat(sent);
  const tuned = bytes.indexOf(Buffer.from([0, 10, 0, 31]));
  expect(bytes.readUInt16BE(tuned + 10)).toBe(seconds);
});

test("stop closes the connection that the factory opened", async () => {
  const opened = await watched();
  const consumer = stage.consumer({ handler }, async () => opened.model);
  await consumer.start();
  await Promise.all([consumer.stop(), opened.closed]);
});

test("a factory that answers no connection is a mistake, and not asked again", async () => {
  const start = stage.consumer({ handler }, async () => ({}) as ChannelModel).start();
  await expect(start).rejects.toThrow("must answer a promise of an amqplib ChannelModel");
});

test("a URL that cannot be read is no source", () => {
  expect(() => stage.consumer({ handler }, "amqp://[")).toThrow("The source of events must be");
});
