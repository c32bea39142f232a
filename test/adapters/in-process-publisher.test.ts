import { expect, test } from "vitest";
import { inProcessPublisher } from "../../src/adapters/memory/index.js";
import type { JobEventPayload } from "../../src/domain/event.js";
import { newEvent, newEvents } from "./new-event.js";

function rememberingLog() {
  const warnings: unknown[][] = [];
  return { warnings, log: { warn: (...args: unknown[]) => void warnings.push(args) } };
}

async function collect(events: AsyncIterable<JobEventPayload>): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const event of events) ids.push(event.event_id);
  return ids;
}

test("a listener that throws, or whose promise rejects, is logged and harms nobody", async () => {
  const { warnings, log } = rememberingLog();
  const publisher = inProcessPublisher({ log });
  const heard: string[] = [];
  publisher.on(() => {
    throw new Error("no room");
  });
  publisher.on(async () => {
    throw new Error("no time");
  });
  publisher.on((event) => heard.push(event.event_id));
  const event = newEvent();
  expect(await publisher.publish([event])).toEqual(["confirmed"]);
  expect(heard).toEqual([event.id]);
  expect(warnings).toEqual([
    ["A listener of job events failed", { event_id: event.id, reason: "no room" }],
    ["A listener of job events failed", { event_id: event.id, reason: "no time" }],
  ]);
});

test("a listener is called until it is taken off, also while it is being called", async () => {
  const publisher = inProcessPublisher();
  const heard: string[] = [];
  const off = publisher.on(() => {
    heard.push("once");
    off();
  });
  publisher.on(() => heard.push("always"));
  await publisher.publish(newEvents(2));
  off();
  expect(heard).toEqual(["once", "always", "always"]);
});

test("the same listener twice is two listeners", async () => {
  const publisher = inProcessPublisher();
  let calls = 0;
  const listener = () => calls++;
  const off = publisher.on(listener);
  publisher.on(listener);
  await publisher.publish(newEvents(1));
  off();
  await publisher.publish(newEvents(1));
  expect(calls).toBe(3);
});

test("readers get every event from their beginning on, each at its own pace, until the publisher closes", async () => {
  const publisher = inProcessPublisher();
  const early = publisher.events();
  const first = newEvents(3);
  expect(await publisher.publish(first)).toEqual(["confirmed", "confirmed", "confirmed"]);
  const late = collect(publisher.events());
  const second = newEvents(2);
  await publisher.publish(second);
  await publisher.close();
  expect(await late).toEqual(second.map(({ id }) => id));
  expect(await collect(early)).toEqual([...first, ...second].map(({ id }) => id));
});

test("a reader that waits gets the event as soon as it is published", async () => {
  const publisher = inProcessPublisher();
  const events = publisher.events();
  const waiting = [events.next(), events.next()];
  const published = newEvents(2);
  await publisher.publish(published);
  expect(await Promise.all(waiting)).toEqual(published.map(({ payload }) => ({ done: false, value: payload })));
});

test("a reader ends when its signal aborts, and nobody listens any more", async () => {
  const publisher = inProcessPublisher();
  const abort = new AbortController();
  const reading = collect(publisher.events({ signal: abort.signal }));
  await publisher.publish(newEvents(1));
  abort.abort();
  expect(await publisher.publish(newEvents(1))).toEqual(["unroutable"]);
  expect((await reading).length).toBeLessThanOrEqual(1);
  expect(await collect(publisher.events({ signal: AbortSignal.abort() }))).toEqual([]);
});

test("leaving the loop ends the reading", async () => {
  const publisher = inProcessPublisher();
  const events = publisher.events();
  await publisher.publish(newEvents(2));
  for await (const _ of events) break;
  expect(await publisher.publish(newEvents(1))).toEqual(["unroutable"]);
  expect(await events.next()).toEqual({ done: true, value: undefined });
});

test("a reader that falls too far behind gets what was kept and then an error, and the others everything", async () => {
  const publisher = inProcessPublisher({ bufferSize: 3 });
  const slow = publisher.events();
  const heard: string[] = [];
  publisher.on((event) => heard.push(event.event_id));
  const published = newEvents(5);
  await publisher.publish(published);
  expect(heard).toHaveLength(5);
  const read: string[] = [];
  const reading = async () => {
    for await (const event of slow) read.push(event.event_id);
  };
  await expect(reading()).rejects.toMatchObject({
    code: "CAPACITY_EXCEEDED",
    message: "Cannot keep more than 3 events for a reader: read faster, or raise bufferSize",
  });
  expect(read).toEqual(published.slice(0, 3).map(({ id }) => id));
});

test("after close nobody is called and reading ends at once", async () => {
  const publisher = inProcessPublisher();
  publisher.on(() => {
    throw new Error("called");
  });
  await publisher.close();
  publisher.on(() => {});
  await expect(publisher.publish(newEvents(1))).rejects.toMatchObject({
    code: "REPORTER_CLOSED",
    message: "Cannot publish: the publisher is closed",
  });
  expect(await collect(publisher.events())).toEqual([]);
});

test("wrong options are refused by name", () => {
  expect(() => inProcessPublisher({ bufferSize: 0 })).toThrow(RangeError);
  expect(() => inProcessPublisher({ size: 3 } as never)).toThrow('Unknown option "size", known are bufferSize, log');
});
