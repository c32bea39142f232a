import { getEventListeners } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { WorkerProgressError } from "../../src/domain/errors.js";
import { eventually } from "../support/eventually.js";
import { ask, bodyOf, eventsOf, percentsOf, type ReceivedEvent } from "./ask.js";
import { checkedHandler } from "./checked-handler.js";
import { FakeJobs, view } from "./fake-jobs.js";

const done = view({ status: "completed" }, 100);

function running(): FakeJobs {
  const source = new FakeJobs();
  source.set(view());
  return source;
}

function percentIn({ data }: ReceivedEvent): number {
  return JSON.parse(String(data)).progress.percent;
}

async function nextOf(events: AsyncGenerator<ReceivedEvent>): Promise<ReceivedEvent> {
  const { value } = await events.next();
  if (value === undefined) throw new Error("The stream has ended");
  return value;
}

test("a stream begins with the current state, goes on with each newer one and ends with the job", async () => {
  const source = running();
  const response = await ask(checkedHandler(source), "123/events");
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const events = eventsOf(response);
  expect(await nextOf(events)).toEqual({ retry: "2000" });
  const first = await nextOf(events);
  expect(JSON.parse(String(first.data))).toEqual(view());
  source.set(view({}, 60));
  expect(JSON.parse(String((await nextOf(events)).data))).toEqual(view({}, 60));
  source.set(done);
  const last = await nextOf(events);
  expect(JSON.parse(String(last.data))).toEqual(done);
  expect((await events.next()).done).toBe(true);
  await eventually(() => expect(source.watching).toBe(0));
});

test("a browser that reconnects after the end is told to stay away", async () => {
  const source = running();
  source.set(done);
  const handler = checkedHandler(source);
  const ids: (string | undefined)[] = [];
  for await (const { id } of eventsOf(await ask(handler, "123/events"))) ids.push(id);
  const headers = { "last-event-id": String(ids.at(-1)) };
  const again = await ask(handler, "123/events", { headers });
  expect([again.status, again.body]).toEqual([204, null]);
  await eventually(() => expect(source.watching).toBe(0));
  source.set(view({ attempts: 2 }, 0));
  expect((await ask(handler, "123/events", { headers })).status).toBe(200);
});

test("a reconnect shows neither what was seen nor anything before it", async () => {
  const source = running();
  const handler = checkedHandler(source);
  source.set(view({}, 80));
  const before = eventsOf(await ask(handler, "123/events"));
  await nextOf(before);
  const { id } = await nextOf(before);
  await before.return();
  const resume = () => ask(handler, "123/events", { headers: { "last-event-id": String(id) } });

  const unchanged = await resume();
  source.set(view({}, 81));
  source.set(done);
  expect(await percentsOf(unchanged)).toEqual([100]);

  source.set(view({}, 70));
  const stale = percentsOf(await resume());
  source.set(view({ status: "failed" }, 70));
  expect(await stale).toEqual([70]);

  source.set(view({ attempts: 2 }, 5));
  const retried = percentsOf(await resume());
  source.set({ ...done, attempts: 2 });
  expect(await retried).toEqual([5, 100]);
});

test("what goes back after a reconnect, as a job that is resumed from its beginning, is shown", async () => {
  const source = running();
  source.set(view({ status: "queued" }, 0));
  const headers = { "last-event-id": "1.80.running.aaaaaaaaaaaaaaaa" };
  const events = eventsOf(await ask(checkedHandler(source), "123/events", { headers }));
  await nextOf(events);
  expect(percentIn(await nextOf(events))).toBe(0);
  source.set(view({}, 10));
  expect(percentIn(await nextOf(events))).toBe(10);
  await events.return();
});

test("a state that is told twice is sent once", async () => {
  const source = running();
  const events = eventsOf(await ask(checkedHandler(source), "123/events"));
  await nextOf(events);
  await nextOf(events);
  const next = nextOf(events);
  const taken = source.taken;
  source.set(view());
  await eventually(() => expect(source.taken).toBeGreaterThan(taken));
  source.set(view({}, 51));
  expect(JSON.parse(String((await next).data)).progress.percent).toBe(51);
  await events.return();
});

test.each([
  ["nothing", ""],
  ["no id of ours", "garbage"],
  ["half an id", "1.2"],
  ["no number", "1.NaN.running.aaaaaaaaaaaaaaaa"],
  ["a percent beyond 100", "1.101.running.aaaaaaaaaaaaaaaa"],
  ["an unknown status", "9.99.sleeping.aaaaaaaaaaaaaaaa"],
  ["9 kB", "x".repeat(9_000)],
])("a Last-Event-ID that is %s is as good as none", async (_, id) => {
  const source = running();
  const events = eventsOf(await ask(checkedHandler(source), "123/events", { headers: { "last-event-id": id } }));
  await nextOf(events);
  expect(JSON.parse(String((await nextOf(events)).data))).toEqual(view());
  await events.return();
});

test("even an id of the far future is told the end", async () => {
  const source = running();
  const headers = { "last-event-id": "4000000000.100.running.aaaaaaaaaaaaaaaa" };
  const percents = percentsOf(await ask(checkedHandler(source), "123/events", { headers }));
  await eventually(() => expect(source.taken).toBe(1));
  source.set(done);
  expect(await percents).toEqual([100]);
});

test("a silent stream gives signs of life, and asks no more for them", async () => {
  const source = running();
  const watch = source.watch.bind(source);
  const next = vi.fn();
  source.watch = (jobId, options) => {
    const states = watch(jobId, options);
    next.mockImplementation(states.next.bind(states));
    return Object.assign(states, { next });
  };
  const events = eventsOf(await ask(checkedHandler(source, { heartbeatMs: 5 }), "123/events"));
  await nextOf(events);
  await nextOf(events);
  for (let i = 0; i < 3; i++) expect(await nextOf(events)).toEqual({ comment: "alive" });
  expect(next).toHaveBeenCalledTimes(2);
  source.set(view({}, 51));
  let event = await nextOf(events);
  while (event.comment !== undefined) event = await nextOf(events);
  expect(JSON.parse(String(event.data)).progress.percent).toBe(51);
  await events.return();
  await eventually(() => expect(source.watching).toBe(0));
});

test("a client that reads nothing is held no state but the newest", async () => {
  const source = running();
  const response = await ask(checkedHandler(source, { heartbeatMs: 1 }), "123/events");
  for (let i = 0; i < 100; i++) {
    source.set(view({}, 50 + i / 100));
    await turn();
  }
  expect(source.taken).toBe(1);
  source.set(done);
  expect(await percentsOf(response)).toEqual([50, 100]);
});

test("a client that has read for a while and comes late gets the newest", async () => {
  const source = running();
  const { body } = await ask(checkedHandler(source), "123/events");
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  await reader.read();
  for (const percent of [60, 70, 80]) {
    source.set(view({}, percent));
    await turn();
  }
  expect(Buffer.from((await reader.read()).value ?? []).toString()).toContain('"percent":80,');
  await reader.cancel();
});

test("a stream is silent for 15 seconds at most, and no clock runs for it when it is over", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const source = running();
  const events = eventsOf(await ask(checkedHandler(source), "123/events"));
  await nextOf(events);
  await nextOf(events);
  const told = nextOf(events);
  source.set(view({}, 51));
  expect(percentIn(await told)).toBe(51);
  const sign = nextOf(events);
  await vi.advanceTimersByTimeAsync(14_999);
  expect(vi.getTimerCount()).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(await sign).toEqual({ comment: "alive" });
  await events.return();
  await eventually(() => expect(source.watching).toBe(0));
  expect(vi.getTimerCount()).toBe(0);
});

test("a stream that is over listens no longer to its request", async () => {
  const source = running();
  const handler = checkedHandler(source);
  source.set(done);
  const request = new Request("http://api/api/v1/jobs/123/events");
  expect(await percentsOf(await handler(request))).toEqual([100]);
  expect(getEventListeners(request.signal, "abort")).toEqual([]);
});

test("a watch that ends before the job, as when it is deleted, ends the stream", async () => {
  const source = running();
  const warn = vi.fn();
  source.watch = async function* () {
    yield view();
  };
  expect(await percentsOf(await ask(checkedHandler(source, { log: { warn } }), "123/events"))).toEqual([50]);
  expect(warn).not.toHaveBeenCalled();
});

test("a watch that does not end well is nothing that a client or the process hears of", async () => {
  const source = running();
  const ended = vi.fn();
  source.watch = async function* () {
    try {
      for (;;) yield view();
    } finally {
      ended();
      JSON.parse("{");
    }
  };
  const { body } = await ask(checkedHandler(source), "123/events");
  await body?.cancel();
  await eventually(() => expect(ended).toHaveBeenCalled());
});

test.each(["cancels the body", "aborts the request"])("the watch ends when the client %s", async (how) => {
  const source = running();
  const leaving = new AbortController();
  const handler = checkedHandler(source);
  const responses = await Promise.all(
    Array.from({ length: 20 }, () => ask(handler, "123/events", { signal: leaving.signal })),
  );
  const readers = responses.map(({ body }) => (body as ReadableStream<Uint8Array>).getReader());
  for (const reader of readers) {
    await reader.read();
    await reader.read();
    void reader.read().catch(() => {});
  }
  expect(source.watching).toBe(20);
  if (how === "aborts the request") leaving.abort();
  else await Promise.all(readers.map((reader) => reader.cancel()));
  await eventually(() => expect(source.watching).toBe(0));
});

test("a request that was aborted before it was answered watches nothing", async () => {
  const source = running();
  await ask(checkedHandler(source), "123/events", { signal: AbortSignal.abort() });
  await eventually(() => expect(source.watching).toBe(0));
});

test("a watch that breaks ends the stream, so that the browser comes back", async () => {
  const source = running();
  const warnings: string[] = [];
  const log = { warn: (message: string) => void warnings.push(message) };
  const events = eventsOf(await ask(checkedHandler(source, { log }), "123/events"));
  await nextOf(events);
  await nextOf(events);
  const end = events.next();
  source.breakWatches(new WorkerProgressError("STORAGE_UNAVAILABLE", "The database is gone"));
  expect((await end).done).toBe(true);
  expect(warnings).toEqual(['Watching job "123" ended early']);
  expect(source.watching).toBe(0);
});

test("a missing job has no stream", async () => {
  const source = new FakeJobs();
  const response = await ask(checkedHandler(source), "5/events");
  expect([response.status, (await bodyOf(response)).code]).toEqual([404, "JOB_NOT_FOUND"]);
  expect(source.watching).toBe(0);
});

test("a stream whose first state does not come is given up, and the watch with it", async () => {
  vi.useFakeTimers();
  try {
    const source = new FakeJobs();
    const returned = vi.fn();
    source.watch = async function* (_, { signal } = {}) {
      await new Promise((resolve) => signal?.addEventListener("abort", resolve));
      returned();
      yield* [];
    };
    const answer = ask(checkedHandler(source), "123/events");
    await vi.advanceTimersByTimeAsync(10_000);
    const response = await answer;
    expect([response.status, (await bodyOf(response)).code]).toEqual([503, "STORAGE_UNAVAILABLE"]);
    await vi.waitFor(() => expect(returned).toHaveBeenCalled());
  } finally {
    vi.useRealTimers();
  }
});

test("a reporter that closes answers a new watch 503", async () => {
  const source = new FakeJobs();
  source.watch = async function* () {
    yield* [];
  };
  expect((await ask(checkedHandler(source), "123/events")).status).toBe(503);
});
