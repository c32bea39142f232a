import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect, constants, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { toNodeHandler } from "../../src/http/node-handler.js";
import { eventually } from "../support/eventually.js";
import { checkedHandler } from "./checked-handler.js";
import { FakeJobs, view } from "./fake-jobs.js";

/** A client of a server that speaks HTTP/2, as browsers do for more than six streams. */
async function session(
  before: (response: ServerResponse) => Promise<unknown> = async () => {},
  permission: (request: Request) => boolean | Promise<boolean> = () => true,
) {
  const source = new FakeJobs();
  source.set(view());
  const seen: string[] = [];
  const authorize = (request: Request) => {
    seen.push(request.url);
    return permission(request);
  };
  const handle = toNodeHandler(checkedHandler(source, { authorize }));
  const handled = Promise.withResolvers<void>();
  const listener = async (request: IncomingMessage, response: ServerResponse) => {
    await before(response);
    await handle(request, response);
    handled.resolve();
  };
  const server = createServer(listener as never);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = connect(origin);
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  return { source, seen, origin, client, handled: handled.promise };
}

test("over HTTP/2 a job is read", async () => {
  const { client, origin, seen } = await session();
  const request = client.request({ ":path": "/api/v1/jobs/123" });
  const [headers] = await once(request, "response");
  expect([headers[":status"], JSON.parse(await text(request))]).toEqual([200, view()]);
  expect(seen).toEqual([`${origin}/api/v1/jobs/123`]);
});

test("over HTTP/2 a job is cancelled for a reason", async () => {
  const { client, source } = await session();
  const request = client.request({
    ":path": "/api/v1/jobs/123/cancel",
    ":method": "POST",
    "content-type": "application/json",
  });
  request.end('{"reason":"Wrong file"}');
  const [headers] = await once(request, "response");
  expect([headers[":status"], source.cancellations]).toEqual([202, [{ jobId: "123", reason: "Wrong file" }]]);
});

test("over HTTP/2 many jobs are followed on one connection, and each watch ends with its stream", async () => {
  const { client, source } = await session();
  const streams = Array.from({ length: 20 }, () => client.request({ ":path": "/api/v1/jobs/123/events" }));
  await Promise.all(streams.map((stream) => once(stream, "data")));
  expect(source.watching).toBe(20);
  for (const stream of streams.slice(1)) stream.close(constants.NGHTTP2_CANCEL);
  await eventually(() => expect(source.watching).toBe(1));
  source.set(view({ status: "completed" }, 100));
  expect(await text(streams[0] as never)).toContain('"percent":100');
  expect(source.watching).toBe(0);
});

test("over HTTP/2 a client that goes away before the handler is called, in a slow middleware, has nothing watched", async () => {
  const arrived = Promise.withResolvers<void>();
  const { client, source, handled } = await session((response) => {
    arrived.resolve();
    return once(response, "close");
  });
  const stream = client.request({ ":path": "/api/v1/jobs/123/events" });
  await arrived.promise;
  stream.close(constants.NGHTTP2_CANCEL);
  await handled;
  expect([source.taken, source.watching]).toEqual([0, 0]);
});

test("over HTTP/2 a client that goes away before authorize has answered has nothing watched", async () => {
  const permission = Promise.withResolvers<boolean>();
  const asked = Promise.withResolvers<AbortSignal>();
  const { client, source, handled } = await session(undefined, ({ signal }) => {
    asked.resolve(signal);
    return permission.promise;
  });
  const stream = client.request({ ":path": "/api/v1/jobs/123/events" });
  const signal = await asked.promise;
  stream.close(constants.NGHTTP2_CANCEL);
  await once(signal, "abort");
  permission.resolve(true);
  await handled;
  expect([source.taken, source.watching]).toEqual([0, 0]);
});
