import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createEventConsumer, type EventDedupe, type JobEventPayload } from "../../src/consumer/index.js";
import { newEvent, newEvents } from "../adapters/new-event.js";
import { eventually } from "../support/eventually.js";
import { gate, openStage, type Stage } from "./consumer-stage.js";

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage.dispose());

test("an event that is published five times has its effect once", async () => {
  const handled: string[] = [];
  await stage.consumer({ handler: async ({ event_id }) => void handled.push(event_id) }).start();
  const [event, last] = [newEvent(), newEvent()];
  for (let time = 0; time < 5; time++) await stage.publish([event], time % 2 === 1);
  await stage.publish([last]);
  await eventually(() => expect(handled).toContain(last.id));
  expect(handled).toEqual([event.id, last.id]);
  await eventually(async () => expect(await stage.waiting(stage.queue)).toBe(0));
});

test("the handler gets the payload as it was sent, plain or in an envelope", async () => {
  const handled: unknown[] = [];
  await stage.consumer({ handler: async (event) => void handled.push(event) }).start();
  const [plain, enveloped] = [newEvent({ error_code: "ERR" }), newEvent({ step: null })];
  await stage.publish([plain]);
  await stage.publish([enveloped], true);
  await eventually(() => expect(handled).toHaveLength(2));
  expect(handled).toEqual([plain.payload, enveloped.payload]);
});

describe("a message that is no event", () => {
  test("goes to the dead letters as it is, at once, and says why", async () => {
    const handled: string[] = [];
    await stage.consumer({ handler: async ({ event_id }) => void handled.push(event_id) }).start();
    const sent = {
      contentEncoding: "utf-8",
      correlationId: "order 7",
      replyTo: "answers",
      type: "note",
      appId: "shop",
    };
    await stage.send('{"event_id": 7}', { ...sent, priority: 3, timestamp: 1_705_746_600 });
    const { content, properties } = await stage.deadLetter();
    expect(content.toString()).toBe('{"event_id": 7}');
    expect(properties).toMatchObject({ contentType: "application/json", messageId: "sent", deliveryMode: 2 });
    expect(properties).toMatchObject({ ...sent, priority: 3, timestamp: 1_705_746_600 });
    expect(properties.headers).toMatchObject({
      origin: "test",
      "worker-progress-reason": "invalid",
      "worker-progress-error": expect.stringContaining("event_id: Invalid"),
      "worker-progress-attempts": 0,
      "worker-progress-queue": stage.queue,
    });
    const event = newEvent();
    await stage.publish([event]);
    await eventually(() => expect(handled).toEqual([event.id]));
  });

  test("is one dead letter, also where it asks the broker for a copy to the queue it came from", async () => {
    await stage.consumer({ handler: async () => {} }).start();
    await stage.send("copied", { headers: { CC: [stage.queue], origin: "test" } });
    const { properties } = await stage.deadLetter();
    expect(properties.headers).toMatchObject({ origin: "test" });
    expect(properties.headers).not.toHaveProperty("CC");
  });

  test("is put aside by the broker where its headers leave no room for a reason, and others are not given back", async () => {
    const consumer = stage.consumer({ handler: async () => {} });
    await consumer.start();
    const headers = { long: "x".repeat(65_450) };
    await stage.send("long", { headers });
    const { content, properties } = await stage.deadLetter();
    expect(content.toString()).toBe("long");
    expect(properties.headers).toMatchObject({ ...headers, "x-death": [{ queue: stage.queue, reason: "rejected" }] });
    expect(stage.log.lines).toEqual([expect.stringContaining("An event went to the dead letters")]);
    await eventually(() => expect(consumer.state()).toEqual({ kind: "consuming", inHand: 0 }));
  });
});

test("what a handler leaves listening to a signal goes with the event: each has its own, which fires only meanwhile", async () => {
  const signals: AbortSignal[] = [];
  const handler = async (_: unknown, { signal }: { signal: AbortSignal }) => void signals.push(signal);
  const consumer = stage.consumer({ handler });
  await consumer.start();
  await stage.publish(newEvents(2));
  await eventually(() => expect(signals).toHaveLength(2));
  await consumer.stop();
  expect(new Set(signals).size).toBe(2);
  expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
});

test("a handler need not be async, whatever dedupe makes of its promise", async () => {
  const handled: string[] = [];
  const dedupe: EventDedupe = { once: (_, effect) => effect({}).then(() => "done") };
  const handler = ({ event_id }: JobEventPayload) => void handled.push(event_id);
  const consumer = stage.consumer({ handler: handler as never, dedupe });
  await consumer.start();
  const [event, last] = [newEvent(), newEvent()];
  await stage.publish([event, last]);
  await eventually(() => expect(handled).toContain(last.id));
  expect(handled).toEqual([event.id, last.id]);
});

describe("an event whose handler throws", () => {
  test("is tried again, and counts its tries", async () => {
    const attempts: number[] = [];
    const handler = async (_: unknown, { attempt }: { attempt: number }) => {
      attempts.push(attempt);
      if (attempt < 3) throw new Error("not yet");
    };
    await stage.consumer({ handler }).start();
    await stage.publish(newEvents(1));
    await eventually(() => expect(attempts).toEqual([1, 2, 3]));
    await eventually(async () => expect(await stage.waiting(stage.deadQueue)).toBe(0));
  });

  test("goes to the dead letters after the last try, with the reason and no stack", async () => {
    const handler = async () => {
      throw new Error("no order at postgres://erp:secret@db/erp");
    };
    await stage.consumer({ handler }).start();
    const event = newEvent();
    await stage.publish([event]);
    const { content, properties } = await stage.deadLetter();
    expect(JSON.parse(content.toString())).toEqual(event.payload);
    expect(properties.messageId).toBe(event.id);
    expect(properties.headers).toMatchObject({
      "worker-progress-reason": "failed",
      "worker-progress-error": "no order at postgres://***@db/erp",
      "worker-progress-attempts": 3,
      "worker-progress-queue": stage.queue,
    });
    await eventually(() => expect(stage.log.lines.join()).toContain("An event went to the dead letters"));
  });

  test("waits longer from try to try", async () => {
    const tried: number[] = [];
    const handler = async () => {
      tried.push(performance.now());
      throw new Error("not yet");
    };
    await stage.consumer({ handler, retry: { firstMs: 40, maxMs: 160, maxAttempts: 5 } }).start();
    await stage.publish(newEvents(1));
    await stage.deadLetter();
    const waits = tried.slice(1).map((at, index) => at - Number(tried[index]));
    expect(waits).toHaveLength(4);
    // Up to half of 40, 80, 160 and 160 ms is taken off by chance.
    for (const [index, least] of [18, 38, 78, 78].entries()) expect(waits[index]).toBeGreaterThan(least);
  });

  test("leaves no more than 1000 characters of what it threw", async () => {
    const handler = async () => {
      throw new Error("x".repeat(5_000));
    };
    await stage.consumer({ handler, retry: { maxAttempts: 1 } }).start();
    await stage.publish(newEvents(1));
    const { properties } = await stage.deadLetter();
    expect(properties.headers?.["worker-progress-error"]).toMatch(/^x{900,999}.?$/);
  });

  test("is not overtaken by later events of its job, but by those of others", async () => {
    const order: unknown[] = [];
    const blocked = gate();
    const handler = async (
      { job_id, progress }: { job_id: unknown; progress: number },
      { attempt }: { attempt: number },
    ) => {
      if (job_id === 1 && progress === 10 && attempt === 1) {
        await blocked.opened;
        throw new Error("not yet");
      }
      order.push([job_id, progress]);
    };
    await stage.consumer({ handler }).start();
    const events = [10, 20, 30].map((progress) => newEvent({ job_id: 1, progress }));
    await stage.publish([...events, newEvent({ job_id: 2, progress: 5 })]);
    await eventually(() => expect(order).toEqual([[2, 5]]));
    blocked.open();
    await eventually(() => expect(order).toHaveLength(4));
    expect(order.slice(1)).toEqual([10, 20, 30].map((progress) => [1, progress]));
  });
});

test("no more events than the prefetch are in hand, however many fail or hang", async () => {
  const blocked = gate();
  let running = 0;
  let most = 0;
  const handler = async () => {
    most = Math.max(most, ++running);
    await blocked.opened;
    running--;
  };
  const consumer = stage.consumer({ handler, prefetch: 3 });
  await consumer.start();
  await stage.publish(Array.from({ length: 10 }, (_, job_id) => newEvent({ job_id })));
  await eventually(() => expect(consumer.state()).toEqual({ kind: "consuming", inHand: 3 }));
  expect(await stage.waiting(stage.queue)).toBe(7);
  blocked.open();
  await eventually(() => expect(consumer.state()).toEqual({ kind: "consuming", inHand: 0 }));
  expect(most).toBe(3);
});

describe("stop", () => {
  test("waits for the handlers that run, acknowledges them and gives the rest back", async () => {
    const [begun, blocked] = [gate(), gate()];
    const handled: unknown[] = [];
    const handler = async ({ progress }: { progress: number }) => {
      begun.open();
      await blocked.opened;
      handled.push(progress);
    };
    const consumer = stage.consumer({ handler });
    await consumer.start();
    await stage.publish([1, 2, 3].map((progress) => newEvent({ progress })));
    await begun.opened;
    const stopping = consumer.stop();
    blocked.open();
    await stopping;
    expect(handled).toEqual([1]);
    expect(consumer.state()).toEqual({ kind: "stopped" });
    await eventually(async () => expect(await stage.waiting(stage.queue)).toBe(2));
    await stage.consumer({ handler }).start();
    await eventually(() => expect(handled).toEqual([1, 2, 3]));
  });

  test("tells a handler that outlasts the deadline, whose event comes again", async () => {
    const begun = gate();
    let told = false;
    const handler = async (_: unknown, { signal }: { signal: AbortSignal }) => {
      signal.addEventListener("abort", () => {
        told = true;
      });
      begun.open();
      await new Promise(() => {});
    };
    const consumer = stage.consumer({ handler });
    await consumer.start();
    const event = newEvent();
    await stage.publish([event]);
    await begun.opened;
    await consumer.stop({ deadlineMs: 20 });
    expect(told).toBe(true);
    const again: unknown[] = [];
    const next = async ({ event_id }: { event_id: string }, { redelivered }: { redelivered: boolean }) =>
      void again.push([event_id, redelivered]);
    await stage.consumer({ handler: next }).start();
    await eventually(() => expect(again).toEqual([[event.id, true]]));
  });

  test("waits for as long as it is told, for ever too", async () => {
    const [begun, blocked] = [gate(), gate()];
    const given: boolean[] = [];
    const handler = async (_: unknown, { signal }: { signal: AbortSignal }) => {
      begun.open();
      await blocked.opened;
      given.push(signal.aborted);
    };
    const consumer = stage.consumer({ handler });
    await consumer.start();
    await stage.publish(newEvents(1));
    await begun.opened;
    const stopping = consumer.stop({ deadlineMs: Number.POSITIVE_INFINITY });
    // A later event waits in the queue: the consumer reads no more, and has come to wait for its handler.
    await stage.publish(newEvents(1));
    for (let look = 0; look < 5; look++) expect(await stage.waiting(stage.deadQueue)).toBe(0);
    blocked.open();
    await stopping;
    expect(given).toEqual([false]);
  });

  test("takes no more events while it waits for a handler: another consumer gets them", async () => {
    const [begun, blocked] = [gate(), gate()];
    const handler = async () => {
      begun.open();
      await blocked.opened;
    };
    const consumer = stage.consumer({ handler });
    await consumer.start();
    await stage.publish(newEvents(1));
    await begun.opened;
    const stopping = consumer.stop();
    const others: string[] = [];
    await stage.consumer({ handler: async ({ event_id }) => void others.push(event_id) }).start();
    await stage.publish(newEvents(4));
    await eventually(() => expect(others).toHaveLength(4));
    expect(await Promise.race([stopping.then(() => "stopped"), turn("waits")])).toBe("waits");
    blocked.open();
    await stopping;
  });

  test("does not wait for the next try of an event", async () => {
    const failed = gate();
    const handler = async () => {
      failed.open();
      throw new Error("not yet");
    };
    const consumer = stage.consumer({ handler, retry: { firstMs: 600_000, maxMs: 600_000 } });
    await consumer.start();
    await stage.publish(newEvents(1));
    await failed.opened;
    await consumer.stop({ deadlineMs: 600_000 });
    await eventually(async () => expect(await stage.waiting(stage.queue)).toBe(1));
  });

  test("is for good, may be called twice, and before start", async () => {
    const consumer = stage.consumer({ handler: async () => {} });
    await Promise.all([consumer.stop(), consumer.stop()]);
    await expect(consumer.start()).rejects.toMatchObject({ code: "REPORTER_CLOSED" });
  });
});

describe("the queue", () => {
  test("that exists with other properties is not touched", async () => {
    const channel = await stage.connection.createChannel();
    await channel.assertQueue(stage.queue, { durable: true });
    const consumer = stage.consumer({ handler: async () => {} });
    await expect(consumer.start()).rejects.toMatchObject({
      code: "TOPOLOGY_MISMATCH",
      message: expect.stringContaining(`Cannot use queue "${stage.queue}": it exists with other properties`),
    });
    await channel.deleteQueue(stage.queue);
    await consumer.start();
    expect(consumer.state()).toEqual({ kind: "consuming", inHand: 0 });
  });

  test("may be a classic one, with one active consumer at a time", async () => {
    const handled: string[] = [];
    const options = { queueType: "classic", singleActiveConsumer: true } as const;
    const first = stage.consumer({ ...options, handler: async () => void handled.push("first") });
    const second = stage.consumer({ ...options, handler: async () => void handled.push("second") });
    await first.start();
    await second.start();
    await stage.publish(newEvents(4));
    await eventually(() => expect(handled).toEqual(["first", "first", "first", "first"]));
    await first.stop();
    await stage.publish(newEvents(1));
    await eventually(() => expect(handled.at(-1)).toBe("second"));
  });
});

test("an exchange that is said to be there is not declared, whatever its type", async () => {
  const channel = await stage.connection.createConfirmChannel();
  await channel.assertExchange(stage.outbound, "direct", { durable: true });
  const handled: string[] = [];
  const bind = [{ exchange: stage.outbound, routingKey: "erp", type: null }];
  await stage.consumer({ bind, handler: async ({ event_id }) => void handled.push(event_id) }).start();
  const { id, payload } = newEvent();
  channel.publish(stage.outbound, "erp", Buffer.from(JSON.stringify(payload)));
  await eventually(() => expect(handled).toEqual([id]));
});

test.each<[string, object]>([
  ['Unknown option "retries"', { retries: 3 }],
  ['Unknown option "retry.attempts"', { retry: { attempts: 3 } }],
  ['Unknown option "bind.routing_key"', { bind: [{ routing_key: "job.#" }] }],
  ["Option retry must be an object", { retry: null }],
  ["Option bind must be an object", { bind: [null] }],
  ["Option bind must be an array", { bind: { exchange: "erp.outbound" } }],
  ["Option bind.routingKey", { bind: [{ routingKey: "x".repeat(256) }] }],
  ["Option singleActiveConsumer", { singleActiveConsumer: "no" }],
  ["Option queue must have 1 to 255 bytes", { queue: "" }],
  ["Option queue must be a string", { queue: "erp \ud800" }],
  ["Option log", { log: {} }],
  ["Option connectTimeoutMs", { connectTimeoutMs: 0 }],
  ["Option retry.firstMs", { retry: { firstMs: 0 } }],
  ["must name two queues", { deadLetter: "erp" }],
  ["Option handler", { handler: null }],
  ["Option dedupe", { dedupe: {} }],
  ["Option prefetch", { prefetch: 0 }],
  ["Option retry.maxMs", { retry: { firstMs: 10, maxMs: 9 } }],
  ["Option retry.maxAttempts", { retry: { maxAttempts: 0 } }],
  ["Option queueType", { queueType: "mirrored" }],
  ["Option bind.type", { bind: [{ type: "direct" }] }],
])("%s is refused at once: %j", (message, options) => {
  const all = { queue: "erp", handler: async () => {}, ...options };
  expect(() => createEventConsumer("amqp://localhost", all)).toThrow(message);
  expect(() => createEventConsumer("amqp://localhost", undefined as never)).toThrow("The options must be an object");
  expect(() => createEventConsumer("http://localhost", { queue: "erp", handler: async () => {} })).toThrow(TypeError);
});

test("a first wait that is longer than the longest one by default is the longest one", () => {
  const retry = { firstMs: 60_000 };
  expect(() => createEventConsumer("amqp://localhost", { queue: "erp", handler: async () => {}, retry })).not.toThrow();
});
