import { once } from "node:events";
import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { JobHandlerOptions } from "../../src/http/handler-options.js";
import type { JobHandler } from "../../src/http/job-handler.js";
import { toNodeHandler } from "../../src/http/node-handler.js";
import { nodeRequest } from "../../src/http/node-request.js";
import { eventually } from "../support/eventually.js";
import { checkedHandler } from "./checked-handler.js";
import { FakeJobs, view } from "./fake-jobs.js";
import { serve } from "./node-server.js";

const watch = "GET /api/v1/jobs/123/events HTTP/1.1\r\nHost: a\r\n\r\n";

/** One request on a connection of its own, and what becomes of it. */
interface Asked {
  readonly source: FakeJobs;
  readonly client: Socket;
  /** Resolves with what the handler was asked. */
  readonly request: Promise<Request>;
  /** Resolves when the handler has answered. */
  readonly answered: Promise<Response>;
  readonly warnings: readonly string[];
}

async function askOnce(written: string, source: FakeJobs, options: Partial<JobHandlerOptions> = {}): Promise<Asked> {
  source.set(view());
  const warnings: string[] = [];
  const handler = checkedHandler(source, { ...options, log: { warn: (message) => void warnings.push(message) } });
  const request = Promise.withResolvers<Request>();
  const answered = Promise.withResolvers<Response>();
  const noted: JobHandler = async (asked) => {
    request.resolve(asked);
    const response = await handler(asked);
    answered.resolve(response);
    return response;
  };
  const { connection } = await serve(toNodeHandler(noted));
  const client = connection();
  client.write(written);
  return { source, client, request: request.promise, answered: answered.promise, warnings };
}

test("a client that goes away before authorize has answered: nothing is watched then", async () => {
  const permission = Promise.withResolvers<boolean>();
  const { source, client, request, answered, warnings } = await askOnce(watch, new FakeJobs(), {
    authorize: () => permission.promise,
  });
  const { signal } = await request;
  client.resetAndDestroy();
  await once(signal, "abort");
  permission.resolve(true);
  await answered;
  expect([source.taken, source.watching, warnings]).toEqual([0, 0, []]);
});

test("a client that goes away before the handler is called, in a slow middleware: nothing is watched", async () => {
  const source = new FakeJobs();
  source.set(view());
  const handle = toNodeHandler(checkedHandler(source));
  const handled = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const { connection } = await serve(async (request, response) => {
    arrived.resolve();
    await once(response, "close");
    await handle(request, response);
    handled.resolve();
  });
  const client = connection();
  client.write(watch);
  await arrived.promise;
  client.resetAndDestroy();
  await handled.promise;
  expect([source.taken, source.watching]).toEqual([0, 0]);
});

test("a client that goes away while its next request waits for its turn: the handler is done with both", async () => {
  const source = new FakeJobs();
  source.set(view());
  const handle = toNodeHandler(checkedHandler(source));
  let settled = 0;
  const { connection } = await serve(async (request, response) => {
    await handle(request, response);
    settled++;
  });
  const client = connection();
  client.write(watch.repeat(2));
  await eventually(() => expect(source.watching).toBe(1));
  client.resetAndDestroy();
  await eventually(() => expect(settled).toBe(2));
  expect([source.taken, source.watching]).toEqual([1, 0]);
});

test("a request that somebody else has answered: the handler is done with it, and nothing is watched", async () => {
  const source = new FakeJobs();
  source.set(view());
  const handle = toNodeHandler(checkedHandler(source));
  const handled = Promise.withResolvers<void>();
  const { connection } = await serve(async (request, response) => {
    const answered = once(response, "close");
    response.end();
    await answered;
    await handle(request, response);
    handled.resolve();
  });
  connection().write(watch);
  await handled.promise;
  expect([source.taken, source.watching]).toEqual([0, 0]);
});

test("a client that goes away with its answer has not gone too early", async () => {
  const { client, request } = await askOnce(
    "GET /api/v1/jobs/123 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    new FakeJobs(),
  );
  const serving = nodeRequest(await request)?.socket;
  client.resume();
  await once(serving as Socket, "close");
  expect((await request).signal.aborted).toBe(false);
});

test("a client that goes away while authorize follows its signal: nobody is warned", async () => {
  const { client, request, answered, warnings } = await askOnce(watch, new FakeJobs(), {
    authorize: ({ signal }) => once(signal, "abort").then(() => Promise.reject(signal.reason)),
  });
  await request;
  client.resetAndDestroy();
  expect((await answered).status).toBe(404);
  expect(warnings).toEqual([]);
});

test("a client that goes away before there is a first state: the watch ends at once", async () => {
  const source = new FakeJobs();
  const ended = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  source.watch = async function* (_, { signal } = {}) {
    begun.resolve();
    if (signal) await once(signal, "abort");
    ended.resolve();
    yield* [];
  };
  const { client, answered, warnings } = await askOnce(watch, source);
  await begun.promise;
  client.resetAndDestroy();
  await ended.promise;
  await answered;
  expect(warnings).toEqual([]);
});

test("a client that goes away while its connection is full: the watch ends at once", async () => {
  const { source, client, request, warnings } = await askOnce(watch, new FakeJobs());
  client.pause();
  const connection = nodeRequest(await request)?.socket;
  const output = "x".repeat(500_000);
  for (let i = 0, full = 0; full < 50 && i < 100_000; i++) {
    source.set(view({ output }, 50 + i / 1e6));
    await turn();
    full = connection?.writableLength ? full + 1 : 0;
  }
  expect(source.watching).toBe(1);
  client.resetAndDestroy();
  await eventually(() => expect(source.watching).toBe(0));
  expect(warnings).toEqual([]);
});

test("a client that goes away in the middle of a body: nothing is cancelled, and nobody is warned", async () => {
  const { source, client, request, answered, warnings } = await askOnce(
    'POST /api/v1/jobs/123/cancel HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"reason":',
    new FakeJobs(),
  );
  await request;
  client.resetAndDestroy();
  await answered;
  expect([source.cancellations, warnings]).toEqual([[], []]);
});
