import { connect } from "amqplib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { EventDedupe } from "../../src/consumer/index.js";
import { newEvent, newEvents } from "../adapters/new-event.js";
import { eventually } from "../support/eventually.js";
import { rabbitmqUrl } from "../support/servers.js";
import { type TcpProxy, tcpProxy } from "../support/tcp-proxy.js";
import { gate, openStage, type Stage } from "./consumer-stage.js";

let stage: Stage;
let proxy: TcpProxy;
beforeEach(async () => {
  stage = await openStage();
  proxy = await tcpProxy(rabbitmqUrl());
});
afterEach(async () => {
  await stage.dispose();
  await proxy.close();
});

function throughProxy(): string {
  const url = new URL(rabbitmqUrl());
  url.port = String(proxy.port);
  return url.href;
}

describe.each([
  ["a URL", () => throughProxy()],
  ["a factory", () => () => connect(throughProxy())],
])("with %s", (_, source) => {
  test("a connection lost between effect and acknowledgement brings the event again, but not its effect", async () => {
    const handled: string[] = [];
    const [begun, blocked] = [gate(), gate()];
    const handler = async ({ event_id }: { event_id: string }) => {
      begun.open();
      await blocked.opened;
      handled.push(event_id);
    };
    const consumer = stage.consumer({ handler }, source());
    await consumer.start();
    const [event, after] = [newEvent(), newEvent()];
    await stage.publish([event]);
    await begun.opened;
    proxy.cut();
    await eventually(() => expect(consumer.state().kind).not.toBe("consuming"));
    blocked.open();
    await eventually(() => expect(consumer.state().kind).toBe("consuming"));
    await stage.publish([after]);
    await eventually(() => expect(handled).toContain(after.id));
    expect(handled).toEqual([event.id, after.id]);
    expect(stage.log.lines[0]).toMatch(/ECONNRESET|Unexpected close/);
    await eventually(() => expect(consumer.state()).toEqual({ kind: "consuming", inHand: 0 }));
    expect(await stage.waiting(stage.queue)).toBe(0);
  });

  test("a handler learns that its connection is lost, and its job's next events wait for it", async () => {
    const order: unknown[] = [];
    const [begun, told, blocked] = [gate(), gate(), gate()];
    const handler = async ({ progress }: { progress: number }, { signal }: { signal: AbortSignal }) => {
      if (progress === 10) {
        signal.addEventListener("abort", () => told.open());
        begun.open();
        await blocked.opened;
      }
      order.push(progress);
    };
    const consumer = stage.consumer({ handler }, source());
    await consumer.start();
    await stage.publish([10, 20].map((progress) => newEvent({ progress })));
    await begun.opened;
    proxy.cut();
    await told.opened;
    await eventually(() => expect(consumer.state().kind).not.toBe("consuming"));
    await eventually(() => expect(consumer.state()).toEqual({ kind: "consuming", inHand: 2 }));
    expect(order).toEqual([]);
    blocked.open();
    await eventually(() => expect(consumer.state()).toEqual({ kind: "consuming", inHand: 0 }));
    expect(order).toEqual([10, 20]);
  });
});

test("what a handler throws when its connection is lost is no failure of the event", async () => {
  const begun = gate();
  const attempts: number[] = [];
  const handler = async (_: unknown, { attempt, signal }: { attempt: number; signal: AbortSignal }) => {
    attempts.push(attempt);
    if (attempts.length > 1) return;
    begun.open();
    await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("Ended"))));
  };
  const consumer = stage.consumer({ handler }, throughProxy());
  await consumer.start();
  await stage.publish(newEvents(1));
  await begun.opened;
  proxy.cut();
  await eventually(() => expect(attempts).toEqual([1, 1]));
  await eventually(() => expect(consumer.state()).toEqual({ kind: "consuming", inHand: 0 }));
  expect(stage.log.lines.filter((line) => line.includes("Ended"))).toEqual([]);
  expect(await stage.waiting(stage.deadQueue)).toBe(0);
});

test("an event that waits for its next try does not keep the one that comes again for it waiting", async () => {
  const failed = gate();
  const tries: unknown[] = [];
  const handler = async (_: unknown, { attempt, redelivered }: { attempt: number; redelivered: boolean }) => {
    tries.push([attempt, redelivered]);
    if (redelivered) return;
    failed.open();
    throw new Error("not yet");
  };
  const retry = { firstMs: 600_000, maxMs: 600_000 };
  await stage.consumer({ handler, retry }, throughProxy()).start();
  await stage.publish(newEvents(1));
  await failed.opened;
  await eventually(() => expect(stage.log.lines.join()).toContain("it is tried again"));
  proxy.cut();
  await eventually(() => expect(tries).toHaveLength(2));
  expect(tries).toEqual([
    [1, false],
    [1, true],
  ]);
});

test("a redelivered event waits for the handler that still runs, also where its dedupe would let it through", async () => {
  const [begun, blocked] = [gate(), gate()];
  let [running, most] = [0, 0];
  const handler = async () => {
    most = Math.max(most, ++running);
    begun.open();
    await blocked.opened;
    running--;
  };
  const dedupe: EventDedupe = { once: async (_, effect) => effect({}).then(() => "done") };
  const consumer = stage.consumer({ handler, dedupe }, throughProxy());
  await consumer.start();
  await stage.publish(newEvents(1));
  await begun.opened;
  proxy.cut();
  await eventually(() => expect(consumer.state().kind).not.toBe("consuming"));
  await eventually(() => expect(consumer.state()).toEqual({ kind: "consuming", inHand: 1 }));
  blocked.open();
  await eventually(() => expect(consumer.state()).toEqual({ kind: "consuming", inHand: 0 }));
  expect(most).toBe(1);
});

test("events are handled once each and in order per job while the connection is cut over and over", async () => {
  const handled: string[] = [];
  const consumer = stage.consumer({ handler: async ({ event_id }) => void handled.push(event_id) }, throughProxy());
  await consumer.start();
  const events = Array.from({ length: 300 }, (_, index) => newEvent({ job_id: index % 3 }));
  for (let start = 0; start < events.length; start += 50) {
    await stage.publish(events.slice(start, start + 50));
    await eventually(() => expect(handled.length).toBeGreaterThan(start));
    // Else later events may be handed over before the broker takes back those that are lost.
    await proxy.refuse();
    await stage.untilUnread();
    await proxy.accept();
  }
  await eventually(() => expect(handled).toHaveLength(300), { timeoutMs: 20_000 });
  for (const job of [0, 1, 2]) {
    const ids = events.filter(({ payload }) => payload.job_id === job).map(({ id }) => id);
    expect(handled.filter((id) => ids.includes(id))).toEqual(ids);
  }
});

test("start waits for a server that is away, and stop ends the waiting", async () => {
  await proxy.refuse();
  const consumer = stage.consumer({ handler: async () => {} }, throughProxy());
  const starting = consumer.start();
  await eventually(() => expect(stage.log.lines.join()).toContain("Cannot read events for the time being"));
  await proxy.accept();
  await starting;
  expect(consumer.state().kind).toBe("consuming");
  await proxy.refuse();
  const other = stage.consumer({ handler: async () => {} }, throughProxy());
  const never = other.start();
  never.catch(() => {});
  await other.stop();
  await expect(never).rejects.toMatchObject({ code: "REPORTER_CLOSED" });
});

test("a queue that is deleted is declared again", async () => {
  const handled: string[] = [];
  await stage.consumer({ handler: async ({ event_id }) => void handled.push(event_id) }).start();
  const channel = await stage.connection.createChannel();
  await channel.deleteQueue(stage.queue);
  await eventually(() => expect(stage.log.lines.join()).toContain("was deleted or moved"));
  await eventually(() => expect(stage.log.lines.join()).toContain("Reading events again"));
  const [event] = newEvents(1);
  if (event !== undefined) await stage.publish([event]);
  await eventually(() => expect(handled).toEqual([event?.id]));
});

test("without its dead-letter queue an event is not let go, and gets there when it is back", async () => {
  const [first, second] = [gate(), gate()];
  let tries = 0;
  const handler = async () => {
    if (++tries === 1) {
      first.open();
      await second.opened;
    }
    throw new Error("never");
  };
  await stage.consumer({ handler }).start();
  const event = newEvent();
  await stage.publish([event]);
  await first.opened;
  await (await stage.connection.createChannel()).deleteQueue(stage.deadQueue);
  second.open();
  await eventually(() =>
    expect(stage.log.lines.join()).toContain(`the dead-letter queue \\"${stage.deadQueue}\\" is gone`),
  );
  await eventually(() => expect(stage.log.lines.join()).toContain("Reading events again"));
  const { properties } = await stage.deadLetter();
  expect(properties.messageId).toBe(event.id);
});

test("a dead-letter queue that refuses a message neither loses it nor gives back what else is in hand", async () => {
  const [begun, blocked] = [gate(), gate()];
  const outcomes: boolean[] = [];
  const handler = async (_: unknown, { signal }: { signal: AbortSignal }) => {
    begun.open();
    await blocked.opened;
    outcomes.push(signal.aborted);
  };
  const retry = { firstMs: 1_000, maxMs: 600_000 };
  const consumer = stage.consumer({ handler, retry, queueType: "classic" });
  await consumer.start();
  const channel = await stage.connection.createConfirmChannel();
  await channel.deleteQueue(stage.deadQueue);
  const full = { "x-max-length": 1, "x-overflow": "reject-publish" };
  await channel.assertQueue(stage.deadQueue, { arguments: full });
  await stage.publish(newEvents(1));
  await begun.opened;
  for (const body of ["one", "two", "three"]) await stage.send(body);
  await eventually(() => expect(stage.log.lines.join()).toContain("cannot go to the dead letters for the time being"));
  blocked.open();
  await eventually(() => expect(outcomes).toEqual([false]));
  await consumer.stop({ deadlineMs: Number.POSITIVE_INFINITY });
  await channel.deleteQueue(stage.deadQueue);
  const next = stage.consumer({ handler, queueType: "classic" });
  await next.start();
  await eventually(() => expect(next.state()).toEqual({ kind: "consuming", inHand: 0 }));
  expect((await stage.deadLetter()).content.toString()).toMatch(/two|three/);
});

test("stop waits for the handlers that run, also while a dead letter waits to be tried again", async () => {
  const [begun, blocked] = [gate(), gate()];
  const outcomes: boolean[] = [];
  const handler = async (_: unknown, { signal }: { signal: AbortSignal }) => {
    begun.open();
    await blocked.opened;
    outcomes.push(signal.aborted);
  };
  const consumer = stage.consumer({ handler, retry: { firstMs: 1_000, maxMs: 600_000 }, queueType: "classic" });
  await consumer.start();
  const channel = await stage.connection.createConfirmChannel();
  await channel.deleteQueue(stage.deadQueue);
  const full = { "x-max-length": 1, "x-overflow": "reject-publish" };
  await channel.assertQueue(stage.deadQueue, { arguments: full });
  await stage.publish(newEvents(1));
  await begun.opened;
  for (const body of ["one", "two", "three"]) await stage.send(body);
  await eventually(() => expect(stage.log.lines.join()).toContain("cannot go to the dead letters for the time being"));
  const stopping = consumer.stop({ deadlineMs: Number.POSITIVE_INFINITY });
  await stage.untilUnread();
  blocked.open();
  await stopping;
  expect(outcomes).toEqual([false]);
});

describe("with a connection that was given", () => {
  test("stop leaves it open, and nobody listening to it", async () => {
    const given = await connect(rabbitmqUrl());
    const listening = () => [given.listenerCount("error"), given.listenerCount("close")];
    const before = listening();
    const handled: string[] = [];
    const consumer = stage.consumer({ handler: async ({ event_id }) => void handled.push(event_id) }, given);
    await consumer.start();
    await stage.publish(newEvents(1));
    await eventually(() => expect(handled).toHaveLength(1));
    await consumer.stop();
    expect(listening()).toEqual(before);
    await (await given.createChannel()).close();
    await given.close();
  });

  test("stop gives an event back whose handler outlasts the deadline", async () => {
    const given = await connect(rabbitmqUrl());
    const begun = gate();
    const handler = async () => {
      begun.open();
      await new Promise(() => {});
    };
    const consumer = stage.consumer({ handler }, given);
    await consumer.start();
    await stage.publish(newEvents(1));
    await begun.opened;
    await consumer.stop({ deadlineMs: 1 });
    await eventually(async () => expect(await stage.waiting(stage.queue)).toBe(1));
    await given.close();
  });

  test("a queue with other properties takes the channel, not the connection", async () => {
    const given = await connect(rabbitmqUrl());
    await (await given.createChannel()).assertQueue(stage.queue, { durable: true });
    const start = stage.consumer({ handler: async () => {} }, given).start();
    await expect(start).rejects.toMatchObject({ code: "TOPOLOGY_MISMATCH" });
    await (await given.createChannel()).close();
    await given.close();
  });

  test("its loss is final, and nobody's exception", async () => {
    const given = await connect(throughProxy());
    const consumer = stage.consumer({ handler: async () => {} }, given);
    await consumer.start();
    proxy.cut();
    await eventually(() => expect(stage.log.lines.join()).toContain("pass a URL or a factory instead"));
    expect(consumer.state().kind).toBe("lost");
    const late = stage.consumer({ handler: async () => {} }, given);
    await expect(late.start()).rejects.toMatchObject({ code: "PUBLISHER_UNAVAILABLE" });
  });
});

test("an event that ends every process that reads it goes to the dead letters by the broker's own count", async () => {
  const declaring = stage.consumer({ handler: async () => {} });
  await declaring.start();
  await declaring.stop();
  const event = newEvent();
  await stage.publish([event]);
  const dying = await stage.connection.createChannel();
  let deliveries = 0;
  await dying.consume(stage.queue, (message) => {
    deliveries++;
    if (message !== null) dying.nack(message);
  });
  const { content, properties } = await stage.deadLetter();
  expect(JSON.parse(content.toString())).toEqual(event.payload);
  expect(properties.headers?.["x-death"]).toMatchObject([{ queue: stage.queue, reason: "delivery_limit" }]);
  expect(deliveries).toBe(21);
});
